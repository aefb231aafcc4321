//! One dialogue with one server: open the socket it needs, connect, ask, read, within one deadline that nothing
//! extends.
//!
//! Connecting never waits, and what a server sends is read into a buffer that all probes share, so a server that
//! drips, floods or stays silent costs a slot for that time and nothing else. A passed TCP_CHECK is closed by a reset
//! so that no port stays in TIME_WAIT; keepalived closes with FIN. The protocol is `check`'s, the deadline is ours.

use core::cell::RefCell;
#[cfg(any(test, feature = "tls"))]
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::meter::{Meter, Work};
use super::reactor::{Decided, Reactor, Source, Timer};
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
/// while this runs. A slot runs what needs no TLS without a future ([`Run::poll`]).
#[cfg(any(test, feature = "tls"))]
pub(super) async fn check(
    around: Surroundings<'_>,
    probe: &Probe,
    step: u16,
    timer: &Timer,
    evidence: &core::cell::Cell<Evidence>,
) -> Verdict {
    let mut run = match connect(around, probe, step, timer).await {
        Ok(run) => run,
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
        drop(run);
        run = match connect(around, probe, step, timer).await {
            Ok(run) => run,
            Err(verdict) => return verdict,
        };
    }
    #[cfg(feature = "tls")]
    if let (Checker::Ssl(checker), Some(place)) = (&probe.checker, &mut place) {
        let line = Line { stream: &run.stream, target: probe.target(), timer, deadline: run.deadline(probe) };
        match secure::shake(around, checker, usize::from(step), line).await {
            Ok(session) => {
                place.shaken();
                run.session = Some(Box::new(session));
            }
            Err(verdict) => return verdict,
        }
    }
    let verdict = poll_fn(|context| run.poll(around, probe, timer, context)).await;
    evidence.set(run.close(probe, verdict));
    verdict
}

/// Connects within `connect_timeout`.
#[cfg(any(test, feature = "tls"))]
async fn connect(around: Surroundings<'_>, probe: &Probe, step: u16, timer: &Timer) -> Result<Run, Verdict> {
    let mut run = Run::begin(around, probe, step)?;
    poll_fn(|context| run.poll_connect(probe, timer, context)).await?;
    Ok(run)
}

/// A number that differs from that of the last check: identifiers of queries and echoes are made of it.
fn nonce(now: Instant) -> u32 {
    let micros = now.since(Instant::ZERO).as_micros();
    u32::try_from(micros.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or(0)
}

/// Opens the socket that `probe` asks for, and starts to connect it.
fn open(around: Surroundings<'_>, probe: &Probe) -> Result<(Source<ProbeSocket>, Connecting), Verdict> {
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
    let stream = ProbeSocket::open(kind, probe.target(), origin).map_err(local)?;
    let connecting = stream.connect(probe.target()).map_err(refused)?;
    let stream = around.reactor.register(stream);
    stream.map(|stream| (stream, connecting)).map_err(|error| Verdict::Local { errno: error.number() })
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

/// A connection in its handshake.
#[cfg(feature = "tls")]
#[derive(Clone, Copy)]
struct Line<'a> {
    stream: &'a Source<ProbeSocket>,
    target: SocketAddr,
    timer: &'a Timer,
    deadline: Instant,
}

/// A connection and what is said on it: no future, so that a slot which was never used needs no memory but its place.
pub(super) struct Run {
    start: Instant,
    stream: Source<ProbeSocket>,
    stage: Stage,
    /// What is said on it is said within.
    #[cfg(feature = "tls")]
    session: Option<Box<tls::Session>>,
    dialogue: Dialogue,
    /// Bytes of the request that the kernel has taken.
    sent: usize,
    /// There is something to say.
    asking: bool,
    /// What the server said first since it was last asked.
    said: Evidence,
    /// It is read datagram by datagram, of which an empty one is not the end.
    framed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Connected,
    Talking,
}

impl Run {
    /// Opens the socket of dialogue `step` of `probe`, and starts to connect it.
    pub(super) fn begin(around: Surroundings<'_>, probe: &Probe, step: u16) -> Result<Self, Verdict> {
        let start = clock::now();
        let (stream, connecting) = around.meter.measure(Work::Probes, || open(around, probe))?;
        // Without a connection there is nothing to wait for, and a socket without ports has no peer's name.
        let stage = match connecting {
            Connecting::Done => Stage::Connected,
            Connecting::Pending => Stage::Connecting,
        };
        Ok(Self {
            start,
            stream,
            stage,
            #[cfg(feature = "tls")]
            session: None,
            dialogue: probe.checker.begin(usize::from(step), nonce(start)),
            sent: 0,
            asking: false,
            said: Evidence::default(),
            framed: !matches!(probe.checker.form().transport, Transport::Stream { .. }),
        })
    }

    /// Goes on with it until its end or its deadline.
    pub(super) fn poll(
        &mut self,
        around: Surroundings<'_>,
        probe: &Probe,
        timer: &Timer,
        context: &Context<'_>,
    ) -> Poll<Verdict> {
        around.meter.measure(Work::Probes, || {
            if self.stage != Stage::Talking {
                match self.poll_connect(probe, timer, context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(verdict)) => return Poll::Ready(verdict),
                    Poll::Ready(Ok(())) => self.stage = Stage::Talking,
                }
                match self.dialogue.talk().start() {
                    Progress::Done(verdict) => return Poll::Ready(verdict),
                    Progress::Send => self.asking = true,
                    Progress::NeedMore => {}
                }
            }
            match self.poll_talk(probe, &mut around.buffer.borrow_mut(), context) {
                Poll::Pending => {
                    timer.poll_until(context, self.deadline(probe)).map(|()| self.dialogue.talk().expire())
                }
                answer @ Poll::Ready(_) => answer,
            }
        })
    }

    /// Of the whole dialogue.
    fn deadline(&self, probe: &Probe) -> Instant {
        self.start + probe.checker.deadline(probe.timeout)
    }

    /// Waits for the connection, for `connect_timeout` at most.
    fn poll_connect(
        &mut self,
        probe: &Probe,
        timer: &Timer,
        context: &Context<'_>,
    ) -> Poll<Result<(), Verdict>> {
        while self.stage == Stage::Connecting {
            match self.stream.poll_decided(context) {
                Poll::Pending => {
                    let late = Err(Verdict::Fail(Failure::ConnectTimeout));
                    return timer.poll_until(context, self.start + probe.timeout).map(|()| late);
                }
                Poll::Ready(Decided::Well) => self.stage = Stage::Connected,
                // Only the socket knows why.
                Poll::Ready(Decided::InDoubt) => match self.stream.io().connected(probe.target()) {
                    Ok(Connecting::Pending) => {}
                    Ok(Connecting::Done) => self.stage = Stage::Connected,
                    Err(code) => return Poll::Ready(Err(refused(code))),
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_talk(&mut self, probe: &Probe, buffer: &mut [u8], context: &Context<'_>) -> Poll<Verdict> {
        let mut hunger = self.dialogue.talk().appetite();
        for _ in 0..BURST {
            if self.asking {
                match self.poll_ask(probe.target(), buffer, context) {
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
                    match self.dialogue.talk().feed(probe.target(), bytes) {
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

    /// Chooses how the connection ends, and returns what shows a failure.
    pub(super) fn close(&mut self, probe: &Probe, verdict: Verdict) -> Evidence {
        // Through a virtual address, IPVS forgets a connection that was reset in 10 s, one that was closed in 2
        // minutes.
        let through = probe.bind.as_ref().is_some_and(|bind| bind.via.is_some());
        let silent = matches!(probe.checker.form().transport, Transport::Stream { reply: false });
        let talked = self.stage == Stage::Talking;
        if talked && (through || matches!(verdict, Verdict::Pass { .. }) && silent) {
            self.stream.io().reset_on_close();
        }
        match verdict {
            Verdict::Fail(failure) if talked => self.dialogue.talk().evidence(failure).unwrap_or(self.said),
            Verdict::Fail(_) | Verdict::Pass { .. } | Verdict::Local { .. } => Evidence::default(),
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
    fn poll_ask(
        &mut self,
        target: SocketAddr,
        buffer: &mut [u8],
        context: &Context<'_>,
    ) -> Poll<Result<(), Verdict>> {
        let Some(length) = self.dialogue.talk().request(target, buffer) else {
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
