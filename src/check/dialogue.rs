//! One run of a checker against one target: what to send, and what to make of what comes back.
//!
//! The order is: connect, [`Dialogue::connected`], send [`Dialogue::request`], then [`Dialogue::feed`] until it is
//! over or [`Dialogue::end`] when the server closes. Connecting, errors of the socket and the deadline belong to the
//! slot that runs it.

use core::net::SocketAddr;
use std::rc::Rc;

use super::http_get::{self, Reply, Url};
use super::{Checker, Failure, Progress, Verdict};

/// A dialogue; small, so that every slot holds one in place.
#[derive(Debug, Clone)]
pub struct Dialogue {
    target: SocketAddr,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Tcp,
    Http { urls: Rc<[Url]>, step: usize, reply: Reply },
}

impl Dialogue {
    /// The dialogue `step` of a checker (a row of its urls, modulo their number) with a target.
    pub fn new(checker: &Checker, step: usize, target: SocketAddr) -> Self {
        let kind = match checker {
            Checker::Tcp => Kind::Tcp,
            Checker::Http(http) => {
                let step = step.checked_rem(http.urls.len()).unwrap_or(0);
                Kind::Http { urls: Rc::clone(&http.urls), step, reply: Reply::new() }
            }
        };
        Self { target, kind }
    }

    /// The connection is there: that may be all that was asked for.
    pub const fn connected(&self) -> Progress {
        match self.kind {
            Kind::Tcp => Progress::Done(Verdict::Pass { status: 0 }),
            Kind::Http { .. } => Progress::NeedMore,
        }
    }

    /// Writes what to send once connected. Its length, 0 for nothing; `None` if it does not fit, which says nothing
    /// about the server.
    pub fn request(&self, out: &mut [u8]) -> Option<usize> {
        match &self.kind {
            Kind::Tcp => Some(0),
            Kind::Http { urls, step, .. } => http_get::request(urls.get(*step)?, self.target, out),
        }
    }

    /// Takes what arrived.
    pub fn feed(&mut self, bytes: &[u8]) -> Progress {
        match &mut self.kind {
            Kind::Tcp => self.connected(),
            Kind::Http { urls, step, reply } => match reply.feed(bytes) {
                Some(outcome) => Progress::Done(judge(urls.get(*step), outcome)),
                None => Progress::NeedMore,
            },
        }
    }

    /// The server closed the connection.
    pub fn end(&mut self) -> Verdict {
        match &mut self.kind {
            Kind::Tcp => Verdict::Pass { status: 0 },
            Kind::Http { urls, step, reply } => judge(urls.get(*step), reply.end()),
        }
    }
}

fn judge(url: Option<&Url>, outcome: Result<u16, Failure>) -> Verdict {
    match outcome {
        Ok(status) if url.is_some_and(|url| url.accepts(status)) => Verdict::Pass { status },
        Ok(status) => Verdict::Fail(Failure::Status(status)),
        Err(failure) => Verdict::Fail(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::super::http_get::{HttpGet, Recovery};
    use super::*;

    fn http() -> Checker {
        let url = |path: &str, status| Url {
            path: path.into(),
            host: None,
            statuses: Box::new([(status, status)]),
        };
        Checker::Http(HttpGet {
            urls: Rc::new([url("/a", 200), url("/b", 301)]),
            recovery: Recovery::FullPass,
        })
    }

    fn target() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 11], 80))
    }

    #[test]
    fn tcp_passes_as_soon_as_it_is_connected_and_sends_nothing() {
        let mut dialogue = Dialogue::new(&Checker::Tcp, 0, target());
        let pass = Verdict::Pass { status: 0 };
        assert_eq!(dialogue.connected(), Progress::Done(pass));
        assert_eq!(dialogue.request(&mut []), Some(0));
        assert_eq!((dialogue.feed(b"x"), dialogue.end()), (Progress::Done(pass), pass));
    }

    #[test]
    fn each_step_asks_its_url_and_judges_by_its_statuses() {
        for (step, path, status) in [(0, "/a", 200), (1, "/b", 301), (2, "/a", 200)] {
            let mut dialogue = Dialogue::new(&http(), step, target());
            assert_eq!(dialogue.connected(), Progress::NeedMore);
            let mut out = [0; 128];
            let length = dialogue.request(&mut out).unwrap();
            assert!(out[..length].starts_with(format!("GET {path} HTTP/1.0\r\n").as_bytes()));
            let progress =
                dialogue.feed(format!("HTTP/1.0 {status} x\r\nContent-Length: 0\r\n\r\n").as_bytes());
            assert_eq!(progress, Progress::Done(Verdict::Pass { status }));
        }
    }

    #[test]
    fn a_status_that_is_not_accepted_fails_with_its_number() {
        let mut dialogue = Dialogue::new(&http(), 0, target());
        assert_eq!(dialogue.feed(b"HTTP/1.1 301 Moved\r\n\r\n"), Progress::NeedMore);
        assert_eq!(dialogue.end(), Verdict::Fail(Failure::Status(301)));
    }

    #[test]
    fn a_request_that_does_not_fit_is_told_from_nothing_to_send() {
        assert_eq!(Dialogue::new(&http(), 0, target()).request(&mut [0; 16]), None);
    }

    #[test]
    fn a_dialogue_is_small_enough_to_live_in_its_slot() {
        assert!(size_of::<Reply>() <= 128 && size_of::<Dialogue>() <= 192);
    }
}
