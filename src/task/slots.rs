//! Probe slots: at most 1,024 long-lived tasks, each running one probe's dialogue (`probe`) at a time.
//!
//! A slot's job is replaced or taken away by the director (`begin`, `abort`); the task notices at its next poll and
//! drops connection and dialogue. There is no queue: a probe that finds no slot waits in the director.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use super::neighbours::Neighbours;
use super::probe::{self, Surroundings};
use super::reactor::{ROW, Timer, store};
use super::shell::{Priority, Shell};
use super::via;
use crate::check::Verdict;
use crate::config::ids::ProbeId;
use crate::director::action::{Epoch, SlotId};
use crate::director::event::Event;
use crate::kernel::clock;

/// Bytes that the executor keeps of a task.
const TASK: usize = 128;

/// The slots.
#[derive(Default)]
pub(super) struct Slots(Vec<Slot>, Neighbours);

/// What a slot is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    /// Of the action.
    pub(super) epoch: Epoch,
    /// The probe.
    pub(super) probe: ProbeId,
    /// Which of its dialogues.
    pub(super) step: u16,
}

#[derive(Default)]
struct Slot {
    job: Option<Job>,
    /// The job was replaced or taken away since the task took it.
    changed: bool,
    task: Option<Waker>,
}

/// Bytes of a slot: its task with the dialogue, what the executor and the reactor keep of it, its row here. The
/// allocator rounds up by a quarter.
pub(super) fn bytes() -> usize {
    fn task<F>(_: impl Fn(Rc<Shell>, SlotId, Timer) -> F) -> usize {
        size_of::<F>()
    }
    (task(run) + TASK + size_of::<Slot>() + ROW) * 5 / 4
}

/// Starts slots until there are `count`. To be called while a configuration is loaded.
pub(super) fn grow(shell: &Rc<Shell>, count: usize) {
    let held = shell.slots.borrow().0.len();
    if count > held {
        let mut slots = shell.slots.borrow_mut();
        slots.0.reserve_exact(count - held);
        slots.0.resize_with(count, Slot::default);
        slots.1.begin();
    }
    for slot in (held..count).filter_map(|slot| u16::try_from(slot).ok()) {
        match shell.reactor.timer() {
            Ok(timer) => shell.spawn(Priority::Ordinary, run(Rc::clone(shell), SlotId(slot), timer)),
            Err(error) => log::error!("probe slot {slot}: {error}"),
        }
    }
}

/// Gives a slot a job; what it was doing is dropped.
pub(super) fn begin(shell: &Shell, slot: SlotId, job: Job) {
    change(shell, slot, Some(job));
}

/// Drops what a slot is doing.
pub(super) fn abort(shell: &Shell, slot: SlotId) {
    change(shell, slot, None);
}

/// Drops what every slot is doing: after a reload nobody waits for it.
pub(super) fn abort_all(shell: &Shell) {
    let count = shell.slots.borrow().0.len();
    (0..count).filter_map(|slot| u16::try_from(slot).ok()).for_each(|slot| abort(shell, SlotId(slot)));
}

fn change(shell: &Shell, id: SlotId, job: Option<Job>) {
    let mut slots = shell.slots.borrow_mut();
    let Some(slot) = slots.0.get_mut(usize::from(id.0)) else { return };
    (slot.job, slot.changed) = (job, true);
    let task = slot.task.take();
    drop(slots);
    task.into_iter().for_each(Waker::wake);
}

async fn run(shell: Rc<Shell>, id: SlotId, timer: Timer) {
    loop {
        let job = poll_fn(|context| poll_job(&shell, id, context)).await;
        let probe = shell.director.borrow().probe(job.probe).cloned();
        let Some(probe) = probe else { continue };
        let source = via::source(&probe, shell.director.borrow().config());
        let source = match source {
            Ok(source) => source,
            Err(verdict) => {
                shell.handle(Event::Probed { slot: id, epoch: job.epoch, verdict });
                continue;
            }
        };
        #[cfg(feature = "tls")]
        let contents = Rc::clone(&shell.director.borrow().config().tls.contents);
        let around = Surroundings {
            reactor: &shell.reactor,
            meter: &shell.meter,
            buffer: &shell.reply,
            source,
            #[cfg(feature = "tls")]
            tls: (&shell.tls, &contents),
        };
        // Pinned in place: a combinator would keep a second copy of the dialogue in every slot.
        let evidence = Cell::default();
        let mut check = core::pin::pin!(probe::check(around, &probe, job.step, &timer, &evidence));
        let verdict = poll_fn(|context| match poll_changed(&shell, id, context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => check.as_mut().poll(context).map(Some),
        })
        .await;
        timer.cancel();
        if let Some(verdict) = verdict {
            let verdict = via::judge(&probe, verdict);
            let verdict = shell.slots.borrow_mut().1.judge(clock::now(), &probe, verdict);
            if matches!(verdict, Verdict::Fail(_)) {
                shell.handle(Event::Seen { slot: id, epoch: job.epoch, evidence: &evidence.get() });
            }
            shell.handle(Event::Probed { slot: id, epoch: job.epoch, verdict });
        }
    }
}

fn poll_job(shell: &Shell, id: SlotId, context: &Context<'_>) -> Poll<Job> {
    let mut slots = shell.slots.borrow_mut();
    let Some(slot) = slots.0.get_mut(usize::from(id.0)) else { return Poll::Pending };
    slot.changed = false;
    match slot.job.take() {
        Some(job) => Poll::Ready(job),
        None => {
            store(&mut slot.task, context);
            Poll::Pending
        }
    }
}

fn poll_changed(shell: &Shell, id: SlotId, context: &Context<'_>) -> Poll<()> {
    let mut slots = shell.slots.borrow_mut();
    let Some(slot) = slots.0.get_mut(usize::from(id.0)) else { return Poll::Pending };
    if slot.changed {
        return Poll::Ready(());
    }
    store(&mut slot.task, context);
    Poll::Pending
}
