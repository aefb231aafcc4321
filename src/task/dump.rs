//! What commands read from the kernel for the occasion: a socket of their own and one question at a time.
//!
//! Who asks owns the [`Dump`], which is freed with the answer and the socket with it; nothing is queued but what the
//! kernel holds for this socket, and it makes the next datagram of a table only when one was read. A datagram is
//! handed over message by message and may be left half-way when the piece of the answer is full, so that memory is
//! one datagram, however large the table. Every way in which messages may be lost is an error.

use super::shell::Shell;
use crate::console::Buf;
use crate::kernel::error;
use crate::kernel::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::wire::netlink::{Content, Full, Writer, messages};

/// Bytes of one datagram of a dump at most (`NLMSG_GOODSIZE` and the cap of `netlink_dump`).
const DATAGRAM: usize = 32 << 10;
/// Bytes of the largest request.
const REQUEST: usize = 256;

/// Nothing to read although an answer is due.
const EAGAIN: u16 = 11;
/// What the kernel sends cannot be read.
pub(super) const EPROTO: u16 = 71;
/// Messages were lost.
const ENOBUFS: u16 = 105;

/// A command that reads the kernel's tables: does a little of its work at a time.
pub(super) trait Job {
    /// Does one step and may append rows to `out`, which is empty. A status when it is over.
    fn step(&mut self, shell: &Shell, out: &mut Buf) -> Option<u8>;
}

/// Takes the type and the payload of a message. False: it found no room and wants it again.
pub(super) type Take<'a> = &'a mut dyn FnMut(u16, &[u8]) -> bool;

/// A socket, the question that was asked last, and the datagram that is being read.
pub(super) struct Dump {
    socket: NetlinkSocket,
    /// Sequence number of the last request; answers to an earlier one are passed over.
    seq: u32,
    buffer: Box<[u8]>,
    /// Bytes of the datagram that is being read, 0 if there is none.
    length: usize,
    /// Messages of it that were handed over.
    taken: usize,
    interrupted: bool,
}

impl Dump {
    /// A socket that was asked nothing yet.
    pub(super) fn open(protocol: Protocol) -> Result<Self, u16> {
        let socket = NetlinkSocket::open(protocol, 0).map_err(|error| error.number())?;
        let buffer = vec![0; DATAGRAM].into_boxed_slice();
        Ok(Self { socket, seq: 0, buffer, length: 0, taken: 0, interrupted: false })
    }

    /// Asks what `emit` writes with the sequence number that it is given.
    pub(super) fn ask(&mut self, emit: &dyn Fn(&mut Writer<'_>, u32) -> Result<(), Full>) -> Result<(), u16> {
        let mut bytes = [0; REQUEST];
        let mut writer = Writer::new(&mut bytes);
        self.seq += 1;
        (self.length, self.interrupted) = (0, false);
        emit(&mut writer, self.seq).map_err(|Full| ENOBUFS)?;
        self.socket.send(writer.as_bytes()).map_err(error::number)
    }

    /// True if the table changed while it was read: what was not handed over may exist.
    pub(super) const fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Hands over the messages of one datagram, or what is left of it. True at the end of a dump or of an answer.
    pub(super) fn read(&mut self, take: Take<'_>) -> Result<bool, u16> {
        if self.length == 0 {
            self.taken = 0;
            self.length = match self.socket.receive(&mut self.buffer).map_err(error::number)? {
                Incoming::Datagram(length) => length,
                Incoming::Stranger => return Ok(false),
                // The kernel answers inside our calls: nothing there means nothing to come.
                Incoming::Empty => return Err(EAGAIN),
                Incoming::Cut | Incoming::Overrun => return Err(ENOBUFS),
            };
        }
        for message in messages(self.buffer.get(..self.length).unwrap_or(&[])).skip(self.taken) {
            let message = message.map_err(|_| EPROTO)?;
            if message.seq == self.seq {
                self.interrupted |= message.is_interrupted();
                match message.content {
                    Content::Data(payload) if !take(message.kind, payload) => return Ok(false),
                    Content::Data(_) | Content::Noop => {}
                    Content::Acknowledgement { errno: 0 } | Content::Done { errno: 0 } => return Ok(true),
                    Content::Acknowledgement { errno } | Content::Done { errno } => return Err(errno),
                    Content::Overrun => return Err(ENOBUFS),
                }
            }
            self.taken += 1;
        }
        self.length = 0;
        Ok(false)
    }
}
