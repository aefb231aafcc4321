//! A probe's TLS: the handshake in steps, and reading through the session. The session is `task/tls/`'s; here it meets
//! the slot's socket, its deadline, the meter and the turns of the loop.

use core::future::poll_fn;
use core::task::{Context, Poll};

use rustix::io::Errno as Code;

use super::super::meter::Work;
use super::super::reactor::Source;
use super::super::tls::{Io, Need, Session, Stop};
use super::{BURST, Line, Surroundings};
use crate::check::ssl_get::SslGet;
use crate::check::tls::TlsFault;
use crate::check::{Failure, Verdict};
use crate::kernel::error::number;
use crate::kernel::probe::ProbeSocket;

/// The socket, with whom to wake.
struct Wire<'a, 'c> {
    stream: &'a Source<ProbeSocket>,
    context: &'a Context<'c>,
}

/// Repeats what a signal interrupted; what would block wakes later.
fn now<T>(mut operation: impl FnMut() -> Poll<Result<T, Code>>) -> Result<T, Code> {
    loop {
        match operation() {
            Poll::Pending => return Err(Code::WOULDBLOCK),
            Poll::Ready(Err(Code::INTR)) => {}
            Poll::Ready(answer) => return answer,
        }
    }
}

impl Io for Wire<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Code> {
        now(|| self.stream.poll_read(self.context, |stream| stream.read(buffer)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Code> {
        now(|| self.stream.poll_write(self.context, |stream| stream.write(bytes)))
    }
}

/// What a session that does not go on says of the server.
pub(super) fn verdict(stop: Stop) -> Verdict {
    match stop {
        Stop::Socket(code) => Verdict::Fail(Failure::Broken { errno: number(code) }),
        // Busy is none: whoever polls goes on.
        Stop::Fault(TlsFault::Own) | Stop::Busy => Verdict::Local { errno: number(Code::NOMEM) },
        Stop::Fault(fault) => Verdict::Fail(Failure::Tls(fault)),
    }
}

/// Begins a session and brings it through its handshake.
pub(super) async fn shake(
    around: Surroundings<'_>,
    checker: &SslGet,
    step: usize,
    line: Line<'_>,
) -> Result<Session, Verdict> {
    let mut session = None;
    poll_fn(|context| {
        let answer = match &mut session {
            None => poll_open(around, checker, step, line, context)
                .map(|opened| opened.map(|opened| session = Some(opened))),
            Some(_) => Poll::Ready(Ok(())),
        };
        let answer = match (answer, &mut session) {
            (Poll::Ready(Ok(())), Some(session)) => poll_shake(around, session, line.stream, context),
            (answer, _) => answer,
        };
        match answer {
            Poll::Pending => {
                let late = Verdict::Fail(Failure::Tls(TlsFault::Deadline));
                line.timer.poll_until(context, line.deadline).map(|()| Err(late))
            }
            answer => answer,
        }
    })
    .await?;
    session.ok_or(verdict(Stop::Fault(TlsFault::Own)))
}

/// Beginning a session makes the keys of its exchange: a step as well.
fn poll_open(
    around: Surroundings<'_>,
    checker: &SslGet,
    step: usize,
    line: Line<'_>,
    context: &Context<'_>,
) -> Poll<Result<Session, Verdict>> {
    let (office, contents) = around.tls;
    office.poll_step(context).map(|()| {
        around.meter.measure(Work::Tls, || {
            let terms = office.terms(contents);
            let opened =
                terms.and_then(|terms| terms.open(checker.name(step), line.target.ip(), checker.sni()));
            opened.map_err(|fault| verdict(Stop::Fault(fault)))
        })
    })
}

fn poll_shake(
    around: Surroundings<'_>,
    session: &mut Session,
    stream: &Source<ProbeSocket>,
    context: &Context<'_>,
) -> Poll<Result<(), Verdict>> {
    let mut wire = Wire { stream, context };
    for _ in 0..BURST {
        let need =
            around.meter.measure(Work::Probes, || session.shake(&mut wire, &mut around.buffer.borrow_mut()));
        let done = match need {
            Ok(Need::Nothing) => return Poll::Ready(Ok(())),
            Ok(Need::Bytes) => Ok(()),
            Ok(Need::Step) => {
                if around.tls.0.poll_step(context).is_pending() {
                    return Poll::Pending;
                }
                around.meter.measure(Work::Tls, || session.step(&mut wire))
            }
            Err(stop) => Err(stop),
        };
        match done {
            Ok(()) => {}
            Err(Stop::Socket(Code::WOULDBLOCK)) => return Poll::Pending,
            Err(stop) => return Poll::Ready(Err(verdict(stop))),
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

/// Reads plaintext; 0 at the end.
pub(super) fn poll_read(
    session: &mut Session,
    stream: &Source<ProbeSocket>,
    buffer: &mut [u8],
    context: &Context<'_>,
) -> Poll<Result<usize, Verdict>> {
    match session.read(&mut Wire { stream, context }, buffer) {
        Err(Stop::Socket(Code::WOULDBLOCK)) => Poll::Pending,
        Err(Stop::Busy) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        answer => Poll::Ready(answer.map_err(verdict)),
    }
}
