//! `lvsbox digest [https://]ADDRESS:PORT PATH`: the MD5 of what a web server answers, for `digest` of an HTTP_GET or
//! SSL_GET. It asks as a check does, and reads what a check reads.

use core::fmt::Write as _;
use core::net::SocketAddr;
#[cfg(feature = "tls")]
use std::rc::Rc;

use md5::{Digest as _, Md5};
use rustix::io::Errno;

use super::FAILED;
use super::arguments::{Asked, Scheme};
use super::output::Output;
use crate::check::Failure;
use crate::check::http_get::{Port, Reply, Version, request};
#[cfg(feature = "tls")]
use crate::check::ssl_get::Sni;
#[cfg(feature = "tls")]
use crate::check::tls::TlsFault;
use crate::kernel::clock;
use crate::kernel::error::number;
use crate::kernel::poll::{Events, Poll};
use crate::kernel::probe::{Connecting, Kind, Origin, ProbeSocket};
#[cfg(feature = "tls")]
use crate::task::tls;
use crate::time::{Duration, Instant};

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the request, and of one read.
const BUFFER: usize = 8 << 10;

/// Asks and prints. A status that a check would not accept by itself is said on standard error.
#[inline(never)]
pub(super) fn run(asked: &Asked) -> u8 {
    let (digest, status) = match ask(asked) {
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

fn ask(asked: &Asked) -> Result<([u8; 16], u16), Failure> {
    let Asked { target, url, scheme } = asked;
    let mut buffer = vec![0; BUFFER];
    let mut line = Connection::open(*target)?;
    let usual = match scheme {
        Scheme::Http => Port::HTTP,
        #[cfg(feature = "tls")]
        Scheme::Https => {
            line.shake(*target, url.host.as_deref(), &mut buffer)?;
            Port::HTTPS
        }
    };
    let length = request(url, Version::V10, *target, usual, &mut buffer).ok_or(Failure::TooLong)?;
    line.send(buffer.get(..length).unwrap_or_default())?;
    let (mut reply, mut body) = (Reply::new(), Md5::new());
    let outcome = loop {
        let length = line.read(&mut buffer)?;
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
    #[cfg(feature = "tls")]
    session: Option<tls::Session>,
}

impl Connection {
    fn open(target: SocketAddr) -> Result<Self, Failure> {
        let socket = ProbeSocket::open(Kind::Stream, target, Origin::default()).map_err(failed)?;
        let poll = Poll::open().map_err(|error| Failure::Connect { errno: error.number() })?;
        socket.connect(target).map_err(failed)?;
        poll.add(&socket, 0).map_err(|error| Failure::Connect { errno: error.number() })?;
        let mut line = Self {
            socket,
            poll,
            events: Events::default(),
            deadline: clock::now() + PATIENCE,
            #[cfg(feature = "tls")]
            session: None,
        };
        line.until(&mut |socket| match socket.connected(target)? {
            Connecting::Pending => Err(Errno::WOULDBLOCK),
            Connecting::Done => Ok(0),
        })?;
        Ok(line)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        #[cfg(feature = "tls")]
        if let Some(session) = &mut self.session {
            // Sent with the next read.
            return session.say(bytes).map_err(|_| Failure::TooLong);
        }
        let mut sent = 0;
        while sent < bytes.len() {
            sent += self.until(&mut |socket| socket.write(bytes.get(sent..).unwrap_or(&[])))?;
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        #[cfg(feature = "tls")]
        if let Some(mut session) = self.session.take() {
            let read = self.through(&mut |socket| session.read(socket, buffer));
            self.session = Some(session);
            return read;
        }
        self.until(&mut |socket| socket.read(buffer))
    }

    /// From here on everything is said within TLS.
    #[cfg(feature = "tls")]
    fn shake(&mut self, target: SocketAddr, name: Option<&str>, buffer: &mut [u8]) -> Result<(), Failure> {
        let terms = tls::Terms::new(&Rc::default()).map_err(Failure::Tls)?;
        let mut session = terms.open(name, target.ip(), Sni::On).map_err(Failure::Tls)?;
        loop {
            match self.through(&mut |socket| session.shake(socket, buffer))? {
                tls::Need::Bytes => {}
                tls::Need::Step => self.through(&mut |socket| session.step(socket))?,
                tls::Need::Nothing => break,
            }
        }
        self.session = Some(session);
        Ok(())
    }

    /// The same for an operation on the session.
    #[cfg(feature = "tls")]
    fn through<T>(
        &mut self,
        operation: &mut dyn FnMut(&mut dyn tls::Io) -> Result<T, tls::Stop>,
    ) -> Result<T, Failure> {
        let mut fault = None;
        let done = self.until(&mut |socket| match operation(&mut Wire(socket)) {
            Ok(done) => Ok(Some(done)),
            Err(tls::Stop::Socket(code)) => Err(code),
            // There may be more: nobody else has to have a turn here.
            Err(tls::Stop::Busy) => Err(Errno::INTR),
            Err(tls::Stop::Fault(why)) => {
                fault = Some(why);
                Ok(None)
            }
        })?;
        done.ok_or(Failure::Tls(fault.unwrap_or(TlsFault::Own)))
    }

    /// Tries until it does not block any more, or patience is over.
    fn until<T>(
        &mut self,
        operation: &mut dyn FnMut(&ProbeSocket) -> Result<T, Errno>,
    ) -> Result<T, Failure> {
        loop {
            match operation(&self.socket) {
                Err(Errno::WOULDBLOCK) => {}
                Err(Errno::INTR) if clock::now() < self.deadline => continue,
                Err(Errno::INTR) => return Err(Failure::Deadline),
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

#[cfg(feature = "tls")]
struct Wire<'a>(&'a ProbeSocket);

#[cfg(feature = "tls")]
impl tls::Io for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.0.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        self.0.write(bytes)
    }
}

fn failed(code: Errno) -> Failure {
    Failure::Connect { errno: number(code) }
}
