//! Reading the configuration again: in pieces of a millisecond, beside the running director, and in force in one
//! event or not at all.
//!
//! One long-lived task; a request that comes while one is being worked on is worked on after it. A file with an error
//! changes nothing unless forced. The log reads the journal before the swap, because records hold ids of the old
//! configuration.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use smol::future::yield_now;

use super::load::{Found, Loading, Purpose, Report};
use super::meter::Work;
use super::reactor::store;
use super::shell::{Role, Shell};
use super::{adverts, apply, claims, journal, load, monitor, settings, slots, via};
use crate::config::Config;
use crate::config::needs::{Counting, Needs};
use crate::config::wishes::Owner;
use crate::director::reload::{Former, Reload};
use crate::kernel::clock;
use crate::kernel::error::Error;
use crate::limits::{MAX_CLIENTS, MAX_CONSOLES};
use crate::time::{Duration, Instant};

/// Work of this length is followed by everybody else's turn.
const SLICE: Duration = Duration::from_millis(1);

/// A reload waits so long after the start for the first list of what the kernel has.
const KNOWN_BY: Duration = Duration::from_secs(3);

/// Whether errors are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// A file with an error changes nothing.
    No,
    /// What can run runs.
    Yes,
}

/// Where requests are left and outcomes are found.
#[derive(Default)]
pub struct Desk {
    wanted: Cell<Option<Force>>,
    requested_total: Cell<u64>,
    done_total: Cell<u64>,
    outcome: RefCell<Outcome>,
    worker: RefCell<Option<Waker>>,
    waiting: RefCell<[Option<Waker>; MAX_CLIENTS + MAX_CONSOLES]>,
}

/// What became of the last request.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// When it ended; `None` before the first.
    pub at: Option<Instant>,
    /// What became of it.
    pub verdict: Verdict,
    /// What there was to say: diagnostics, one a line.
    pub text: String,
}

/// How a reload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// The file is in force.
    #[default]
    InForce,
    /// It has errors; nothing was changed.
    Refused(Found),
    /// It could not be read; nothing was changed.
    Unreadable {
        /// The kernel's error number.
        errno: u16,
    },
}

/// A request that was made: wait for it with [`Desk::poll_done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

impl Desk {
    /// Asks for a reload.
    pub fn request(&self, force: Force) -> Ticket {
        self.wanted.set(Some(force));
        self.requested_total.set(self.requested_total.get() + 1);
        let worker = self.worker.borrow_mut().take();
        worker.into_iter().for_each(Waker::wake);
        Ticket(self.requested_total.get())
    }

    /// Ready when the request was worked on. `client` is the row of the waiting client.
    pub(super) fn poll_done(&self, ticket: Ticket, client: usize, context: &Context<'_>) -> Poll<()> {
        if self.is_done(ticket) {
            return Poll::Ready(());
        }
        if let Some(place) = self.waiting.borrow_mut().get_mut(client) {
            store(place, context);
        }
        Poll::Pending
    }

    /// True if the request was worked on.
    pub fn is_done(&self, ticket: Ticket) -> bool {
        self.done_total.get() >= ticket.0
    }

    /// What became of the last request.
    pub fn outcome(&self) -> core::cell::Ref<'_, Outcome> {
        self.outcome.borrow()
    }

    /// The request to work on and its number.
    fn poll_wanted(&self, context: &Context<'_>) -> Poll<(Force, u64)> {
        match self.wanted.take() {
            Some(force) => Poll::Ready((force, self.requested_total.get())),
            None => {
                store(&mut self.worker.borrow_mut(), context);
                Poll::Pending
            }
        }
    }

    fn done(&self, upto: u64, outcome: Outcome) {
        self.outcome.replace(outcome);
        self.done_total.set(upto);
        let waiting = core::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Works on requests for ever.
pub(super) async fn run(shell: Rc<Shell>) {
    loop {
        let (force, number) = poll_fn(|context| shell.desk.poll_wanted(context)).await;
        let (verdict, text) = match prepare(&shell, force).await {
            Ok((config, Report { found, text })) => {
                put_in_force(&shell, config).await;
                shell.found.set(found);
                (Verdict::InForce, text)
            }
            Err(refused) => refused,
        };
        shell.desk.done(number, Outcome { at: Some(clock::now()), verdict, text });
    }
}

/// Reads and checks the file. What it says is logged, and returned for whoever asked.
async fn prepare(shell: &Shell, force: Force) -> Result<(Config, Report), (Verdict, String)> {
    let path = &shell.options.file;
    log::info!("Reloading {}", path.display());
    let mut loading =
        Loading::open(path, shell.options.config_id.as_deref(), Purpose::Run(shell.options.budget))
            .map_err(unreadable)?;
    let mut failed = None;
    while !in_slices(shell, || match loading.step() {
        Ok(done) => done,
        Err(error) => {
            failed = Some(error);
            true
        }
    }) {
        yield_now().await;
    }
    if let Some(error) = failed {
        return Err(unreadable(error));
    }
    let loaded = shell.meter.measure(Work::Reload, || loading.finish());
    let report = Report::of(&loaded);
    report.log();
    match loaded.config {
        Some(config) if report.found.errors == 0 || force == Force::Yes => Ok((config, report)),
        Some(_) | None => {
            let text = format!("{}{}: nothing was changed\n", report.text, loaded.diagnostics.totals());
            Err(refuse(Verdict::Refused(report.found), text))
        }
    }
}

fn unreadable(error: Error) -> (Verdict, String) {
    refuse(Verdict::Unreadable { errno: error.number() }, format!("{error}: nothing was changed\n"))
}

fn refuse(verdict: Verdict, text: String) -> (Verdict, String) {
    let reason = text.lines().last().unwrap_or_default();
    log::error!("Reload refused: {reason}");
    (verdict, text)
}

async fn put_in_force(shell: &Rc<Shell>, config: Config) {
    let mut counting = Counting::default();
    while !in_slices(shell, || counting.step(&config)) {
        yield_now().await;
    }
    let needs = counting.finish();
    let mut reload = Reload::new(config, &shell.director.borrow(), clock::now());
    while !in_slices(shell, || reload.step(&shell.director.borrow())) {
        yield_now().await;
    }
    // Milliseconds after the start, or never if the kernel lists nothing.
    let patience = shell.started + KNOWN_BY;
    while !shell.director.borrow().knows_kernel() && clock::now() < patience {
        yield_now().await;
    }
    let former = shell.meter.measure(Work::Reload, || swap(shell, reload, &needs));
    yield_now().await;
    let config = shell.meter.measure(Work::Reload, || former.free());
    yield_now().await;
    shell.meter.measure(Work::Reload, || drop(config));
}

fn swap(shell: &Rc<Shell>, reload: Reload, needs: &Needs) -> Former {
    warn_of_the_box(shell, reload.config());
    let is_box = shell.options.role == Role::Appliance;
    let is_ours = |owner: Owner| owner.is_ours() || is_box && owner != Owner::Sysctl;
    shell.short.set(settings::set(reload.config(), needs, &is_ours));
    shell.needs.set(*needs);
    load::reserve(&shell.reactor, needs);
    let before = shell.director.borrow().config().links.clone();
    shell.director.borrow_mut().announce_departures(clock::now(), &reload);
    apply::departures(shell);
    journal::drain_all(shell);
    slots::abort_all(shell);
    let former = shell.director.borrow_mut().adopt(clock::now(), reload);
    // Before the director's next action lists them: what happens from then on must be heard.
    monitor::follow(shell);
    shell.touched.set(true);
    let (links, probes) = {
        let director = shell.director.borrow();
        (director.config().links.len(), crate::director::health::slots_for(director.config()))
    };
    adverts::grow(shell, links);
    adverts::follow(shell, &before, shell.director.borrow().config());
    claims::follow(shell);
    slots::grow(shell, probes);
    via::warn(shell.director.borrow().config());
    former
}

/// What a reload does not change: the box itself was set up before the loop.
fn warn_of_the_box(shell: &Shell, config: &Config) {
    let director = shell.director.borrow();
    let before = director.config();
    if (&before.appliance, &before.interfaces) != (&config.appliance, &config.interfaces) {
        log::warn!(
            "`appliance` and `interface` blocks have changed: they count from the next boot of the appliance"
        );
    }
}

/// Repeats `step` until it is done or a slice of time is over. True when it is done.
fn in_slices(shell: &Shell, mut step: impl FnMut() -> bool) -> bool {
    shell.meter.measure(Work::Reload, || {
        let end = clock::now() + SLICE;
        loop {
            if step() {
                return true;
            }
            if clock::now() >= end {
                return false;
            }
        }
    })
}
