//! `lvsbox digest ADDRESS:PORT PATH`: the MD5 of what a web server answers, for `digest` of an HTTP_GET. It asks as a
//! check does, and reads what a check reads.

use core::fmt::Write as _;
use core::net::SocketAddr;

use md5::{Digest as _, Md5};
use rustix::io::Errno;

use super::FAILED;
use super::arguments::Asked;
use super::output::Output;
use crate::check::Failure;
use crate::check::http_get::{Reply, Url, Version, request};
use crate::kernel::clock;
use crate::kernel::error::number;
use crate::kernel::poll::{Events, Poll};
use crate::kernel::probe::{Connecting, Kind, Origin, ProbeSocket};
use crate::time::{Duration, Instant};

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the request, and of one read.
const BUFFER: usize = 8 << 10;

/// Asks and prints. A status that a check would not accept by itself is said on standard error.
pub(super) fn run(asked: &Asked) -> u8 {
    let (digest, status) = match ask(asked.target, &asked.url) {
        Ok(answer) => answer,
        Err(failure) => {
            Output::errors().line(format_args!("lvsbox: {}: {failure}", asked.target));
            return FAILED;
        }
    };
    if !(200..=299).contains(&status) {
        Output::errors().line(format_args!("lvsbox: HTTP status {status}"));
    }
    let mut text = String::with_capacity(32);
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    let mut output = Output::new();
    output.line(format_args!("{text}"));
    output.status()
}

fn ask(target: SocketAddr, url: &Url) -> Result<([u8; 16], u16), Failure> {
    let mut buffer = vec![0; BUFFER];
    let length = request(url, Version::V10, target, &mut buffer).ok_or(Failure::TooLong)?;
    let mut line = Connection::open(target)?;
    let mut sent = 0;
    while sent < length {
        sent += line.until(&mut |socket| socket.write(buffer.get(sent..length).unwrap_or(&[])))?;
    }
    let (mut reply, mut body) = (Reply::new(), Md5::new());
    let outcome = loop {
        let length = line.until(&mut |socket| socket.read(&mut buffer))?;
        if length == 0 {
            break reply.end();
        }
        let bytes = buffer.get(..length).unwrap_or(&[]);
        if let Some(outcome) = reply.feed(bytes, &mut |part| body.update(part)) {
            break outcome;
        }
    };
    outcome.map(|status| (body.finalize().into(), status))
}

/// A connection that is waited for.
struct Connection {
    socket: ProbeSocket,
    poll: Poll,
    events: Events,
    deadline: Instant,
}

impl Connection {
    fn open(target: SocketAddr) -> Result<Self, Failure> {
        let socket = ProbeSocket::open(Kind::Stream, target, Origin::default()).map_err(failed)?;
        let poll = Poll::open().map_err(|error| Failure::Connect { errno: error.number() })?;
        socket.connect(target).map_err(failed)?;
        poll.add(&socket, 0).map_err(|error| Failure::Connect { errno: error.number() })?;
        let mut line = Self { socket, poll, events: Events::default(), deadline: clock::now() + PATIENCE };
        line.until(&mut |socket| match socket.connected()? {
            Connecting::Pending => Err(Errno::WOULDBLOCK),
            Connecting::Done => Ok(0),
        })?;
        Ok(line)
    }

    /// Tries until it does not block any more, or patience is over.
    fn until(
        &mut self,
        operation: &mut dyn FnMut(&ProbeSocket) -> Result<usize, Errno>,
    ) -> Result<usize, Failure> {
        loop {
            match operation(&self.socket) {
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                done => return done.map_err(failed),
            }
            let left = self.deadline.since(clock::now());
            if left.is_zero() {
                return Err(Failure::Deadline);
            }
            let waited = self.poll.wait(&mut self.events, Some(left));
            waited.map_err(|error| Failure::Connect { errno: error.number() })?;
        }
    }
}

fn failed(code: Errno) -> Failure {
    Failure::Connect { errno: number(code) }
}
