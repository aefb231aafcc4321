//! netlink framing (`linux/netlink.h`): messages and attributes, read without trusting any length, written into a
//! fixed buffer ([`Writer`]).
//!
//! All numbers are in the host's order unless an attribute says otherwise, and nothing in a datagram is aligned well
//! enough to be read in place. The sequence number belongs to the caller: an acknowledgement carries it back.

mod writer;

pub use writer::{Full, Writer};

use super::bytes::array;

/// Bytes of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;

/// This is a request.
pub const NLM_F_REQUEST: u16 = 0x1;
/// Answer with an acknowledgement, even on success.
pub const NLM_F_ACK: u16 = 0x4;
/// The table changed while it was dumped: what the dump does not show may exist.
pub const NLM_F_DUMP_INTR: u16 = 0x10;
/// `NLM_F_ROOT | NLM_F_MATCH`: all of a table.
pub const NLM_F_DUMP: u16 = 0x300;
/// Put it in the place of what exists.
pub const NLM_F_REPLACE: u16 = 0x100;
/// Do not touch it if it exists.
pub const NLM_F_EXCL: u16 = 0x200;
/// Create it if it does not exist.
pub const NLM_F_CREATE: u16 = 0x400;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;

/// The attribute holds attributes.
const NLA_F_NESTED: u16 = 0x8000;
/// Without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const NLA_TYPE_MASK: u16 = 0x3fff;

const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// What the kernel said cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// A length does not fit.
    Truncated,
    /// An attribute that is always there is not.
    Missing,
    /// A value that this program has no name for.
    Unknown,
}

/// One message of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// `nlmsg_type`: below 16 control, else the family's or subsystem's own.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// The sequence number of the request that this answers, 0 for a notification.
    pub seq: u32,
    /// Who the answer is for, or who caused the notification.
    pub port: u32,
    /// What it says.
    pub content: Content<'a>,
}

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content<'a> {
    /// Nothing.
    Noop,
    /// `NLMSG_ERROR`: the answer to a request.
    Acknowledgement {
        /// 0 for success, else the error number (positive).
        errno: u16,
    },
    /// `NLMSG_DONE`: the end of a dump.
    Done {
        /// 0, or the error number (positive) that ended the dump early.
        errno: u16,
    },
    /// `NLMSG_OVERRUN`: data was lost.
    Overrun,
    /// Anything else: the payload behind the header.
    Data(&'a [u8]),
}

impl Message<'_> {
    /// Whether the table changed while it was dumped.
    pub const fn is_interrupted(&self) -> bool {
        self.flags & NLM_F_DUMP_INTR != 0
    }
}

/// The messages of one datagram. A message that cannot be read is an error and the last item: where the next one
/// would begin is unknown.
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages { rest: datagram }
}

/// See [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    fn read(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(u32::from_ne_bytes(array(self.rest, 0)?)).ok()?;
        let kind = u16::from_ne_bytes(array(self.rest, 4)?);
        let flags = u16::from_ne_bytes(array(self.rest, 6)?);
        let seq = u32::from_ne_bytes(array(self.rest, 8)?);
        let port = u32::from_ne_bytes(array(self.rest, 12)?);
        let payload = self.rest.get(HEADER_LEN..length)?;
        let content = match kind {
            NLMSG_NOOP => Content::Noop,
            NLMSG_ERROR => Content::Acknowledgement { errno: errno(array(payload, 0)?) },
            // Some families end a dump without a value.
            NLMSG_DONE => Content::Done { errno: array(payload, 0).map_or(0, errno) },
            NLMSG_OVERRUN => Content::Overrun,
            _ => Content::Data(payload),
        };
        // The last message of a datagram need not be padded.
        self.rest = self.rest.get(aligned(length)..).unwrap_or(&[]);
        Some(Message { kind, flags, seq, port, content })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.read();
        if message.is_none() {
            self.rest = &[];
        }
        Some(message.ok_or(Malformed::Truncated))
    }
}

/// The kernel says errors as negative numbers.
fn errno(bytes: [u8; 4]) -> u16 {
    u16::try_from(i32::from_ne_bytes(bytes).unsigned_abs()).unwrap_or(u16::MAX)
}

/// One attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Type without flags.
    pub kind: u16,
    /// Value without padding.
    pub value: &'a [u8],
}

/// A list of attributes, to iterate or to look up by type. It ends where a length does not fit.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, which is what follows a message's fixed header, or the value of a nest.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All of them in order.
    pub fn iter(self) -> impl Iterator<Item = Attribute<'a>> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let length = usize::from(u16::from_ne_bytes(array(rest, 0)?));
            let kind = u16::from_ne_bytes(array(rest, 2)?) & NLA_TYPE_MASK;
            let value = rest.get(4..length)?;
            rest = rest.get(aligned(length)..).unwrap_or(&[]);
            Some(Attribute { kind, value })
        })
    }

    /// The value of the first attribute of a type.
    pub fn bytes(self, kind: u16) -> Option<&'a [u8]> {
        self.iter().find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// The attributes inside an attribute.
    pub fn nest(self, kind: u16) -> Option<Self> {
        self.bytes(kind).map(Self)
    }

    /// A byte.
    pub fn u8(self, kind: u16) -> Option<u8> {
        self.bytes(kind)?.first().copied()
    }

    /// A number in the host's order.
    pub fn u16(self, kind: u16) -> Option<u16> {
        Some(u16::from_ne_bytes(array(self.bytes(kind)?, 0)?))
    }

    /// A number in network order.
    pub fn be16(self, kind: u16) -> Option<u16> {
        Some(u16::from_be_bytes(array(self.bytes(kind)?, 0)?))
    }

    /// A number in the host's order.
    pub fn u32(self, kind: u16) -> Option<u32> {
        Some(u32::from_ne_bytes(array(self.bytes(kind)?, 0)?))
    }

    /// A string, up to its NUL or to the end; `None` if it is not UTF-8.
    pub fn str(self, kind: u16) -> Option<&'a str> {
        core::str::from_utf8(self.bytes(kind)?.split(|byte| *byte == 0).next()?).ok()
    }
}

#[cfg(test)]
pub(in crate::wire) mod tests;
