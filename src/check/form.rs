//! What a checker is made of: a [`Form`] of facts, its parameters ([`Check`]), and one run of it ([`Talk`]).
//!
//! The order of a run is: the slot opens the socket that [`Form::transport`] names and connects it, asks
//! [`Talk::start`], sends [`Talk::request`] whenever it is told [`Progress::Send`], hands what arrives to
//! [`Talk::feed`], and tells of the end by [`Talk::end`] or [`Talk::expire`]. Errors of the socket and the deadline
//! belong to the slot.

use core::net::SocketAddr;

use super::http_get::Url;
use super::keywords::Draft;
use super::registry::{Checker, Dialogue};
use super::{Evidence, Failure, Progress, Verdict};
use crate::syntax::{Context, Table};
use crate::time::Duration;

/// How a checker talks to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A TCP connection.
    Stream {
        /// A reply is waited for, for as long again as for the connection.
        reply: bool,
    },
    /// A connected UDP socket: an ICMP error comes back as an error of the socket. What arrives is one datagram a
    /// piece.
    Datagram,
    /// A raw ICMP or ICMPv6 socket that hears its target only; packets of IPv4 have their header in front.
    Echo,
}

/// When a target that is down is checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recheck {
    /// After `delay_loop`.
    Interval,
    /// After the longer of `delay_loop` and `delay_before_retry`, as keepalived's HTTP_GET.
    Longer,
}

/// What all checks of one kind have in common.
pub struct Form {
    /// The keyword of its block in a real server.
    pub keyword: &'static str,
    /// Its row in the help: `word|default|meaning`.
    pub help: &'static str,
    /// Its name in logs and on screen.
    pub name: &'static str,
    /// How it talks to its target.
    pub transport: Transport,
    /// The port unless `connect_port` says another; 0 for the real server's.
    pub port: u16,
    /// `retry` unless configured.
    pub retry: u32,
    /// `delay_before_retry` unless configured; `None` for `delay_loop`.
    pub pause: Option<Duration>,
    /// When a target that is down is checked again.
    pub recheck: Recheck,
    /// What the log says of a target that is up again, before its name and behind it.
    pub success: (&'static str, &'static str),
    /// The keywords of its block.
    pub table: &'static Table<Draft>,
    /// The checker of an empty block.
    pub new: fn() -> Checker,
    /// Looks at the whole block; false, and an error reported, if it is to be left out.
    pub complete: fn(&Draft, &mut Context<'_>) -> bool,
    /// The checker of a block; the text is `virtualhost` of the real server or the service.
    pub build: fn(&Draft, Option<&str>) -> Checker,
}

/// [`Form::complete`] of a checker that needs nothing.
pub(super) fn whole(_: &Draft, _: &mut Context<'_>) -> bool {
    true
}

/// [`Form::build`] of a checker whose keywords set its parameters directly.
pub(super) fn as_written(draft: &Draft, _: Option<&str>) -> Checker {
    draft.checker.clone()
}

/// A checker with its parameters. They are shared by all that have equal ones, so a copy must not allocate.
pub trait Check {
    /// What it has in common with its kind.
    fn form(&self) -> &'static Form;

    /// Starts dialogue `step` (a row of the urls, modulo their number). `nonce` tells this run from others.
    fn begin(&self, step: usize, nonce: u32) -> Dialogue;

    /// Its own keywords with their values, as they would be written; those of urls and what all checks have aside.
    fn lines(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The urls it asks for; those of its dialogues in order.
    fn urls(&self) -> &[Url] {
        &[]
    }

    /// Dialogues that make one full pass.
    fn steps(&self) -> usize {
        1
    }

    /// Successes in a row that make a target that is down come up again.
    fn recovery(&self) -> usize {
        1
    }
}

/// One run of a checker; small, so that every slot holds one in place.
pub trait Talk {
    /// The socket is connected: what now?
    fn start(&mut self) -> Progress {
        Progress::Send
    }

    /// Writes what to send, the same as often as it is asked until more arrives. Its length; `None` if it does not fit,
    /// which says nothing about the server.
    fn request(&self, target: SocketAddr, out: &mut [u8]) -> Option<usize>;

    /// Takes what arrived. A dialogue that wants to send does not look at what the server said before its turn.
    fn feed(&mut self, target: SocketAddr, bytes: &[u8]) -> Progress;

    /// The server closed the connection.
    fn end(&mut self) -> Verdict {
        Verdict::Fail(Failure::Closed)
    }

    /// Bytes that may be fed in one turn of the loop: fewer if a byte costs more than a glance.
    fn appetite(&self) -> usize {
        usize::MAX
    }

    /// What of the reply shows this failure, if it is not what the server said last.
    fn evidence(&self, _: Failure) -> Option<Evidence> {
        None
    }

    /// The deadline is over.
    fn expire(&self) -> Verdict {
        Verdict::Fail(Failure::Deadline)
    }
}
