//! Checkers: one file each with its keywords, its dialogue as a state machine over plaintext, and its tests.
//!
//! A dialogue never touches a socket or a clock. The slot that runs it (`task/slots.rs`) connects, hands over what
//! arrives, sends what it is told to, and enforces the deadline. Adding a checker is a file here, a variant of
//! [`Checker`] and a row in its tables.

#![deny(clippy::indexing_slicing)]

mod dialogue;
pub mod http_get;
pub mod keywords;
pub mod tcp_check;

use core::fmt;

pub use dialogue::Dialogue;

use crate::time::Duration;
use crate::wire::errno;

/// What is checked, with the checker's own parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Checker {
    /// `TCP_CHECK`: the connection is accepted.
    Tcp,
    /// `HTTP_GET`: every url answers with an expected status.
    Http(http_get::HttpGet),
}

impl Checker {
    /// The name in logs and on screen.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "TCP_CHECK",
            Self::Http(_) => "HTTP_CHECK",
        }
    }

    /// Dialogues that make one full pass: one per url. A target that is down needs a success and then a full pass
    /// (HTTP_GET), or one success (TCP_CHECK).
    pub fn steps(&self) -> usize {
        match self {
            Self::Tcp => 1,
            Self::Http(http) => http.urls.len().max(1),
        }
    }

    /// The bound on a whole dialogue: the time to connect, and the same again for the reply.
    /// keepalived restarts its timeout at every read, so that a reply in drips never ends.
    pub fn deadline(&self, connect_timeout: Duration) -> Duration {
        match self {
            Self::Tcp => connect_timeout,
            Self::Http(_) => connect_timeout.times(2),
        }
    }
}

/// How a dialogue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should; with the HTTP status or 0.
    Pass {
        /// HTTP status, 0 for a checker without one.
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
}

/// What a dialogue wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
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
        }
    }
}

/// The result of a check for logs and for the console.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass { status: 0 } => f.write_str("success"),
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
