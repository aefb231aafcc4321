//! `TCP_CHECK`: a completed connection is all it asks for.

use core::net::SocketAddr;

use super::form::{Check, Form, Recheck, Talk, Transport, as_written, whole};
use super::keywords::{COMMON, Draft, PACES};
use super::registry::{Checker, Dialogue};
use super::{CONNECTED, Progress, Verdict};
use crate::syntax::Table;
use crate::time::Duration;

/// Its facts.
pub static FORM: Form = Form {
    keyword: "TCP_CHECK",
    help: "TCP_CHECK|none|up if a TCP connection can be made",
    name: "TCP_CHECK",
    transport: Transport::Stream { reply: false },
    port: 0,
    retry: 1,
    pause: Some(Duration::from_secs(1)),
    recheck: Recheck::Interval,
    success: ("TCP connection to ", " success."),
    table: &TABLE,
    new: || Checker::Tcp(TcpCheck),
    complete: whole,
    build: as_written,
};

static TABLE: Table<Draft> = Table { name: "TCP_CHECK", rows: &[PACES, COMMON] };

/// It has no parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpCheck;

impl Check for TcpCheck {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn begin(&self, _: usize, _: u32) -> Dialogue {
        Dialogue::Tcp(Connection)
    }
}

/// A connection of which nothing more is wanted.
#[derive(Debug, Clone)]
pub struct Connection;

impl Talk for Connection {
    fn start(&mut self) -> Progress {
        Progress::Done(Verdict::Pass { status: CONNECTED })
    }

    fn request(&self, _: SocketAddr, _: &mut [u8]) -> Option<usize> {
        Some(0)
    }

    fn feed(&mut self, _: SocketAddr, _: &[u8]) -> Progress {
        self.start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_as_soon_as_it_is_connected_and_sends_nothing() {
        let mut dialogue = TcpCheck.begin(0, 0);
        let talk = dialogue.talk();
        assert_eq!(talk.start(), Progress::Done(Verdict::Pass { status: CONNECTED }));
        assert_eq!(talk.request(SocketAddr::from(([10, 0, 0, 11], 80)), &mut []), Some(0));
    }
}
