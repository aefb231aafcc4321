//! One dialogue with one server: open the socket it needs, connect, ask, read, within one deadline that nothing extends.
//!
//! Connecting never waits, and what a server sends is read into a buffer that all probes share, so a server that
//! drips, floods or stays silent costs a slot for that time and nothing else. A passed TCP_CHECK is closed by a reset
//! so that no port stays in TIME_WAIT; keepalived closes with FIN. The protocol is `check`'s, the deadline is ours.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::meter::{Meter, Work};
use super::reactor::{Reactor, Source, Timer};
#[cfg(feature = "tls")]
use super::tls;
#[cfg(feature = "tls")]
use crate::check::Checker;
use crate::check::{Dialogue, Evidence, Failure, Progress, Transport, Verdict};
use crate::config::model::Probe;
#[cfg(feature = "tls")]
use crate::config::tls::Contents;
use crate::kernel::clock;
use crate::kernel::error::number;
use crate::kernel::probe::{Connecting, Kind, Origin, ProbeSocket};
#[cfg(feature = "tls")]
use crate::time::Duration;
use crate::time::Instant;

/// A connection that waited longer than this for a place is made anew.
#[cfg(feature = "tls")]
const FRESH: Duration = Duration::from_millis(200);
/// Reads of one connection before others get their turn.
const BURST: usize = 8;

/// What a dialogue needs of its process.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) reactor: &'a Rc<Reactor>,
    pub(super) meter: &'a Meter,
    /// Shared by all probes; never held across an `await`.
    pub(super) buffer: &'a RefCell<Box<[u8]>>,
    /// Where it is to come from.
    pub(super) source: Option<SocketAddr>,
    /// Places and turns of TLS, and the files of the configuration in force.
    #[cfg(feature = "tls")]
    pub(super) tls: (&'a tls::Office, &'a Rc<Contents>),
}

/// Runs dialogue `step` of `probe`, with what shows a failure left in `evidence`. `timer` is the caller's and is set
/// while this runs.
pub(super) async fn check(
    around: Surroundings<'_>,
    probe: &Probe,
    step: u16,
    timer: &Timer,
    evidence: &Cell<Evidence>,
) -> Verdict {
    #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "only TLS connects a second time"))]
    let (mut start, mut stream) = match begin(around, probe, timer).await {
        Ok(begun) => begun,
        Err(verdict) => return verdict,
    };
    // Behind connecting: servers that do not even accept take no place of those that do.
    #[cfg(feature = "tls")]
    let asked = clock::now();
    #[cfg(feature = "tls")]
    let mut place =
        if matches!(probe.checker, Checker::Ssl(_)) { Some(around.tls.0.enter().await) } else { None };
    // A server may tire of a connection on which nothing is said, and our waiting is not its fault.
    #[cfg(feature = "tls")]
    if clock::now().since(asked) > FRESH {
        drop(stream);
        (start, stream) = match begin(around, probe, timer).await {
            Ok(begun) => begun,
            Err(verdict) => return verdict,
        };
    }
    let deadline = start + probe.checker.deadline(probe.timeout);
    #[cfg(feature = "tls")]
    let session = match (&probe.checker, &mut place) {
        (Checker::Ssl(checker), Some(place)) => {
            let line = Line { stream: &stream, target: probe.target, timer, deadline };
            match secure::shake(around, checker, usize::from(step), line).await {
                Ok(session) => {
                    place.shaken();
                    Some(session)
                }
                Err(verdict) => return verdict,
            }
        }
        _ => None,
    };
    let transport = probe.checker.form().transport;
    let mut run = Run {
        dialogue: probe.checker.begin(usize::from(step), nonce(start)),
        target: probe.target,
        stream,
        #[cfg(feature = "tls")]
        session,
        sent: 0,
        asking: false,
        said: Evidence::default(),
        framed: !matches!(transport, Transport::Stream { .. }),
    };
    let verdict = match run.dialogue.talk().start() {
        Progress::Done(verdict) => verdict,
        progress @ (Progress::Send | Progress::NeedMore) => {
            run.asking = progress == Progress::Send;
            poll_fn(|context| {
                around.meter.measure(Work::Probes, || {
                    match run.poll(&mut around.buffer.borrow_mut(), context) {
                        Poll::Pending => {
                            timer.poll_until(context, deadline).map(|()| run.dialogue.talk().expire())
                        }
                        answer @ Poll::Ready(_) => answer,
                    }
                })
            })
            .await
        }
    };
    run.close(probe, verdict, evidence);
    verdict
}

/// Connects within `connect_timeout`, and says when it began.
async fn begin(
    around: Surroundings<'_>,
    probe: &Probe,
    timer: &Timer,
) -> Result<(Instant, Source<ProbeSocket>), Verdict> {
    let start = clock::now();
    connect(around, probe, start + probe.timeout, timer).await.map(|stream| (start, stream))
}

/// A number that differs from that of the last check: identifiers of queries and echoes are made of it.
fn nonce(now: Instant) -> u32 {
    let micros = now.since(Instant::ZERO).as_micros();
    u32::try_from(micros.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or(0)
}

async fn connect(
    around: Surroundings<'_>,
    probe: &Probe,
    deadline: Instant,
    timer: &Timer,
) -> Result<Source<ProbeSocket>, Verdict> {
    let (stream, connecting) = around.meter.measure(Work::Probes, || {
        let local = |code| Verdict::Local { errno: number(code) };
        let kind = match probe.checker.form().transport {
            Transport::Stream { .. } => Kind::Stream,
            Transport::Datagram => Kind::Datagram,
            Transport::Echo => Kind::Echo,
        };
        let origin = probe.bind.as_ref().map_or(Origin::default(), |bind| Origin {
            source: around.source,
            link: bind.link.as_ref().map(|link| link.as_str()),
            mark: bind.mark,
        });
        let stream = ProbeSocket::open(kind, probe.target, origin).map_err(local)?;
        let connecting = stream.connect(probe.target).map_err(refused)?;
        let stream = around.reactor.register(stream);
        stream.map(|stream| (stream, connecting)).map_err(|error| Verdict::Local { errno: error.number() })
    })?;
    // Without a connection there is nothing to wait for, and a socket without ports has no peer's name.
    if connecting == Connecting::Done {
        return Ok(stream);
    }
    let mut begun = true;
    let verdict = poll_fn(|context| {
        let answer = stream.poll_write(context, |stream| {
            // It cannot be there yet: whatever comes wakes us.
            if core::mem::take(&mut begun) {
                return Err(Code::WOULDBLOCK);
            }
            match stream.connected(probe.target) {
                Ok(Connecting::Pending) => Err(Code::WOULDBLOCK),
                Ok(Connecting::Done) => Ok(Ok(())),
                Err(code) => Ok(Err(refused(code))),
            }
        });
        let answer = answer.map(|answer| answer.unwrap_or_else(|code| Err(refused(code))));
        or_deadline(answer, timer, deadline, Err(Verdict::Fail(Failure::ConnectTimeout)), context)
    })
    .await;
    verdict.map(|()| stream)
}

/// Which errors of connecting are ours: no port, no memory, a local packet filter. All others are the server's or
/// the way's.
fn refused(code: Code) -> Verdict {
    let errno = number(code);
    match code {
        Code::ADDRNOTAVAIL
        | Code::AGAIN
        | Code::NOBUFS
        | Code::NOMEM
        | Code::PERM
        | Code::ACCESS
        | Code::MFILE
        | Code::NFILE
        | Code::AFNOSUPPORT => Verdict::Local { errno },
        _ => Verdict::Fail(Failure::Connect { errno }),
    }
}

/// `late` if `answer` is not there at the deadline.
fn or_deadline<T>(
    answer: Poll<T>,
    timer: &Timer,
    deadline: Instant,
    late: T,
    context: &Context<'_>,
) -> Poll<T> {
    match answer {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => timer.poll_until(context, deadline).map(|()| late),
    }
}

/// A connection in its handshake.
#[cfg(feature = "tls")]
#[derive(Clone, Copy)]
struct Line<'a> {
    stream: &'a Source<ProbeSocket>,
    target: SocketAddr,
    timer: &'a Timer,
    deadline: Instant,
}

/// A connection and what is said on it.
struct Run {
    stream: Source<ProbeSocket>,
    /// What is said on it is said within.
    #[cfg(feature = "tls")]
    session: Option<tls::Session>,
    dialogue: Dialogue,
    target: SocketAddr,
    /// Bytes of the request that the kernel has taken.
    sent: usize,
    /// There is something to say.
    asking: bool,
    /// What the server said first since it was last asked.
    said: Evidence,
    /// It is read datagram by datagram, of which an empty one is not the end.
    framed: bool,
}

impl Run {
    fn poll(&mut self, buffer: &mut [u8], context: &Context<'_>) -> Poll<Verdict> {
        let mut hunger = self.dialogue.talk().appetite();
        for _ in 0..BURST {
            if self.asking {
                match self.poll_ask(buffer, context) {
                    Poll::Ready(Ok(())) => {
                        (self.asking, self.sent, self.said) = (false, 0, Evidence::default())
                    }
                    Poll::Ready(Err(verdict)) => return Poll::Ready(verdict),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if hunger == 0 {
                break;
            }
            let most = buffer.len().min(hunger);
            let room = buffer.get_mut(..most).unwrap_or_default();
            match self.poll_read(room, context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(verdict)) => return Poll::Ready(verdict),
                Poll::Ready(Ok(0)) if !self.framed => return Poll::Ready(self.dialogue.talk().end()),
                Poll::Ready(Ok(length)) => {
                    let bytes = buffer.get(..length).unwrap_or(&[]);
                    hunger = hunger.saturating_sub(length);
                    self.said.add(bytes);
                    match self.dialogue.talk().feed(self.target, bytes) {
                        Progress::Done(verdict) => return Poll::Ready(verdict),
                        Progress::Send => self.asking = true,
                        Progress::NeedMore => {}
                    }
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Leaves what shows a failure, and chooses how the connection ends.
    fn close(&mut self, probe: &Probe, verdict: Verdict, evidence: &Cell<Evidence>) {
        if let Verdict::Fail(failure) = verdict {
            evidence.set(self.dialogue.talk().evidence(failure).unwrap_or(self.said));
        }
        // Through a virtual address, IPVS forgets a connection that was reset in 10 s, one that was closed in 2 minutes.
        let through = probe.bind.as_ref().is_some_and(|bind| bind.via.is_some());
        let silent = matches!(probe.checker.form().transport, Transport::Stream { reply: false });
        if through || matches!(verdict, Verdict::Pass { .. }) && silent {
            self.stream.io().reset_on_close();
        }
    }

    fn poll_read(&mut self, buffer: &mut [u8], context: &Context<'_>) -> Poll<Result<usize, Verdict>> {
        #[cfg(feature = "tls")]
        if let Some(session) = &mut self.session {
            return secure::poll_read(session, &self.stream, buffer, context);
        }
        loop {
            match self.stream.poll_read(context, |stream| stream.read(buffer)) {
                Poll::Ready(Err(Code::INTR)) => {}
                answer @ (Poll::Ready(_) | Poll::Pending) => {
                    return answer.map(|read| read.map_err(|code| self.broken(code)));
                }
            }
        }
    }

    /// The request is written anew each time, because nobody keeps it; it is short, so once is the rule.
    fn poll_ask(&mut self, buffer: &mut [u8], context: &Context<'_>) -> Poll<Result<(), Verdict>> {
        let Some(length) = self.dialogue.talk().request(self.target, buffer) else {
            return Poll::Ready(Err(Verdict::Local { errno: number(Code::MSGSIZE) }));
        };
        #[cfg(feature = "tls")]
        if let Some(session) = &mut self.session {
            // Sent with the next read.
            let said = session.say(buffer.get(..length).unwrap_or_default());
            return Poll::Ready(said.map_err(secure::verdict));
        }
        while self.sent < length {
            let rest = buffer.get(self.sent..length).unwrap_or(&[]);
            match self.stream.poll_write(context, |stream| stream.write(rest)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(Code::INTR)) => {}
                Poll::Ready(Err(code)) => return Poll::Ready(Err(self.broken(code))),
                Poll::Ready(Ok(taken)) => self.sent += taken,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Without a connection the answer to the datagram is what else would be the answer to connecting.
    fn broken(&self, code: Code) -> Verdict {
        match refused(code) {
            verdict if self.framed => verdict,
            verdict @ Verdict::Local { .. } => verdict,
            Verdict::Pass { .. } | Verdict::Fail(_) => Verdict::Fail(Failure::Broken { errno: number(code) }),
        }
    }
}

#[cfg(feature = "tls")]
mod secure;
#[cfg(test)]
mod tests;
