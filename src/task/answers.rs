//! Requests and answers of a netlink socket, whichever part of the kernel it speaks to: `route` and `ipvs` each fill
//! in a [`Channel`].
//!
//! One task per channel reads answers and notices what stays unanswered for two seconds. At most 64 requests and one
//! dump are outstanding. An overrun answers all of them with "lost" and tells the director that it knows nothing
//! any more: what was applied is unknown.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::rc::Rc;

use super::meter::Work;
use super::outstanding::Dump;
use super::reactor::Timer;
use super::requests::{Rendered, Requests};
use super::shell::Shell;
use crate::director::action::Action;
use crate::director::event::{DumpError, Errno, Event};
use crate::kernel::clock;
use crate::kernel::netlink::Incoming;
use crate::time::{Duration, Instant};
use crate::wire::netlink::{Content, Malformed, Message, Writer, messages};

/// Datagrams that are read before others get their turn, and the time after which they get it anyway: a datagram of a
/// large routing table has 280 routes.
pub(super) const BURST: usize = 8;
pub(super) const PIECE: Duration = Duration::from_micros(500);

/// One netlink socket's part of the kernel.
pub(super) struct Channel {
    /// Its socket.
    pub(super) requests: fn(&Shell) -> &RefCell<Requests>,
    /// What its time counts as.
    pub(super) work: Work,
    /// Appends the request of an action, a dump included.
    pub(super) render: fn(&Shell, Action, &mut Writer<'_>, u32) -> Rendered,
    /// Hands a message with data to the director.
    pub(super) show: fn(&Shell, &Message<'_>, &[u8]) -> Result<(), Malformed>,
}

/// Reads answers for ever.
pub(super) async fn run(shell: Rc<Shell>, channel: &'static Channel, timer: Timer) {
    poll_fn(|context| shell.meter.measure(channel.work, || poll_answers(&shell, channel, &timer, context)))
        .await;
}

/// Sends the requests of `actions`; those that cannot be sent are answered at once.
pub(super) fn send(shell: &Shell, channel: &Channel, actions: &[Action]) {
    if actions.is_empty() {
        return;
    }
    shell.meter.measure(channel.work, || {
        let render = |action, writer: &mut Writer<'_>, seq| (channel.render)(shell, action, writer, seq);
        let refused = (channel.requests)(shell).borrow_mut().send(actions, render);
        for (action, errno) in refused {
            shell.handle(Event::Applied { action, result: Err(errno) });
        }
    });
}

/// Starts a dump, or queues it.
pub(super) fn dump(shell: &Shell, channel: &Channel, action: Action) {
    let render = |writer: &mut Writer<'_>, seq| (channel.render)(shell, action, writer, seq);
    let started =
        shell.meter.measure(channel.work, || (channel.requests)(shell).borrow_mut().dump(action, render));
    if let Err(errno) = started {
        shell.handle(Event::Dumped { action, result: Err(DumpError::Failed(errno)) });
    }
}

fn poll_answers(shell: &Shell, channel: &Channel, timer: &Timer, context: &Context<'_>) -> Poll<()> {
    let end = clock::now() + PIECE;
    for place in 0..BURST {
        if place > 0 && clock::now() >= end {
            break;
        }
        let mut buffer = shell.datagram.borrow_mut();
        let incoming = (channel.requests)(shell).borrow().receive(context, &mut buffer);
        match incoming {
            Incoming::Datagram(length) => read(shell, channel, buffer.get(..length).unwrap_or(&[])),
            Incoming::Cut | Incoming::Overrun => give_up(shell, channel),
            Incoming::Stranger => {}
            Incoming::Empty => {
                drop(buffer);
                expire(shell, channel);
                return wait((channel.requests)(shell).borrow().next_deadline(), timer, context);
            }
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

/// Sleeps until something is overdue, if anything is outstanding. A request that is sent meanwhile is answered, and
/// the answer wakes the task too; if it is not, the reader learns of its deadline here.
fn wait(deadline: Instant, timer: &Timer, context: &Context<'_>) -> Poll<()> {
    if deadline == Instant::NEVER {
        timer.cancel();
    } else if timer.poll_until(context, deadline).is_ready() {
        context.waker().wake_by_ref();
    }
    Poll::Pending
}

fn read(shell: &Shell, channel: &Channel, datagram: &[u8]) {
    for message in messages(datagram) {
        match message {
            Ok(message) => answer(shell, channel, &message),
            // The kernel's own framing is never broken; if it is, answers are lost.
            Err(_) => give_up(shell, channel),
        }
    }
}

fn answer(shell: &Shell, channel: &Channel, message: &Message<'_>) {
    let requests = (channel.requests)(shell);
    if let Some(dump) = requests.borrow_mut().outstanding.dump(message.seq) {
        dump.heard_at = clock::now();
        dump.flawed |= message.is_interrupted();
    }
    match message.content {
        Content::Noop => {}
        Content::Overrun => give_up(shell, channel),
        Content::Acknowledgement { errno } | Content::Done { errno } => {
            let is_dump = requests.borrow_mut().outstanding.dump(message.seq).is_some();
            if is_dump {
                end_dump(shell, channel, Errno(errno));
            } else {
                let result = if errno == 0 { Ok(()) } else { Err(Errno(errno)) };
                settle(shell, channel, message.seq, result);
            }
        }
        // Rows of a dump that an earlier configuration asked for: its ids mean other objects now.
        Content::Data(_) if is_old(shell, requests, message.seq) => {}
        Content::Data(payload) => match (channel.show)(shell, message, payload) {
            // What this program has no name for, it has not made and does not follow.
            Ok(()) | Err(Malformed::Unknown) => {}
            Err(Malformed::Truncated | Malformed::Missing) => {
                if let Some(dump) = requests.borrow_mut().outstanding.dump(message.seq) {
                    dump.flawed = true;
                }
            }
        },
    }
}

/// A request was answered. Those that were sent before it and have no answer were carried out.
fn settle(shell: &Shell, channel: &Channel, seq: u32, result: Result<(), Errno>) {
    let (requests, now) = ((channel.requests)(shell), clock::now());
    let mut more = requests.borrow().outstanding.has(seq);
    while more {
        let Some((own, action)) = requests.borrow_mut().outstanding.pop() else { break };
        more = own != seq;
        let result = if more { Ok(()) } else { result };
        shell.handle_at(now, Event::Applied { action, result });
    }
}

fn is_old(shell: &Shell, requests: &RefCell<Requests>, seq: u32) -> bool {
    let asked = requests.borrow_mut().outstanding.dump(seq).map(|dump| dump.action);
    matches!(asked, Some(Action::Dump { epoch, .. }) if epoch != shell.director.borrow().epoch())
}

fn end_dump(shell: &Shell, channel: &Channel, errno: Errno) {
    let ended = (channel.requests)(shell).borrow_mut().outstanding.end_dump();
    if let Some(Dump { action, flawed, .. }) = ended {
        let result = match (errno, flawed) {
            (Errno(0), false) => Ok(()),
            (Errno(0), true) => Err(DumpError::Interrupted),
            (errno, _) => Err(DumpError::Failed(errno)),
        };
        shell.handle(Event::Dumped { action, result });
    }
    start_waiting_dump(shell, channel);
}

fn start_waiting_dump(shell: &Shell, channel: &Channel) {
    let next = (channel.requests)(shell).borrow_mut().next_dump();
    if let Some(action) = next {
        dump(shell, channel, action);
    }
}

/// What is unanswered for too long will not be answered any more.
fn expire(shell: &Shell, channel: &Channel) {
    let requests = (channel.requests)(shell);
    let now = clock::now();
    loop {
        let overdue = requests.borrow_mut().outstanding.pop_overdue(now);
        let Some(action) = overdue else { break };
        shell.handle(Event::Applied { action, result: Err(Errno::ETIMEDOUT) });
    }
    let overdue = requests.borrow_mut().outstanding.end_overdue_dump(now);
    if let Some(dump) = overdue {
        let result = Err(DumpError::Failed(Errno::ETIMEDOUT));
        shell.handle(Event::Dumped { action: dump.action, result });
        start_waiting_dump(shell, channel);
    }
}

/// Answers are lost: nothing that is outstanding is known.
fn give_up(shell: &Shell, channel: &Channel) {
    let requests = (channel.requests)(shell);
    loop {
        let Some((_, action)) = requests.borrow_mut().outstanding.pop() else { break };
        shell.handle(Event::Applied { action, result: Err(Errno::LOST) });
    }
    requests.borrow_mut().shrink();
    let running = requests.borrow_mut().outstanding.end_dump().map(|dump| dump.action);
    let mut dumps = running.or_else(|| requests.borrow_mut().drop_dump());
    while let Some(action) = dumps {
        shell.handle(Event::Dumped { action, result: Err(DumpError::Failed(Errno::ENOBUFS)) });
        dumps = requests.borrow_mut().drop_dump();
    }
    shell.handle(Event::Overrun);
}
