//! Rules of the configuration's `firewall`: marks for services, masquerading, and packets taken in that are for others.
//!
//! Each part has a table of its own, so that one which this kernel cannot do leaves the others alone, and each is
//! replaced in one transaction. Names and numbers are those of `linux/netfilter/nf_tables.h`.

use core::fmt;
use core::net::IpAddr;

use super::rules::{self, ACCEPT, EQUAL, FAMILY, IPV4, IPV6, NETWORK, PROTOCOL, REGISTER, TRANSPORT};
use super::{
    APPEND, BATCH_BEGIN, BATCH_END, DEL_TABLE, GET_RULE, LIST_ITEM, NEW_CHAIN, NEW_RULE, NEW_TABLE, VALUE,
    be32, begin, digest, mark, table,
};
use crate::limits::MAX_FIREWALL_RULES;
use crate::wire::bytes::array;
use crate::wire::genl_ipvs::Protocol;
use crate::wire::link::LinkName;
use crate::wire::netlink::{Attributes, Full, Malformed, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, Writer};

/// What is done with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// They carry this mark from before routing on, also those that the host itself sends. IPVS looks at it.
    Mark(u32),
    /// They leave with the address of the interface.
    Masquerade,
    /// They are taken in, at the interface's own address.
    Redirect,
}

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirewallRule {
    /// What is done.
    pub act: Act,
    /// Packets to this network, or from it to be masqueraded; without bits behind `prefix`.
    pub network: IpAddr,
    /// Its length in bits, 0 to 32 or 0 to 128.
    pub prefix: u8,
    /// To these ports only, the last one included.
    pub ports: Option<(Protocol, u16, u16)>,
    /// Leaving by this interface only.
    pub link: Option<LinkName>,
}

/// Rules of one kind: what works or fails together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Act::Mark`].
    Mark,
    /// [`Act::Masquerade`].
    Masquerade,
    /// [`Act::Redirect`].
    Redirect,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Mark, Self::Masquerade, Self::Redirect];

    /// Its keyword.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Masquerade => "masquerade",
            Self::Redirect => "redirect",
        }
    }

    /// Name of its table, of the family `inet`.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Mark => "lvsbox_mark",
            Self::Masquerade => "lvsbox_masquerade",
            Self::Redirect => "lvsbox_redirect",
        }
    }

    /// The kernel's modules that it needs.
    pub const fn modules(self) -> &'static str {
        match self {
            Self::Mark => "nf_tables",
            Self::Masquerade => "nft_chain_nat nft_masq",
            Self::Redirect => "nft_chain_nat nft_redir",
        }
    }

    /// Hook (`enum nf_inet_hooks`) and priority (`enum nf_ip_hook_priorities`) of the chain that NAT has.
    const fn nat(self) -> Option<(u32, i32)> {
        match self {
            Self::Mark => None,
            Self::Masquerade => Some((4, 100)),
            Self::Redirect => Some((0, -100)),
        }
    }
}

impl FirewallRule {
    /// The part it belongs to.
    pub const fn part(&self) -> Part {
        match self.act {
            Act::Mark(_) => Part::Mark,
            Act::Masquerade => Part::Masquerade,
            Act::Redirect => Part::Redirect,
        }
    }
}

/// As the configuration has it.
impl fmt::Display for FirewallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part().word())?;
        match self.act {
            Act::Mark(number) => write!(f, " {number} to {}", self.network)?,
            Act::Redirect => write!(f, " to {}", self.network)?,
            Act::Masquerade => write!(f, " from {}/{}", self.network, self.prefix)?,
        }
        if let Some((protocol, low, high)) = self.ports {
            let word = match protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
                Protocol::Sctp => "sctp",
            };
            write!(f, " {word} {low}")?;
            if high > low {
                write!(f, "-{high}")?;
            }
        }
        self.link.map_or(Ok(()), |link| write!(f, " out {link}"))
    }
}

/// The chain that holds a part's rules, in their order.
const RULES: &str = "rules";
/// Chains that pass packets on to it: NF_INET_PRE_ROUTING and NF_INET_LOCAL_OUT, both before IPVS looks.
const MARKED: [(&str, u32); 2] = [("prerouting", 0), ("output", 3)];
/// NF_IP_PRI_MANGLE
const MANGLE: i32 = -150;

/// Appends a transaction: the part's table with these rules, whatever was there under its name. Rules of other parts
/// are passed over.
///
/// # Errors
/// It does not fit: [`MAX_FIREWALL_RULES`] need 48 KiB.
pub fn build(part: Part, all: &[FirewallRule], writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    mark(BATCH_BEGIN, writer, seq)?;
    table(part.table(), NEW_TABLE, NLM_F_CREATE, writer, seq)?;
    table(part.table(), DEL_TABLE, 0, writer, seq)?;
    table(part.table(), NEW_TABLE, NLM_F_CREATE, writer, seq)?;
    let ours = || all.iter().filter(|rule| rule.part() == part);
    let last = ours().count();
    let nat = part.nat();
    chain(part, (RULES, nat), "nat", writer, seq)?;
    for (place, one) in (1..).zip(ours()) {
        let ack = if place == last && nat.is_some() { NLM_F_ACK } else { 0 };
        rule((part, RULES), ack, writer, seq, |writer| expressions(one, writer))?;
    }
    if nat.is_none() {
        for (place, (name, hook)) in MARKED.into_iter().enumerate() {
            chain(part, (name, Some((hook, MANGLE))), "filter", writer, seq)?;
            let ack = if place == 1 { NLM_F_ACK } else { 0 };
            rule((part, name), ack, writer, seq, jump)?;
        }
    }
    mark(BATCH_END, writer, seq)
}

/// Appends a transaction: the part's table is gone, if it was there.
///
/// # Errors
/// It does not fit.
pub fn remove(part: Part, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    mark(BATCH_BEGIN, writer, seq)?;
    table(part.table(), NEW_TABLE, NLM_F_CREATE, writer, seq)?;
    table(part.table(), DEL_TABLE, NLM_F_ACK, writer, seq)?;
    mark(BATCH_END, writer, seq)
}

/// Appends the question for the rules of a part's table.
///
/// # Errors
/// It does not fit.
pub fn ask(part: Part, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    begin(GET_RULE, NLM_F_DUMP, writer, seq);
    writer.str(1, part.table());
    writer.finish()
}

/// Packets and bytes that a rule has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets; of masquerading and redirection the first one of each connection.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a part's table holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartSeen {
    /// Sum over the rules without their counters: the kernel's numbers of them count, too.
    pub digest: u64,
    /// Counters of the rules in their order.
    pub counters: heapless::Vec<Counter, MAX_FIREWALL_RULES>,
}

impl PartSeen {
    /// Takes a message of the answer to [`ask`].
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take(&mut self, part: Part, payload: &[u8]) -> Result<(), Malformed> {
        let attributes = Attributes::new(payload.get(4..).ok_or(Malformed::Truncated)?);
        if attributes.str(1) != Some(part.table()) {
            // Old kernels list the rules of all tables.
            return Ok(());
        }
        let mut counter = Counter::default();
        // Of the rule as a whole: two rules that change places are another table.
        let mut whole = 0;
        for attribute in attributes.iter() {
            if attribute.kind != 4 {
                whole = digest(whole ^ u64::from(attribute.kind), attribute.value);
                continue;
            }
            for item in Attributes::new(attribute.value).iter() {
                let one = Attributes::new(item.value);
                if one.str(1) == Some("counter") {
                    let number = |kind| {
                        let value = one.nest(2).and_then(|data| data.bytes(kind));
                        value.and_then(|value| array(value, 0)).map_or(0, u64::from_be_bytes)
                    };
                    counter = Counter { packets: number(2), bytes: number(1) };
                } else {
                    whole = digest(whole, item.value);
                }
            }
        }
        self.digest = self.digest.wrapping_add(whole);
        if attributes.str(2) == Some(RULES) {
            // What does not fit is somebody else's: the digest tells.
            let _ = self.counters.push(counter);
        }
        Ok(())
    }
}

fn chain(
    part: Part,
    (name, hook): (&str, Option<(u32, i32)>),
    kind: &str,
    writer: &mut Writer<'_>,
    seq: u32,
) -> Result<(), Full> {
    begin(NEW_CHAIN, NLM_F_CREATE, writer, seq);
    writer.str(1, part.table());
    writer.str(3, name);
    if let Some((hook, priority)) = hook {
        writer.nested(4, |writer| {
            be32(writer, 1, hook);
            writer.bytes(2, &priority.to_be_bytes());
        });
        be32(writer, 5, ACCEPT);
        writer.str(7, kind);
    }
    writer.finish()
}

fn rule(
    (part, chain): (Part, &str),
    flags: u16,
    writer: &mut Writer<'_>,
    seq: u32,
    expressions: impl FnOnce(&mut Writer<'_>),
) -> Result<(), Full> {
    begin(NEW_RULE, NLM_F_CREATE | APPEND | flags, writer, seq);
    writer.str(1, part.table());
    writer.str(2, chain);
    writer.nested(4, expressions);
    writer.finish()
}

/// To the chain [`RULES`] and back.
fn jump(writer: &mut Writer<'_>) {
    /// NFT_JUMP
    const JUMP: i32 = -3;
    rules::expression(writer, "immediate", |writer| {
        be32(writer, 1, 0);
        writer.nested(2, |writer| {
            writer.nested(2, |writer| {
                writer.bytes(1, &JUMP.to_be_bytes());
                writer.str(2, RULES);
            });
        });
    });
}

fn expressions(rule: &FirewallRule, writer: &mut Writer<'_>) {
    let (family, from, to) = match rule.network {
        IpAddr::V4(_) => (IPV4, 12, 16),
        IpAddr::V6(_) => (IPV6, 8, 24),
    };
    rules::meta(writer, FAMILY, REGISTER);
    rules::compare(writer, EQUAL, &[family]);
    let offset = if rule.part() == Part::Masquerade { from } else { to };
    match rule.network {
        IpAddr::V4(address) => network(writer, offset, (&address.octets(), rule.prefix)),
        IpAddr::V6(address) => network(writer, offset, (&address.octets(), rule.prefix)),
    }
    if let Some((protocol, low, high)) = rule.ports {
        rules::meta(writer, PROTOCOL, REGISTER);
        let number = match protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        };
        rules::compare(writer, EQUAL, &[number]);
        // The destination port of all three.
        rules::payload(writer, TRANSPORT, 2, 2);
        if low == high {
            rules::compare(writer, EQUAL, &low.to_be_bytes());
        } else {
            rules::compare(writer, rules::AT_LEAST, &low.to_be_bytes());
            rules::compare(writer, rules::AT_MOST, &high.to_be_bytes());
        }
    }
    if let Some(link) = rule.link {
        let mut name = [0; 16];
        for (place, byte) in name.iter_mut().zip(link.as_str().bytes()) {
            *place = byte;
        }
        // NFT_META_OIFNAME
        rules::meta(writer, 7, REGISTER);
        rules::compare(writer, EQUAL, &name);
    }
    rules::expression(writer, "counter", |_| {});
    match rule.act {
        Act::Mark(number) => {
            rules::expression(writer, "immediate", |writer| {
                be32(writer, 1, REGISTER);
                writer.nested(2, |writer| writer.bytes(VALUE, &number.to_ne_bytes()));
            });
            rules::expression(writer, "meta", |writer| {
                // NFTA_META_KEY with NFT_META_MARK, NFTA_META_SREG
                be32(writer, 2, 3);
                be32(writer, 3, REGISTER);
            });
        }
        Act::Masquerade => rules::expression(writer, "masq", |_| {}),
        Act::Redirect => rules::expression(writer, "redir", |_| {}),
    }
}

/// The address at this place of the header is of the network.
fn network(writer: &mut Writer<'_>, offset: u32, (address, prefix): (&[u8], u8)) {
    if prefix == 0 {
        return;
    }
    let len = u32::try_from(address.len()).unwrap_or(0);
    rules::payload(writer, NETWORK, offset, len);
    if u32::from(prefix) < len * 8 {
        let mask = u128::MAX << (128 - u32::from(prefix));
        rules::expression(writer, "bitwise", |writer| {
            for (attribute, value) in [(1, REGISTER), (2, REGISTER), (3, len)] {
                be32(writer, attribute, value);
            }
            let (mask, zero) = (mask.to_be_bytes(), [0; 16]);
            for (attribute, bits) in [(4, &mask), (5, &zero)] {
                let bits = bits.get(..address.len()).unwrap_or(&[]);
                writer.nested(attribute, |writer| writer.bytes(VALUE, bits));
            }
        });
    }
    rules::compare(writer, EQUAL, address);
}

const _: () = assert!(LIST_ITEM == 1, "expressions are items of a list");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::netlink::messages;

    fn longest(act: Act) -> FirewallRule {
        FirewallRule {
            act,
            network: "2001:db8::".parse().unwrap(),
            prefix: 65,
            ports: Some((Protocol::Tcp, 1, 2)),
            link: LinkName::new("ethernet0123456"),
        }
    }

    #[test]
    fn the_largest_transaction_fits_and_is_one_batch_with_one_acknowledgement_at_its_end() {
        for act in [Act::Mark(1), Act::Masquerade, Act::Redirect] {
            let all = [longest(act); MAX_FIREWALL_RULES];
            let mut buffer = vec![0; 48 << 10];
            let mut writer = Writer::new(&mut buffer);
            build(all[0].part(), &all, &mut writer, 7).unwrap();
            let bytes = writer.as_bytes().to_vec();
            assert!(bytes.len() <= 48 << 10, "{act:?}: {}", bytes.len());
            let found: Vec<_> = messages(&bytes).map(Result::unwrap).collect();
            let asking: Vec<usize> = (0..found.len()).filter(|n| found[*n].flags & NLM_F_ACK != 0).collect();
            assert_eq!(asking, [found.len() - 2], "{act:?}");
        }
    }

    #[test]
    fn a_rule_is_shown_as_it_is_written() {
        let rule = FirewallRule { prefix: 64, ports: None, ..longest(Act::Masquerade) };
        assert_eq!(rule.to_string(), "masquerade from 2001:db8::/64 out ethernet0123456");
        let rule = FirewallRule {
            act: Act::Mark(7),
            network: "192.0.2.1".parse().unwrap(),
            prefix: 32,
            ports: Some((Protocol::Udp, 5, 9)),
            link: None,
        };
        assert_eq!(rule.to_string(), "mark 7 to 192.0.2.1 udp 5-9");
    }

    /// The kernel shows a rule with the attributes that it was written with, and fills in the counter.
    fn seen(rules: &[FirewallRule]) -> PartSeen {
        let mut buffer = vec![0; 48 << 10];
        let mut writer = Writer::new(&mut buffer);
        build(Part::Mark, rules, &mut writer, 7).unwrap();
        let bytes = writer.as_bytes().to_vec();
        let mut seen = PartSeen::default();
        for message in messages(&bytes).map(Result::unwrap).filter(|one| one.kind & 0xff == NEW_RULE) {
            let crate::wire::netlink::Content::Data(payload) = message.content else { panic!() };
            seen.take(Part::Mark, payload).unwrap();
        }
        seen
    }

    #[test]
    fn another_rule_is_another_table_and_each_has_a_counter() {
        let rule = longest(Act::Mark(1));
        let one = seen(&[rule]);
        assert_eq!(one.counters.len(), 1);
        assert_eq!(one, seen(&[rule]));
        for other in [
            FirewallRule { prefix: 64, ..rule },
            FirewallRule { act: Act::Mark(2), ..rule },
            FirewallRule { link: None, ..rule },
            FirewallRule { ports: Some((Protocol::Udp, 1, 2)), ..rule },
        ] {
            assert_ne!(seen(&[other]).digest, one.digest, "{other}");
        }
        assert_eq!(PartSeen::default().take(Part::Mark, &[0; 3]), Err(Malformed::Truncated));
    }
}
