//! Checkers: one file each with its keywords, its dialogue as a state machine over plaintext, and its tests.
//!
//! A dialogue never touches a socket or a clock. The slot that runs it (`task/probe.rs`) opens the socket that the
//! checker's [`Form`] asks for, hands over what arrives, sends what it is told to, and enforces the deadline. Adding a
//! checker is a file here and a row in `registry.rs`; [`tcp_check`] is the shortest one, [`ping_check`] the shortest
//! that sends something.

#![deny(clippy::indexing_slicing)]

pub mod dns_check;
mod evidence;
mod form;
pub mod http_get;
pub mod keywords;
pub mod pattern;
pub mod ping_check;
mod registry;
pub mod send_expect;
pub mod smtp_check;
#[cfg(feature = "tls")]
pub mod ssl_get;
pub mod tcp_check;
pub mod text;
#[cfg(feature = "tls")]
pub mod tls;
pub mod udp_check;

use core::fmt;

pub use evidence::Evidence;
pub use form::{Check, Form, Recheck, Talk, Transport};
pub use registry::{Checker, Dialogue, FORMS};

use crate::time::Duration;
use crate::wire::errno;

impl Checker {
    /// What every check of this kind has in common.
    pub fn form(&self) -> &'static Form {
        self.get().form()
    }

    /// Its own keywords with their values, as they would be written.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        self.get().lines()
    }

    /// The urls that it asks for.
    pub fn urls(&self) -> &[http_get::Url] {
        self.get().urls()
    }

    /// The name in logs and on screen.
    pub fn name(&self) -> &'static str {
        self.form().name
    }

    /// Dialogues that make one full pass: one per url of an HTTP_GET.
    pub fn steps(&self) -> usize {
        self.get().steps().max(1)
    }

    /// Successes in a row that make a target that is down come up again.
    pub fn recovery(&self) -> usize {
        self.get().recovery().max(1)
    }

    /// The bound on a whole dialogue. On a connection: the time to connect, and the same again for the reply if one
    /// is waited for. keepalived restarts its timeout at every read, so that a reply in drips never ends.
    pub fn deadline(&self, connect_timeout: Duration) -> Duration {
        match self.form().transport {
            Transport::Stream { reply: true } => connect_timeout.times(2),
            Transport::Stream { reply: false } | Transport::Datagram | Transport::Echo => connect_timeout,
        }
    }
}

/// The status of a pass that asked for a connection only.
pub const CONNECTED: u16 = 0;
/// The status of a pass with a good answer.
pub const ANSWERED: u16 = 1;
/// The status of a pass where no answer was asked for and no error came back.
pub const SILENT: u16 = 2;

/// How a dialogue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should; with the HTTP status, or what else there is to say.
    Pass {
        /// HTTP status, or [`CONNECTED`], [`ANSWERED`] or [`SILENT`] of a checker without one.
        status: u16,
    },
    /// The server's fault.
    Fail(Failure),
    /// Our own fault (no descriptor, no port, no buffer): says nothing about the server.
    Local {
        /// The kernel's error number.
        errno: u16,
    },
}

/// Why a server failed its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection within `connect_timeout`.
    ConnectTimeout,
    /// Connection refused, no route, reset: the error number.
    Connect {
        /// The kernel's error number.
        errno: u16,
    },
    /// Connected, but the dialogue was not complete at its deadline.
    Deadline,
    /// The server closed the connection before the reply was complete.
    Closed,
    /// The connection broke during the dialogue.
    Broken {
        /// The kernel's error number.
        errno: u16,
    },
    /// The reply is not of the protocol.
    Garbage,
    /// The head of the reply exceeds its limit.
    TooLong,
    /// An unexpected HTTP status.
    Status(u16),
    /// A reply code of SMTP that is not the expected one (RFC 5321 section 4.2).
    ReplyCode(u16),
    /// A response code of DNS that is not 0 (RFC 1035 section 4.1.1).
    ResponseCode(u8),
    /// The MD5 of the body is not the configured one.
    Digest,
    /// The reply is not the expected one.
    Mismatch,
    /// The body does not match the pattern.
    Unmatched,
    /// The body matches a pattern that it must not match.
    Matched,
    /// There is no TLS connection with the server.
    #[cfg(feature = "tls")]
    Tls(tls::TlsFault),
}

/// What a dialogue wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// To send what it writes now ([`Talk::request`]).
    Send,
    /// More bytes, or the end of the stream.
    NeedMore,
    /// It is over.
    Done(Verdict),
}

/// A short reason for logs and for the console.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectTimeout => f.write_str("no connection within the timeout"),
            Self::Connect { errno } => write!(f, "{}", errno::Text(*errno)),
            Self::Deadline => f.write_str("no complete reply within the deadline"),
            Self::Closed => f.write_str("connection closed before the reply was complete"),
            Self::Broken { errno } => write!(f, "connection broken: {}", errno::Text(*errno)),
            Self::Garbage => f.write_str("reply not understood"),
            Self::TooLong => f.write_str("reply too long"),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::ReplyCode(code) => write!(f, "reply {code}"),
            Self::ResponseCode(code) => write!(f, "response code {code}"),
            Self::Digest => f.write_str("the digest of the body differs"),
            Self::Mismatch => f.write_str("the reply is not the expected one"),
            Self::Unmatched => f.write_str("the body does not match the regex"),
            Self::Matched => f.write_str("the body matches the regex"),
            #[cfg(feature = "tls")]
            Self::Tls(fault) => fault.fmt(f),
        }
    }
}

/// The result of a check for logs and for the console.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass { status: CONNECTED | ANSWERED | SILENT } => f.write_str("success"),
            Self::Pass { status } => write!(f, "HTTP status {status}"),
            Self::Fail(failure) => failure.fmt(f),
            Self::Local { errno } => write!(f, "not checked: {}", errno::Text(*errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_short_and_in_words() {
        assert_eq!(Failure::Connect { errno: 111 }.to_string(), "connection refused");
        assert_eq!(Failure::Broken { errno: 104 }.to_string(), "connection broken: connection reset");
        assert_eq!(Failure::ConnectTimeout.to_string(), "no connection within the timeout");
        assert_eq!(Verdict::Fail(Failure::Status(503)).to_string(), "HTTP status 503");
        assert_eq!(Verdict::Local { errno: 24 }.to_string(), "not checked: too many open files");
        assert_eq!(Verdict::Pass { status: 0 }.to_string(), "success");
    }
}
