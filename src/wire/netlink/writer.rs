//! Messages into a fixed buffer: whole ones only.
//!
//! Fields and attributes are appended without a check after each; [`Writer::finish`] says whether all of them fitted,
//! and takes the message back if not, so that what is in the buffer can be sent at any time.

use super::{HEADER_LEN, NLA_F_NESTED, NLM_F_ACK, aligned, array};

/// Length and kind of an attribute (`struct nlattr`).
const HEAD_LEN: usize = 4;

/// A message did not fit and was taken back. With messages before it in the buffer: send those, and try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Writes netlink messages one behind the other, for one `sendmsg`.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    /// End of the complete messages.
    complete: usize,
    /// End of what is written of the message begun.
    len: usize,
    messages: usize,
    overflow: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the beginning of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, complete: 0, len: 0, messages: 0, overflow: false }
    }

    /// The complete messages.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.complete).unwrap_or(&[])
    }

    /// How many complete messages there are.
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// Forgets everything, after it was sent.
    pub fn clear(&mut self) {
        self.complete = 0;
        self.len = 0;
        self.messages = 0;
        self.overflow = false;
    }

    /// Begins a message with `nlmsg_type`, `NLM_F_*` and a sequence number. One that was begun and not finished is
    /// taken back.
    pub fn begin(&mut self, kind: u16, flags: u16, seq: u32) {
        self.len = self.complete;
        self.overflow = false;
        let ([k0, k1], [f0, f1], [s0, s1, s2, s3]) =
            (kind.to_ne_bytes(), flags.to_ne_bytes(), seq.to_ne_bytes());
        // The length is known at the end; the port is the kernel's to fill in.
        self.put(&[0, 0, 0, 0, k0, k1, f0, f1, s0, s1, s2, s3, 0, 0, 0, 0]);
    }

    /// Ends the message.
    pub fn finish(&mut self) -> Result<(), Full> {
        let length = self.len - self.complete;
        match u32::try_from(length) {
            Ok(bytes) if length >= HEADER_LEN => self.patch(self.complete, &bytes.to_ne_bytes()),
            _ => self.overflow = true,
        }
        if self.overflow {
            self.len = self.complete;
            return Err(Full);
        }
        self.complete = self.len;
        self.messages += 1;
        Ok(())
    }

    /// Asks for an acknowledgement of the last message only. The kernel works on the messages in order and answers
    /// every failure unasked, so it says of all of them what became of them.
    pub fn acknowledge_last(&mut self) {
        let (mut at, complete) = (0, self.complete);
        while let Some(head) = self.buffer.get_mut(at..complete) {
            let length = array(head, 0).map_or(0, u32::from_ne_bytes);
            at += usize::try_from(length).map_or(complete, aligned).max(HEADER_LEN);
            if at >= complete {
                break;
            }
            let flags = array(head, 6).map_or(0, u16::from_ne_bytes) & !NLM_F_ACK;
            if let Some(place) = head.get_mut(6..8) {
                place.copy_from_slice(&flags.to_ne_bytes());
            }
        }
    }

    /// A family's fixed header, or any bytes between header and attributes; padded to four.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.put(bytes);
        self.pad();
    }

    /// An attribute of any bytes. (In one piece: a request has a dozen of them, a reload thousands of requests.)
    #[inline(never)]
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        let end = self.len + aligned(HEAD_LEN + value.len());
        let room = self.buffer.get_mut(self.len..end).filter(|_| !self.overflow);
        if let (Some([l0, l1, k0, k1, rest @ ..]), Ok(length)) = (room, u16::try_from(HEAD_LEN + value.len()))
            && let Some((place, padding)) = rest.split_at_mut_checked(value.len())
        {
            ([*l0, *l1], [*k0, *k1]) = (length.to_ne_bytes(), kind.to_ne_bytes());
            place.copy_from_slice(value);
            padding.fill(0);
            self.len = end;
        } else {
            self.overflow = true;
        }
    }

    /// A byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    /// A number in the host's order.
    pub fn u16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// A number in network order.
    pub fn be16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A number in the host's order.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// A string with its NUL.
    pub fn str(&mut self, kind: u16, value: &str) {
        self.attribute(kind, |writer| {
            writer.put(value.as_bytes());
            writer.put(&[0]);
        });
    }

    /// An attribute of attributes: those that `fill` writes.
    pub fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        self.attribute(kind | NLA_F_NESTED, fill);
    }

    /// What `fill` writes behind its own length in two bytes (`struct rtnexthop`).
    pub fn counted(&mut self, fill: impl FnOnce(&mut Self)) {
        let start = self.len;
        self.put(&[0; 2]);
        fill(self);
        self.close(start);
    }

    fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.open(kind);
        fill(self);
        self.close(start);
    }

    /// The head of an attribute, whose length is not known yet; says where it begins.
    fn open(&mut self, kind: u16) -> usize {
        let start = self.len;
        self.put(&[0; 2]);
        self.put(&kind.to_ne_bytes());
        start
    }

    /// What began at `start` is complete: its length goes to its first two bytes. (Once for all attributes: inlined,
    /// each is a hundred bytes.)
    #[inline(never)]
    fn close(&mut self, start: usize) {
        match u16::try_from(self.len - start) {
            Ok(length) => self.patch(start, &length.to_ne_bytes()),
            Err(_) => self.overflow = true,
        }
        self.pad();
    }

    fn pad(&mut self) {
        let padding = aligned(self.len) - self.len;
        self.put([0; 3].get(..padding).unwrap_or(&[]));
    }

    /// Whole or not at all, and nothing behind a gap.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end).filter(|_| !self.overflow) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.overflow = true,
        }
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        match self.buffer.get_mut(at..at.saturating_add(bytes.len())) {
            Some(room) if !self.overflow => room.copy_from_slice(bytes),
            _ => self.overflow = true,
        }
    }
}
