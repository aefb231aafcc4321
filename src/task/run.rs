//! The loop. One turn: wait; adverts and the director's timers; what the director wants done; then everybody else,
//! for a millisecond at most, after which the wire is looked at again.
//!
//! Two executors on one thread, because an advert must not wait behind a thousand probes: *urgent* tasks read VRRP
//! sockets, *ordinary* ones do all else. How late the loop wakes is measured every turn and blamed on a kind of work.

use std::rc::Rc;

use smol::LocalExecutor;

use super::meter::Work;
use super::reactor::Reactor;
use super::requests::Requests;
use super::shell::{Options, Parts, Priority, Role, Shell};
use super::{
    adverts, answers, apply, birth, claims, console, control, echo, ipvs, journal, load, monitor, nftables,
    reload, route, settings, signals, slots, via,
};
use crate::config::{Config, needs};
use crate::director::Director;
use crate::director::event::Event;
use crate::director::health::slots_for;
use crate::kernel::clock;
use crate::kernel::error::Error;
use crate::kernel::machine::End;
use crate::kernel::netlink::Protocol;
use crate::kernel::packet::PacketSocket;
use crate::kernel::process;
use crate::kernel::signals::{Audience, Signals};
use crate::kernel::unix::Listener;
use crate::time::{Duration, Instant};

/// How long ordinary work may keep the loop from looking at the wire.
const TURN: Duration = Duration::from_millis(1);

/// Steps of checks that a turn takes whatever its time: where a step takes long (a slow processor, or one that somebody
/// else uses meanwhile) each would else have a turn of its own, with a look at the wire that costs as much again. They
/// are short by themselves: under 2 ms in all on the slowest router.
const LEAST: u64 = 8;

/// How long consoles may take for the last lines.
const FAREWELL: Duration = Duration::from_millis(100);

/// Both executors.
struct Executors {
    urgent: Rc<LocalExecutor<'static>>,
    ordinary: Rc<LocalExecutor<'static>>,
}

/// Runs `config` until a signal or a command stops it and everything is taken down. The appliance is told how the
/// machine shall end.
///
/// # Errors
/// What is needed to start and not there: epoll, signals, the routing sockets. What can be missing is logged.
pub fn run(config: Config, options: Options) -> Result<Option<End>, Error> {
    process::wake_on_time();
    let signals = Signals::open(match options.role {
        Role::Daemon => Audience::Daemon,
        Role::Appliance => Audience::Appliance,
    })?;
    let listener = control::claim(&options.control)?;
    let executors = Executors { urgent: Rc::default(), ordinary: Rc::default() };
    let shell = open(config, options, &executors)?;
    start(&shell, signals, listener)?;
    turn_until_stopped(&shell, &executors)?;
    Ok(shell.end())
}

/// Opens what every task needs.
fn open(config: Config, options: Options, executors: &Executors) -> Result<Rc<Shell>, Error> {
    let reactor = Reactor::new(0, 0)?;
    let needs = needs::count(&config);
    load::reserve(&reactor, &needs);
    let short = settings::set(&config, &needs, &|owner| owner.is_ours());
    let (route, opened) = Requests::open(&reactor, Protocol::Route);
    opened?;
    let (ipvs, opened) = Requests::open(&reactor, Protocol::Generic);
    tell(opened);
    let frames = PacketSocket::open();
    tell(frames.as_ref().map(|_| ()).map_err(|error| *error));
    let mut director = Director::new(config, clock::now());
    if options.keep.addresses {
        director.expect_leftovers();
    }
    Ok(Shell::new(Parts {
        reactor,
        director,
        options,
        frames: frames.ok(),
        route,
        ipvs,
        needs,
        short,
        urgent: Rc::downgrade(&executors.urgent),
        ordinary: Rc::downgrade(&executors.ordinary),
    }))
}

/// Spawns every task that the configuration needs; a reload may add links, the first use of a slot its task, and
/// nothing else is ever spawned.
fn start(shell: &Rc<Shell>, signals: Signals, listener: Option<Listener>) -> Result<(), Error> {
    let signals = shell.reactor.register(signals)?;
    monitor::start(shell)?;
    shell.spawn(Priority::Ordinary, signals::run(Rc::clone(shell), signals));
    shell.spawn(Priority::Ordinary, reload::run(Rc::clone(shell)));
    for channel in [&route::CHANNEL, &ipvs::CHANNEL] {
        // The next requests wait for them: behind a thousand checks the kernel's table would be made after those.
        shell.spawn(Priority::Urgent, answers::run(Rc::clone(shell), channel, shell.reactor.timer()?));
    }
    nftables::sweep(shell);
    control::start(shell, listener)?;
    console::start(shell)?;
    echo::start(shell)?;
    let (links, probes) = {
        let director = shell.director.borrow();
        (director.config().links.len(), slots_for(director.config()))
    };
    adverts::grow(shell, links);
    claims::start(shell);
    slots::grow(shell, probes);
    via::warn(shell.director.borrow().config());
    Ok(())
}

/// What is missing is said once; what needs it is answered with its error.
fn tell(opened: Result<(), Error>) {
    if let Err(error) = opened {
        log::error!("{error}");
    }
}

fn turn_until_stopped(shell: &Rc<Shell>, executors: &Executors) -> Result<(), Error> {
    let mut more = true;
    while !shell.is_stopped() || more {
        let due = shell.director.borrow().next_deadline().min(shell.reactor.next_deadline());
        if more {
            shell.reactor.glance()?;
        } else {
            shell.reactor.wait(due.min(shell.stop_at()))?;
        }
        more = turn(shell, executors, due);
        if shell.stop_at() <= clock::now() {
            break;
        }
    }
    journal::drain_all(shell);
    if !shell.director.borrow().is_stopped() {
        log::warn!("Stopped before everything was taken down: addresses or virtual servers may be left");
    }
    shell.feed.wake();
    say_farewell(shell, executors);
    Ok(())
}

/// Consoles show the last lines: a serial line has no room for all of them at once.
fn say_farewell(shell: &Shell, executors: &Executors) {
    let end = clock::now() + FAREWELL;
    while !run_tasks(shell, &executors.ordinary, end) && shell.feed.owes() && clock::now() < end {
        // Nothing is left that an error could keep from its end.
        let _ = shell.reactor.wait(end);
    }
}

/// One turn after waking. True if work is left that needs no waiting.
fn turn(shell: &Rc<Shell>, executors: &Executors, due: Instant) -> bool {
    let start = clock::now();
    shell.meter.woke(start, due);
    let end = start + TURN;
    shell.slots.borrow_mut().begin_turn();
    #[cfg(feature = "tls")]
    shell.tls.begin_turn();
    if shell.director.borrow().next_deadline() <= start {
        shell.meter.measure(Work::Adverts, || shell.handle(Event::Tick));
    }
    let left = run_tasks(shell, &executors.urgent, end);
    shell.touched.set(false);
    let mut more = act(shell, end);
    let behind = run_tasks(shell, &executors.ordinary, end);
    shell.slots.borrow_mut().end_turn(behind);
    more |= behind;
    more |= shell.touched.take() && act(shell, end);
    more |= journal::follow(shell);
    // Then more may be due than were begun.
    more |= shell.slots.borrow().room(false) == 0;
    birth::watch(shell);
    more |= shell.feed.wake();
    #[cfg(feature = "tls")]
    {
        more |= shell.tls.wants_turn();
    }
    more || left || shell.touched.get()
}

/// Does what the director wants until it wants nothing or the turn is over. True if it may want more.
fn act(shell: &Rc<Shell>, end: Instant) -> bool {
    while apply::poll(shell) {
        if clock::now() >= end {
            return true;
        }
    }
    false
}

/// Runs tasks that are awake until none is or the turn is over. True if some are.
fn run_tasks(shell: &Shell, executor: &LocalExecutor<'_>, end: Instant) -> bool {
    let steps = || shell.meter.work(Work::Probes).count;
    let mut checks = Checks { first: steps(), before: steps() };
    while executor.try_tick() {
        let now = clock::now();
        let goes_on = checks.go_on(steps()) && now < shell.director.borrow().next_deadline();
        if now >= end && !goes_on {
            return true;
        }
    }
    false
}

/// Steps of checks in a turn, as the meter counts them.
struct Checks {
    first: u64,
    before: u64,
}

impl Checks {
    /// After a task ran, at `steps`: true if it was a check's, and the turn has had few of them.
    const fn go_on(&mut self, steps: u64) -> bool {
        let was_check = steps > self.before;
        self.before = steps;
        was_check && steps - self.first < LEAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_whose_time_is_over_takes_a_few_steps_of_checks_and_of_nothing_else() {
        let mut checks = Checks { first: 100, before: 100 };
        let taken = (101..).take_while(|steps| checks.go_on(*steps)).count();
        assert_eq!(taken, 7, "the eighth ends it");
        let mut checks = Checks { first: 100, before: 100 };
        assert!(checks.go_on(102) && !checks.go_on(102), "a task that was no check's may be long");
    }
}
