//! One TLS session over a socket that never blocks: ciphertext to and from the socket, plaintext to and from the
//! caller. RFC 8446 and RFC 5246 are rustls'; which bytes it is given, and when, is decided here.
//!
//! It is fed record by record, so that a step is the work of one record, and no byte is read that is not handed over at
//! once: nothing has to be kept between two reads, and rustls, which holds one record of full length, has room for it.
//! A server that ends the connection without `close_notify` has ended its reply, as for keepalived; whether the reply
//! is complete is the dialogue's to judge.

use std::io::{self, Read as _, Write as _};

use rustix::io::Errno;
use rustls::{CertificateError, ClientConnection, Error, PeerIncompatible};

use crate::check::tls::TlsFault;
use crate::limits::MAX_TLS_HANDSHAKE;

/// Bytes of a record's header (RFC 8446 section 5.1).
const HEADER: usize = 5;
/// Longest record: 2^14 bytes and what TLS 1.2 may add (RFC 5246 section 6.2.3).
const LONGEST: usize = (1 << 14) + 2_048;

/// A socket that does not block.
pub trait Io {
    /// Reads what is there; 0 at the end.
    ///
    /// # Errors
    /// `WOULDBLOCK` without bytes: the caller has seen to it that it is woken.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes what the kernel takes.
    ///
    /// # Errors
    /// `WOULDBLOCK` if it takes nothing, likewise.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
}

/// Why a session does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The socket's error; `WOULDBLOCK` for one that will go on.
    Socket(Errno),
    /// There is no TLS with this server.
    Fault(TlsFault),
    /// Bytes came and none of them are the reply's; there may be more, and others are to have their turn.
    Busy,
}

/// What a session needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// More of the server's bytes.
    Bytes,
    /// [`Session::step`]: a whole record of the handshake is there.
    Step,
    /// Nothing: its handshake is over.
    Nothing,
}

/// A session.
pub struct Session {
    connection: Box<ClientConnection>,
    header: [u8; HEADER],
    /// Bytes of the header that were read.
    seen: usize,
    /// Bytes of the record that are still to come.
    left: usize,
    /// Bytes of the server's handshake.
    total: usize,
    /// A record is whole and not looked at.
    whole: bool,
    ended: bool,
}

impl Session {
    pub(super) fn new(connection: ClientConnection) -> Self {
        let connection = Box::new(connection);
        Self { connection, header: [0; HEADER], seen: 0, left: 0, total: 0, whole: false, ended: false }
    }

    /// Sends what is to be sent and reads a piece of the handshake, `buffer` being of use meanwhile.
    ///
    /// # Errors
    /// The socket's, and what is wrong with the server.
    pub fn shake(&mut self, io: &mut dyn Io, buffer: &mut [u8]) -> Result<Need, Stop> {
        self.flush(io)?;
        if !self.connection.is_handshaking() {
            return Ok(Need::Nothing);
        }
        if self.whole {
            return Ok(Need::Step);
        }
        let piece = self.receive(io, buffer)?;
        if piece.is_empty() {
            return Err(Stop::Fault(TlsFault::Closed));
        }
        self.total += piece.len();
        if self.total > MAX_TLS_HANDSHAKE {
            return Err(Stop::Fault(TlsFault::TooLong));
        }
        self.follow(piece)?;
        self.feed(piece)?;
        Ok(if self.whole { Need::Step } else { Need::Bytes })
    }

    /// Reads what is left of a record, or of its header; nothing at the end of the connection.
    fn receive<'a>(&self, io: &mut dyn Io, buffer: &'a mut [u8]) -> Result<&'a [u8], Stop> {
        let room = if self.seen < HEADER { HEADER - self.seen } else { self.left };
        let room = room.min(buffer.len());
        let read = io.read(buffer.get_mut(..room).unwrap_or_default()).map_err(Stop::Socket)?;
        Ok(buffer.get(..read).unwrap_or_default())
    }

    /// Follows the records, so that no more than one is read at once.
    fn follow(&mut self, piece: &[u8]) -> Result<(), Stop> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.seen == HEADER {
            self.left = self.left.saturating_sub(piece.len());
        } else {
            let place = self.header.get_mut(self.seen..self.seen + piece.len()).unwrap_or_default();
            place.copy_from_slice(piece);
            self.seen += piece.len();
            let [kind, major, _, high, low] = self.header;
            // Change cipher spec, alert, handshake, application data; the version is 3.x in all of TLS.
            if !(20..=23).contains(&kind) || (self.seen > 1 && major != 3) {
                return Err(Stop::Fault(TlsFault::NotTls));
            }
            self.left = usize::from(u16::from_be_bytes([high, low]));
            if self.seen < HEADER {
                return Ok(());
            }
            if self.left > LONGEST {
                return Err(Stop::Fault(TlsFault::Garbled));
            }
        }
        if self.left == 0 {
            (self.seen, self.whole) = (0, true);
        }
        Ok(())
    }

    fn feed(&mut self, mut piece: &[u8]) -> Result<(), Stop> {
        while !piece.is_empty() {
            // It takes a few thousand bytes at once; none only if its buffers are full, which one record never fills.
            if !matches!(self.connection.read_tls(&mut piece), Ok(1..)) {
                return Err(Stop::Fault(TlsFault::TooLong));
            }
        }
        Ok(())
    }

    /// Does the work of one record of the handshake: up to an exchange of keys and the check of a chain of
    /// certificates.
    ///
    /// # Errors
    /// What is wrong with the server. An alert that says so is tried to be sent.
    pub fn step(&mut self, io: &mut dyn Io) -> Result<(), Stop> {
        self.whole = false;
        self.digest(io)
    }

    fn digest(&mut self, io: &mut dyn Io) -> Result<(), Stop> {
        match self.connection.process_new_packets() {
            Ok(_) => Ok(()),
            Err(error) => {
                // The alert is a courtesy.
                let _ = self.flush(io);
                Err(Stop::Fault(fault(&error)))
            }
        }
    }

    /// Takes plaintext; it is sent by the calls that follow.
    ///
    /// # Errors
    /// It is more than a session holds, which no request is.
    pub fn say(&mut self, plain: &[u8]) -> Result<(), Stop> {
        self.connection.writer().write_all(plain).map_err(|_| Stop::Fault(TlsFault::Own))
    }

    /// Reads plaintext after the handshake, sending first what is to be sent; 0 at the end of the connection.
    ///
    /// # Errors
    /// The socket's, and what is wrong with the server. [`Stop::Busy`] behind a record without plaintext, as tickets
    /// are (RFC 8446 section 4.6.1): nobody else has a turn while this runs, and a server may send many.
    pub fn read(&mut self, io: &mut dyn Io, buffer: &mut [u8]) -> Result<usize, Stop> {
        let mut idle = false;
        loop {
            match self.flush(io) {
                // The reply may be complete for all that the server does not read.
                Ok(()) | Err(Stop::Socket(Errno::WOULDBLOCK | Errno::PIPE | Errno::CONNRESET)) => {}
                Err(stop) => return Err(stop),
            }
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(length) => return Ok(length),
                Err(_) => return Ok(0),
            }
            if self.ended {
                return Ok(0);
            }
            if idle {
                return Err(Stop::Busy);
            }
            let piece = self.receive(io, buffer)?;
            self.ended = piece.is_empty();
            self.follow(piece)?;
            self.feed(piece)?;
            idle = core::mem::take(&mut self.whole);
            if idle {
                self.digest(io)?;
            }
        }
    }

    /// True if nothing is to be sent any more.
    pub fn has_sent(&self) -> bool {
        !self.connection.wants_write()
    }

    fn flush(&mut self, io: &mut dyn Io) -> Result<(), Stop> {
        let mut out = Out { io, error: Errno::IO };
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut out).is_err() {
                return Err(Stop::Socket(out.error));
            }
        }
        Ok(())
    }
}

/// What rustls writes to. The error is kept beside, as `io::Error` would have to be made and taken apart.
struct Out<'a> {
    io: &'a mut dyn Io,
    error: Errno,
}

impl io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io.write(bytes).map_err(|errno| {
            self.error = errno;
            io::Error::from(if errno == Errno::INTR {
                io::ErrorKind::Interrupted
            } else {
                io::ErrorKind::WouldBlock
            })
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an error of rustls means for an operator.
#[expect(clippy::wildcard_enum_match_arm, reason = "both lists are open, and the rest means the same here")]
fn fault(error: &Error) -> TlsFault {
    match error {
        Error::AlertReceived(alert) => TlsFault::Alert(u8::from(*alert)),
        Error::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(_)) => TlsFault::Garbled,
        Error::PeerIncompatible(_) => TlsFault::Incompatible,
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYet,
            CertificateError::UnknownIssuer => TlsFault::Issuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::Name
            }
            CertificateError::BadSignature => TlsFault::Signature,
            _ => TlsFault::Certificate,
        },
        Error::NoCertificatesPresented => TlsFault::Certificate,
        Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime | Error::EncryptError => TlsFault::Own,
        _ => TlsFault::Garbled,
    }
}
