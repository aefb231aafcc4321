//! nf_tables (`linux/netfilter/nf_tables.h`): one table of ours in which a packet to or from an address that shall not
//! answer is dropped, except neighbour discovery.
//!
//! A transaction is one batch between two marks (`linux/netfilter/nfnetlink.h`): all of it is in force at once, or
//! nothing. All messages of a batch carry the same sequence number and only the last one asks for an acknowledgement,
//! so that the first answer with this number is the transaction's.

pub mod firewall;
mod rules;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::array;
use super::link::LinkIndex;
use super::netlink::{
    Attributes, Full, Malformed, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, Writer,
};

/// Name of the table, of the family `inet`.
pub const TABLE: &str = "lvsbox";

/// Elements of one transaction at most: what surely fits the buffer of a send beside the rules.
pub const MAX_ELEMENTS: usize = 64;

/// `NFPROTO_INET`: IPv4 and IPv6.
const INET: u8 = 1;
/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NLM_F_APPEND`.
const APPEND: u16 = 0x800;

const NEW_TABLE: u16 = 0;
const DEL_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const GET_ELEMENT: u16 = 13;
const DEL_ELEMENT: u16 = 14;
const NEW_GENERATION: u16 = 15;
const GET_GENERATION: u16 = 16;

/// `NFTA_LIST_ELEM`.
const LIST_ITEM: u16 = 1;
/// `NFTA_DATA_VALUE`.
const VALUE: u16 = 1;

/// The sets: name, type of the key in nft's own numbering (concatenated types stand six bits apart), length of the key.
const SETS: [(&str, u32, u32); 3] = [
    // ipv4_addr
    ("addresses4", 7, 4),
    // ipv6_addr
    ("addresses6", 8, 16),
    // ipv6_addr . iface_index: the same link-local address may be another host's on another interface.
    ("local6", 8 << 6 | 20, 20),
];

/// An address whose packets are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// On any interface.
    V4(Ipv4Addr),
    /// On any interface.
    V6(Ipv6Addr),
    /// A link-local address on this interface.
    Local(Ipv6Addr, LinkIndex),
}

impl Element {
    /// For an address of this interface.
    pub fn new(address: IpAddr, link: LinkIndex) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) if address.is_unicast_link_local() => Self::Local(address, link),
            IpAddr::V6(address) => Self::V6(address),
        }
    }

    const fn set(self) -> usize {
        match self {
            Self::V4(_) => 0,
            Self::V6(_) => 1,
            Self::Local(..) => 2,
        }
    }

    fn with_key<T>(self, take: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::V4(address) => take(&address.octets()),
            Self::V6(address) => take(&address.octets()),
            Self::Local(address, LinkIndex(link)) => {
                let mut key = [0; 20];
                for (place, byte) in
                    key.iter_mut().zip(address.octets().into_iter().chain(link.to_ne_bytes()))
                {
                    *place = byte;
                }
                take(&key)
            }
        }
    }

    /// A number that is another one for another element: the sum over a set tells two sets apart.
    pub fn digest(self) -> u64 {
        self.with_key(|key| digest(self.set() as u64, key))
    }
}

/// What is to be done, all of it or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction<'a> {
    /// The table as ours, whatever was there under its name, with these elements.
    Build(&'a [(Element, Presence)]),
    /// Elements come and go. Removing one that is not there fails.
    Change(&'a [(Element, Presence)]),
    /// No table.
    Remove,
}

/// Whether an element shall be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It shall.
    Present,
    /// It shall not.
    Absent,
}

impl Transaction<'_> {
    /// Appends the batch.
    ///
    /// # Errors
    /// It does not fit; a part of it may be in the buffer, which must not be sent.
    pub fn emit(self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        mark(BATCH_BEGIN, writer, seq)?;
        match self {
            Self::Build(elements) => {
                table(TABLE, NEW_TABLE, NLM_F_CREATE, writer, seq)?;
                table(TABLE, DEL_TABLE, 0, writer, seq)?;
                table(TABLE, NEW_TABLE, NLM_F_CREATE, writer, seq)?;
                for (id, set) in (1..).zip(SETS) {
                    new_set(id, set, writer, seq)?;
                }
                elements.iter().try_for_each(|(one, presence)| element(*one, *presence, 0, writer, seq))?;
                rules::emit(writer, seq)?;
            }
            Self::Change(elements) => {
                for (place, (one, presence)) in (1..).zip(elements) {
                    let ack = if place == elements.len() { NLM_F_ACK } else { 0 };
                    element(*one, *presence, ack, writer, seq)?;
                }
            }
            Self::Remove => {
                // One that is not there cannot be removed; one that is there is not harmed by being made.
                table(TABLE, NEW_TABLE, NLM_F_CREATE, writer, seq)?;
                table(TABLE, DEL_TABLE, NLM_F_ACK, writer, seq)?;
            }
        }
        mark(BATCH_END, writer, seq)
    }
}

/// Appends a transaction: the table of this name is gone. The answer is `ENOENT` if there was none.
///
/// # Errors
/// It does not fit.
pub fn forget(name: &str, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    mark(BATCH_BEGIN, writer, seq)?;
    table(name, DEL_TABLE, NLM_F_ACK, writer, seq)?;
    mark(BATCH_END, writer, seq)
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How often nf_tables was changed, by anybody.
    Generation,
    /// The rules of our table.
    Rules,
    /// The elements of a set of ours, 0 to [`Question::SETS`].
    Elements(usize),
}

impl Question {
    /// How many sets there are.
    pub const SETS: usize = SETS.len();

    /// Appends the question. A dump ends with its end, [`Question::Generation`] with an acknowledgement.
    ///
    /// # Errors
    /// It does not fit.
    pub fn emit(self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        match self {
            Self::Generation => begin(GET_GENERATION, NLM_F_ACK, writer, seq),
            Self::Rules => {
                begin(GET_RULE, NLM_F_DUMP, writer, seq);
                writer.str(1, TABLE);
            }
            Self::Elements(set) => {
                begin(GET_ELEMENT, NLM_F_DUMP, writer, seq);
                writer.str(1, TABLE);
                writer.str(2, SETS.get(set).map_or("", |set| set.0));
            }
        }
        writer.finish()
    }
}

/// What our table holds, as far as it must be known to see whether somebody changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Sum over the rules: the kernel's numbers of them count, too.
    pub rules: u64,
    /// How many elements.
    pub elements: usize,
    /// Sum of their digests.
    pub digests: u64,
}

impl Census {
    /// Counts an element.
    pub fn add(&mut self, element: Element) {
        self.elements += 1;
        self.digests = self.digests.wrapping_add(element.digest());
    }

    /// Counts what an answer to [`Question::Rules`] or [`Question::Elements`] shows.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn count(&mut self, question: Question, payload: &[u8]) -> Result<(), Malformed> {
        let content = payload.get(4..).ok_or(Malformed::Truncated)?;
        let attributes = Attributes::new(content);
        if attributes.str(1) != Some(TABLE) {
            // Old kernels list the rules of all tables.
            return Ok(());
        }
        let set = match question {
            Question::Generation => return Ok(()),
            Question::Rules => {
                self.rules = self.rules.wrapping_add(digest(0, content));
                return Ok(());
            }
            Question::Elements(set) => set,
        };
        let Some(list) = attributes.nest(3) else { return Ok(()) };
        for item in list.iter() {
            let key = Attributes::new(item.value).nest(1).and_then(|key| key.bytes(VALUE));
            let key = key.ok_or(Malformed::Missing)?;
            self.elements += 1;
            self.digests = self.digests.wrapping_add(digest(set as u64, key));
        }
        Ok(())
    }
}

/// The answer to [`Question::Generation`].
///
/// # Errors
/// It is none.
pub fn parse_generation(kind: u16, payload: &[u8]) -> Result<u32, Malformed> {
    if kind != SUBSYSTEM << 8 | NEW_GENERATION {
        return Err(Malformed::Unknown);
    }
    let id = Attributes::new(payload.get(4..).ok_or(Malformed::Truncated)?).bytes(1);
    id.and_then(|id| array(id, 0)).map(u32::from_be_bytes).ok_or(Malformed::Missing)
}

/// FNV-1a over 64 bits: a change is found, not an attack withstood.
fn digest(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Begins a message with its `struct nfgenmsg`.
fn begin(message: u16, flags: u16, writer: &mut Writer<'_>, seq: u32) {
    writer.begin(SUBSYSTEM << 8 | message, NLM_F_REQUEST | flags, seq);
    writer.raw(&[INET, 0, 0, 0]);
}

/// A mark names its subsystem in network order where others have nothing.
fn mark(kind: u16, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    writer.begin(kind, NLM_F_REQUEST, seq);
    let [high, low] = SUBSYSTEM.to_be_bytes();
    writer.raw(&[0, 0, high, low]);
    writer.finish()
}

fn table(name: &str, message: u16, flags: u16, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    begin(message, flags, writer, seq);
    writer.str(1, name);
    writer.finish()
}

fn new_set(
    id: u32,
    (name, kind, length): (&str, u32, u32),
    writer: &mut Writer<'_>,
    seq: u32,
) -> Result<(), Full> {
    begin(NEW_SET, NLM_F_CREATE, writer, seq);
    writer.str(1, TABLE);
    writer.str(2, name);
    for (attribute, value) in [(3, 0), (4, kind), (5, length), (10, id)] {
        be32(writer, attribute, value);
    }
    writer.finish()
}

fn element(
    element: Element,
    presence: Presence,
    flags: u16,
    writer: &mut Writer<'_>,
    seq: u32,
) -> Result<(), Full> {
    match presence {
        Presence::Present => begin(NEW_ELEMENT, NLM_F_CREATE | flags, writer, seq),
        Presence::Absent => begin(DEL_ELEMENT, flags, writer, seq),
    }
    writer.str(1, TABLE);
    writer.str(2, SETS.get(element.set()).map_or("", |set| set.0));
    writer.nested(3, |writer| {
        writer.nested(LIST_ITEM, |writer| {
            writer.nested(1, |writer| element.with_key(|key| writer.bytes(VALUE, key)));
        });
    });
    writer.finish()
}

fn be32(writer: &mut Writer<'_>, attribute: u16, value: u32) {
    writer.bytes(attribute, &value.to_be_bytes());
}

#[cfg(test)]
mod tests;
