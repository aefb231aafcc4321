//! The control socket: one listener, at most eight clients, root only.
//!
//! One task accepts and hands connections to eight long-lived tasks; further clients wait in the kernel's queue. A
//! client sends one command as one message and gets messages back: a byte [`OUTPUT`] and text, at the end [`END`] and
//! a status. A client that does not read waits alone and loses its place after [`PATIENCE`]. If someone else has the
//! name, the log says who, and the name is tried again; if that is root, the daemon does not start.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::answer::{Answer, STATUS_FAILED, STATUS_USAGE, Step};
use super::meter::Work;
use super::reactor::{Source, Timer, store};
use super::shell::{Priority, Shell};
use crate::kernel::clock;
use crate::kernel::error::Error;
use crate::kernel::unix::{Connection, Listener, Mode, Peer};
use crate::limits::{MAX_CLIENTS, MAX_COMMAND_BYTES};
use crate::time::{Duration, Instant};

/// First byte of a message with output.
pub const OUTPUT: u8 = b'+';
/// A message of its own: what follows is a new page, in the place of the one before.
pub const PAGE: u8 = b'~';
/// First byte of the last message; the second is the status.
pub const END: u8 = b'.';
/// Bytes of one message, the first byte included.
pub const MAX_MESSAGE: usize = 4_096;
/// How long a client may neither send its command nor read its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A day: as good as for ever for a terminal that somebody stopped with ^S.
const FOREVER: Duration = Duration::from_secs(86_400);
/// When to try again after the name was taken or no descriptor was left.
const RETRY: Duration = Duration::from_secs(5);
/// How long further clients that are not root are only counted.
const QUIET: Duration = Duration::from_secs(10);

/// Connections on their way from the task that accepts to those that serve.
#[derive(Default)]
struct Desks {
    rows: RefCell<[Desk; MAX_CLIENTS]>,
    acceptor: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Desk {
    busy: bool,
    connection: Option<Connection>,
    task: Option<Waker>,
}

/// Takes the name. `None` if a process that is not root holds it: whoever may not administer this host may not keep
/// it from running either.
///
/// # Errors
/// Root holds it: another lvsbox runs in this network namespace, and two would fight over every address.
pub(super) fn claim(name: &str) -> Result<Option<Listener>, Error> {
    match Listener::open(name) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => match holder(name) {
            Some(peer) if peer.uid == 0 => {
                let other = format_args!("@{name}: process {} serves it", peer.pid);
                Err(Error::new("listen on control socket", other, Code::ADDRINUSE))
            }
            Some(Peer { pid, uid }) => {
                log::warn!(
                    "{error} by process {pid} of user {uid}; commands are not served until it is free"
                );
                Ok(None)
            }
            None => {
                log::warn!("{error}; commands are not served until it is free");
                Ok(None)
            }
        },
    }
}

/// Starts the tasks.
///
/// # Errors
/// No timers.
pub(super) fn start(shell: &Rc<Shell>, listener: Option<Listener>) -> Result<(), Error> {
    let desks = Rc::new(Desks::default());
    for row in 0..MAX_CLIENTS {
        let timer = shell.reactor.timer()?;
        shell.spawn(Priority::Ordinary, serve(Rc::clone(shell), Rc::clone(&desks), row, timer));
    }
    let timer = shell.reactor.timer()?;
    shell.spawn(Priority::Ordinary, accept(Rc::clone(shell), desks, listener, timer));
    Ok(())
}

async fn accept(shell: Rc<Shell>, desks: Rc<Desks>, listener: Option<Listener>, timer: Timer) {
    let listener = listen(&shell, listener, &timer).await;
    let mut strangers = Strangers::default();
    loop {
        let row = poll_fn(|context| desks.poll_free(context)).await;
        match listener.read(|listener| shell.meter.measure(Work::Control, || listener.accept())).await {
            Ok(connection) => match connection.peer() {
                Ok(peer) if peer.uid == 0 => desks.seat(row, connection),
                Ok(peer) => strangers.refuse(clock::now(), peer),
                Err(_) => {}
            },
            Err(Code::CONNABORTED) => {}
            Err(_) => timer.until(clock::now() + RETRY).await,
        }
        // Whoever connects without end, as every user may, must not hold the loop.
        smol::future::yield_now().await;
    }
}

/// Clients that are not root: said once in [`QUIET`], because any user can make any number of them.
#[derive(Default)]
struct Strangers {
    quiet_until: Instant,
    unsaid: u64,
}

impl Strangers {
    fn refuse(&mut self, now: Instant, Peer { pid, uid }: Peer) {
        if now < self.quiet_until {
            self.unsaid += 1;
            return;
        }
        let unsaid = core::mem::take(&mut self.unsaid);
        match unsaid {
            0 => log::warn!("control socket: process {pid} of user {uid} was refused"),
            _ => {
                log::warn!("control socket: process {pid} of user {uid} was refused, and {unsaid} before it")
            }
        }
        self.quiet_until = now + QUIET;
    }
}

async fn listen(shell: &Shell, mut listener: Option<Listener>, timer: &Timer) -> Source<Listener> {
    loop {
        let claimed = listener.take().map_or_else(|| Listener::open(&shell.options.control), Ok);
        if let Ok(listener) = claimed.and_then(|listener| shell.reactor.register(listener)) {
            return listener;
        }
        timer.until(clock::now() + RETRY).await;
    }
}

/// Who listens on a name, if anybody can be asked.
fn holder(name: &str) -> Option<Peer> {
    Connection::open(name, Mode::Brief).ok()?.peer().ok()
}

impl Desks {
    fn poll_free(&self, context: &Context<'_>) -> Poll<usize> {
        match self.rows.borrow().iter().position(|desk| !desk.busy) {
            Some(row) => Poll::Ready(row),
            None => {
                store(&mut self.acceptor.borrow_mut(), context);
                Poll::Pending
            }
        }
    }

    fn seat(&self, row: usize, connection: Connection) {
        let mut rows = self.rows.borrow_mut();
        let Some(desk) = rows.get_mut(row) else { return };
        (desk.busy, desk.connection) = (true, Some(connection));
        let task = desk.task.take();
        drop(rows);
        task.into_iter().for_each(Waker::wake);
    }

    fn poll_seated(&self, row: usize, context: &Context<'_>) -> Poll<Connection> {
        let mut rows = self.rows.borrow_mut();
        let Some(desk) = rows.get_mut(row) else { return Poll::Pending };
        match desk.connection.take() {
            Some(connection) => Poll::Ready(connection),
            None => {
                store(&mut desk.task, context);
                Poll::Pending
            }
        }
    }

    fn leave(&self, row: usize) {
        if let Some(desk) = self.rows.borrow_mut().get_mut(row) {
            desk.busy = false;
        }
        let acceptor = self.acceptor.borrow_mut().take();
        acceptor.into_iter().for_each(Waker::wake);
    }
}

async fn serve(shell: Rc<Shell>, desks: Rc<Desks>, row: usize, timer: Timer) {
    let mut message = vec![0; MAX_MESSAGE].into_boxed_slice();
    loop {
        let connection = poll_fn(|context| desks.poll_seated(row, context)).await;
        if let Ok(connection) = shell.reactor.register(connection) {
            // A client that went away or fell asleep is not owed an answer.
            let following = Cell::new(false);
            let _ = converse(&shell, &connection, (row, &timer, &following), &mut message).await;
            if following.get() {
                shell.feed.leave();
            }
        }
        timer.cancel();
        desks.leave(row);
    }
}

async fn converse(
    shell: &Rc<Shell>,
    connection: &Source<Connection>,
    (row, timer, following): (usize, &Timer, &Cell<bool>),
    message: &mut [u8],
) -> Result<(), Code> {
    let mut line = [0; MAX_COMMAND_BYTES];
    let length = receive(connection, timer, &mut line).await?;
    let Some(line) = line.get(..length) else {
        let text = b"+a command has at most 512 bytes\n";
        const { assert!(MAX_COMMAND_BYTES == 512, "the text says so") };
        send(connection, timer, PATIENCE, text).await?;
        return send(connection, timer, PATIENCE, &[END, STATUS_USAGE]).await;
    };
    let mut answer = shell.meter.measure(Work::Control, || Answer::new(shell, line));
    loop {
        let Some((kind, text)) = message.split_first_mut() else { return Err(Code::NOMEM) };
        match shell.meter.measure(Work::Control, || answer.step(shell, text)) {
            Step::Wait(ticket) => poll_fn(|context| shell.desk.poll_done(ticket, row, context)).await,
            Step::Soon => news(shell, connection, row).await?,
            Step::Follow if following.get() || shell.feed.enter() => {
                following.set(true);
                news(shell, connection, row).await?;
            }
            Step::Pause(at) if following.get() || shell.feed.enter() => {
                following.set(true);
                pause(connection, timer, at).await?;
            }
            Step::Page => send(connection, timer, FOREVER, &[PAGE]).await?,
            Step::Follow | Step::Pause(_) => {
                let full = b"+no place: four clients follow already\n";
                send(connection, timer, PATIENCE, full).await?;
                return send(connection, timer, PATIENCE, &[END, STATUS_FAILED]).await;
            }
            Step::Done(status) => return send(connection, timer, PATIENCE, &[END, status]).await,
            Step::More(0) => {}
            Step::More(length) => {
                *kind = OUTPUT;
                // Who follows may stall: the ring goes on without it, and there is a place for others.
                let patience = if following.get() { FOREVER } else { PATIENCE };
                send(connection, timer, patience, message.get(..=length).unwrap_or(&[])).await?;
            }
        }
        smol::future::yield_now().await;
    }
}

async fn receive(connection: &Source<Connection>, timer: &Timer, buffer: &mut [u8]) -> Result<usize, Code> {
    let deadline = clock::now() + PATIENCE;
    poll_fn(|context| {
        let answer = connection.poll_read(context, |connection| connection.receive(buffer));
        or_tired(answer, timer, deadline, context)
    })
    .await
}

/// Ready when there is news for a client that follows; fails when it says anything more, or goes.
async fn news(shell: &Shell, connection: &Source<Connection>, row: usize) -> Result<(), Code> {
    let mut waited = false;
    poll_fn(|context| {
        match connection.poll_read(context, |connection| connection.receive(&mut [0; 1])) {
            Poll::Ready(_) => return Poll::Ready(Err(Code::CONNRESET)),
            Poll::Pending if core::mem::replace(&mut waited, true) => return Poll::Ready(Ok(())),
            Poll::Pending => {}
        }
        shell.feed.wait(row, context);
        Poll::Pending
    })
    .await
}

/// Ready at `at`; fails when the client says anything more, or goes.
async fn pause(connection: &Source<Connection>, timer: &Timer, at: Instant) -> Result<(), Code> {
    poll_fn(|context| match connection.poll_read(context, |connection| connection.receive(&mut [0; 1])) {
        Poll::Ready(_) => Poll::Ready(Err(Code::CONNRESET)),
        Poll::Pending => timer.poll_until(context, at).map(Ok),
    })
    .await
}

async fn send(
    connection: &Source<Connection>,
    timer: &Timer,
    patience: Duration,
    message: &[u8],
) -> Result<(), Code> {
    let deadline = clock::now() + patience;
    poll_fn(|context| {
        let answer = connection.poll_write(context, |connection| connection.send(message));
        or_tired(answer, timer, deadline, context)
    })
    .await
}

fn or_tired<T>(
    answer: Poll<Result<T, Code>>,
    timer: &Timer,
    deadline: Instant,
    context: &Context<'_>,
) -> Poll<Result<T, Code>> {
    match answer {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => timer.poll_until(context, deadline).map(|()| Err(Code::TIMEDOUT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_in_the_namespace_is_refused_and_told_about_the_first() {
        let name = format!("lvsbox-claim-{}", std::process::id());
        let first = claim(&name).unwrap();
        assert!(first.is_some());
        let error = claim(&name).unwrap_err().to_string();
        let expected = format!(
            "listen on control socket @{name}: process {} serves it: address in use",
            std::process::id()
        );
        assert_eq!(error, expected, "this test needs root");
    }
}
