//! Probe slots: at most 1,024 long-lived tasks, each running one probe's dialogue (`probe`) at a time. The task of a
//! slot is a few words; the dialogue stands in a table, but for TLS. A task is started when its slot is used first, and
//! stays: most boxes never use a hundred at the same time. Admission counts them all.
//!
//! A slot's job is replaced or taken away by the director (`begin`, `abort`); the task notices at its next poll and
//! drops connection and dialogue. There is no queue: a probe that finds no slot waits in the director.

#[cfg(feature = "tls")]
use core::future::Future;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use super::neighbours::Neighbours;
#[cfg(feature = "tls")]
use super::probe;
use super::probe::{Run, Surroundings};
use super::reactor::{ROW, Timer, store};
use super::shell::{Priority, Shell};
use super::via;
#[cfg(feature = "tls")]
use crate::check::Checker;
use crate::check::{Evidence, Verdict};
use crate::config::ids::ProbeId;
#[cfg(feature = "tls")]
use crate::config::tls::Contents;
use crate::director::action::{Epoch, SlotId};
use crate::director::event::Event;
use crate::kernel::clock;
use crate::limits::MAX_BATCH;

/// Bytes that the executor keeps of a task.
const TASK: usize = 128;

/// The slots.
#[derive(Default)]
pub(super) struct Slots {
    /// Of the slots that were used, as `runs`.
    rows: Vec<Slot>,
    /// What runs in each; room for all is reserved at load, and as long as it holds only the slots used so far, the
    /// kernel gives no pages for the rest. The director takes the slot that was given back last, so that a calm box
    /// uses a few.
    runs: Vec<Option<Run>>,
    neighbours: Neighbours,
    /// Tasks that were started: those of the first slots.
    started: u16,
    /// Jobs given in this turn of the loop.
    begun: usize,
    /// The last turn was over before every task had run.
    behind: bool,
}

/// Jobs given in one turn: then those that run are looked at, so that servers which answer at once give their slots
/// back before others are used, and a box that was stopped for a while does not knock everywhere at the same moment.
const MOST: usize = MAX_BATCH;
/// The same while there is a backlog, or the kernel's table is being changed: clients come first, and a slot that is
/// used once takes memory from then on. Some begin all the same: neither a backlog nor a table that is never complete
/// (somebody fights for it) may stop the checks.
const FEW: usize = 2;

impl Slots {
    /// A turn of the loop begins.
    pub(super) const fn begin_turn(&mut self) {
        self.begun = 0;
    }

    /// All tasks have run, or the turn is over and some are `left`.
    pub(super) const fn end_turn(&mut self, left: bool) {
        self.behind = left;
    }

    /// How many more jobs this turn may give; `busy` if others wait for the kernel.
    pub(super) const fn room(&self, busy: bool) -> usize {
        let most = if busy || self.behind { FEW } else { MOST };
        most.saturating_sub(self.begun)
    }

    /// The slots up to and with `id` whose tasks are not started.
    fn claim_up_to(&mut self, id: SlotId) -> core::ops::Range<u16> {
        let first = self.started;
        self.started = first.max(id.0.saturating_add(1));
        self.rows.resize_with(usize::from(self.started), Slot::default);
        first..self.started
    }

    fn reserve(&mut self, count: usize) {
        self.rows.reserve_exact(count - self.rows.len());
        self.runs.reserve_exact(count - self.runs.len());
    }

    /// Never beyond what was reserved.
    fn put(&mut self, id: SlotId, run: Run) {
        let row = usize::from(id.0);
        if row >= self.runs.len() {
            self.runs.resize_with(row + 1, || None);
        }
        if let Some(place) = self.runs.get_mut(row) {
            *place = Some(run);
        }
    }
}

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
/// allocator rounds the small pieces up by a quarter; tables are as large as was asked for.
pub(super) fn bytes() -> usize {
    fn task<F>(_: impl Fn(Rc<Shell>, SlotId, Timer) -> F) -> usize {
        size_of::<F>()
    }
    (task(run) + TASK) * 5 / 4 + size_of::<Slot>() + size_of::<Option<Run>>() + ROW
}

/// Bytes of a dialogue that speaks TLS, besides its session and its slot: with its place in two queues.
#[cfg(feature = "tls")]
pub(super) fn secure_bytes() -> usize {
    fn dialogue<'a, F>(_: impl Fn(&'a Shell, (SlotId, Job), &'a Timer) -> F) -> usize {
        size_of::<F>()
    }
    (dialogue(secure) + TASK) * 5 / 4
}

/// Makes room for `count` slots. To be called while a configuration is loaded.
pub(super) fn grow(shell: &Rc<Shell>, count: usize) {
    let mut slots = shell.slots.borrow_mut();
    if count > slots.rows.capacity() {
        slots.reserve(count);
        slots.neighbours.begin();
    }
}

/// Gives a slot a job; what it was doing is dropped.
pub(super) fn begin(shell: &Rc<Shell>, slot: SlotId, job: Job) {
    let mut slots = shell.slots.borrow_mut();
    slots.begun += 1;
    let new = slots.claim_up_to(slot);
    drop(slots);
    for slot in new {
        match shell.reactor.timer() {
            Ok(timer) => shell.spawn(Priority::Ordinary, run(Rc::clone(shell), SlotId(slot), timer)),
            Err(error) => log::error!("probe slot {slot}: {error}"),
        }
    }
    change(shell, slot, Some(job));
}

/// Drops what a slot is doing.
pub(super) fn abort(shell: &Shell, slot: SlotId) {
    change(shell, slot, None);
}

/// Drops what every slot is doing: after a reload nobody waits for it.
pub(super) fn abort_all(shell: &Shell) {
    let count = shell.slots.borrow().rows.len();
    (0..count).filter_map(|slot| u16::try_from(slot).ok()).for_each(|slot| abort(shell, SlotId(slot)));
    #[cfg(feature = "tls")]
    shell.tls.forget();
}

fn change(shell: &Shell, id: SlotId, job: Option<Job>) {
    let mut slots = shell.slots.borrow_mut();
    let Some(slot) = slots.rows.get_mut(usize::from(id.0)) else { return };
    (slot.job, slot.changed) = (job, true);
    let task = slot.task.take();
    drop(slots);
    task.into_iter().for_each(Waker::wake);
}

/// How a dialogue ended.
type End = (Verdict, Evidence);

/// What became of a job.
enum Begun {
    /// There is no such probe any more.
    Nothing,
    /// It runs in its place of the table.
    Here,
    /// It speaks TLS: it runs in a future that is made for it.
    #[cfg(feature = "tls")]
    Secure,
    /// It ended before it began.
    Over(Verdict),
}

async fn run(shell: Rc<Shell>, id: SlotId, timer: Timer) {
    loop {
        let job = poll_fn(|context| poll_job(&shell, id, context)).await;
        let end = match begin_run(&shell, id, job) {
            Begun::Nothing => None,
            Begun::Over(verdict) => Some((verdict, Evidence::default())),
            Begun::Here => poll_fn(|context| poll_run(&shell, (id, job), &timer, context)).await,
            #[cfg(feature = "tls")]
            Begun::Secure => Box::pin(secure(&shell, (id, job), &timer)).await,
        };
        timer.cancel();
        if let Some(end) = end {
            tell(&shell, id, job, end);
        }
    }
}

fn surroundings<'a>(
    shell: &'a Shell,
    source: Option<SocketAddr>,
    #[cfg(feature = "tls")] contents: &'a Rc<Contents>,
) -> Surroundings<'a> {
    Surroundings {
        reactor: &shell.reactor,
        meter: &shell.meter,
        buffer: &shell.reply,
        source,
        #[cfg(feature = "tls")]
        tls: (&shell.tls, contents),
    }
}

fn begin_run(shell: &Shell, id: SlotId, job: Job) -> Begun {
    let director = shell.director.borrow();
    let Some(probe) = director.probe(job.probe) else { return Begun::Nothing };
    #[cfg(feature = "tls")]
    if matches!(probe.checker, Checker::Ssl(_)) {
        return Begun::Secure;
    }
    let run = via::source(probe, director.config()).and_then(|source| {
        #[cfg(feature = "tls")]
        let around = surroundings(shell, source, &director.config().tls.contents);
        #[cfg(not(feature = "tls"))]
        let around = surroundings(shell, source);
        Run::begin(around, probe, job.step)
    });
    match run {
        Ok(run) => {
            shell.slots.borrow_mut().put(id, run);
            Begun::Here
        }
        Err(verdict) => Begun::Over(verdict),
    }
}

/// Goes on with what runs in the slot's place. The probe is the one it began with: a reload takes all jobs away.
fn poll_run(
    shell: &Shell,
    (id, job): (SlotId, Job),
    timer: &Timer,
    context: &Context<'_>,
) -> Poll<Option<End>> {
    let changed = poll_changed(shell, id, context).is_ready();
    let mut slots = shell.slots.borrow_mut();
    let Some(place) = slots.runs.get_mut(usize::from(id.0)) else { return Poll::Ready(None) };
    let director = shell.director.borrow();
    let (Some(run), Some(probe), false) = (place.as_mut(), director.probe(job.probe), changed) else {
        *place = None;
        return Poll::Ready(None);
    };
    #[cfg(feature = "tls")]
    let around = surroundings(shell, None, &director.config().tls.contents);
    #[cfg(not(feature = "tls"))]
    let around = surroundings(shell, None);
    let Poll::Ready(verdict) = run.poll(around, probe, timer, context) else { return Poll::Pending };
    let evidence = run.close(probe, verdict);
    *place = None;
    Poll::Ready(Some((verdict, evidence)))
}

/// A check that speaks TLS, whose sessions are allocated anyway.
#[cfg(feature = "tls")]
async fn secure(shell: &Shell, (id, job): (SlotId, Job), timer: &Timer) -> Option<End> {
    let probe = shell.director.borrow().probe(job.probe).cloned()?;
    let contents = Rc::clone(&shell.director.borrow().config().tls.contents);
    let source = via::source(&probe, shell.director.borrow().config());
    let source = match source {
        Ok(source) => source,
        Err(verdict) => return Some((verdict, Evidence::default())),
    };
    let evidence = core::cell::Cell::default();
    let around = surroundings(shell, source, &contents);
    // Pinned in place: a combinator would keep a second copy of the dialogue.
    let mut check = core::pin::pin!(probe::check(around, &probe, job.step, timer, &evidence));
    poll_fn(|context| match poll_changed(shell, id, context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => check.as_mut().poll(context).map(|verdict| Some((verdict, evidence.get()))),
    })
    .await
}

fn tell(shell: &Shell, id: SlotId, job: Job, (verdict, evidence): End) {
    let judged = shell.director.borrow().probe(job.probe).map(|probe| {
        let verdict = via::judge(probe, verdict);
        shell.slots.borrow_mut().neighbours.judge(clock::now(), probe, verdict)
    });
    let verdict = judged.unwrap_or(verdict);
    if matches!(verdict, Verdict::Fail(_)) {
        shell.handle(Event::Seen { slot: id, epoch: job.epoch, evidence: &evidence });
    }
    shell.handle(Event::Probed { slot: id, epoch: job.epoch, verdict });
}

fn poll_job(shell: &Shell, id: SlotId, context: &Context<'_>) -> Poll<Job> {
    let mut slots = shell.slots.borrow_mut();
    let Some(slot) = slots.rows.get_mut(usize::from(id.0)) else { return Poll::Pending };
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
    let Some(slot) = slots.rows.get_mut(usize::from(id.0)) else { return Poll::Pending };
    if slot.changed {
        return Poll::Ready(());
    }
    store(&mut slot.task, context);
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the limits promise of the memory of slots.
    #[test]
    fn a_slot_is_small_and_one_that_was_never_used_is_smaller() {
        fn future<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        let (row, place, task) = (size_of::<Slot>(), size_of::<Option<Run>>(), future(run));
        assert!(row <= 40 && place <= 384 && task <= 128, "{row} {place} {task}");
        let mut slots = Slots::default();
        slots.reserve(1_024);
        assert!(slots.runs.is_empty() && slots.runs.capacity() >= 1_024, "reserved and not touched");
    }

    #[test]
    fn few_jobs_are_given_in_a_turn_behind_a_backlog_or_while_others_wait_for_the_kernel() {
        let mut slots = Slots::default();
        assert_eq!((slots.room(false), slots.room(true)), (64, 2));
        slots.begun = 3;
        assert_eq!((slots.room(false), slots.room(true)), (61, 0), "of the whole turn");
        slots.end_turn(true);
        slots.begin_turn();
        assert_eq!(slots.room(false), 2, "the last turn left tasks");
        slots.end_turn(false);
        assert_eq!(slots.room(false), 64);
    }

    #[test]
    fn the_task_of_a_slot_is_started_when_the_slot_is_used_first_and_once() {
        let mut slots = Slots::default();
        assert_eq!(slots.claim_up_to(SlotId(0)), 0..1);
        assert_eq!(slots.claim_up_to(SlotId(3)), 1..4);
        assert!(slots.claim_up_to(SlotId(2)).is_empty() && slots.claim_up_to(SlotId(3)).is_empty());
        assert_eq!(slots.claim_up_to(SlotId(4)), 4..5);
    }
}
