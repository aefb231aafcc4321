//! How the loop spends its time: each kind of work is timed, and each wake-up is compared with its deadline, so that
//! `show loop` can name what made an advert late.

use core::cell::Cell;

use crate::console::view::Tally;
use crate::kernel::clock;
use crate::time::{Duration, Instant};

/// Kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Reading and sending adverts and announcements, and the director's timers.
    Adverts,
    /// The routing sockets; the kernel works inside our send.
    Route,
    /// IPVS; the kernel works inside our send.
    Ipvs,
    /// Probes.
    Probes,
    /// Commands of operators.
    Control,
    /// Reading a configuration and preparing it.
    Reload,
    /// Log lines.
    Log,
    /// Steps of TLS handshakes.
    #[cfg(feature = "tls")]
    Tls,
    /// None of ours: the kernel woke us late.
    Idle,
}

const KINDS: usize = if cfg!(feature = "tls") { 9 } else { 8 };

impl Work {
    /// Every kind, in the order of the screen.
    pub const ALL: [Self; KINDS] = [
        Self::Adverts,
        Self::Route,
        Self::Ipvs,
        Self::Probes,
        Self::Control,
        Self::Reload,
        Self::Log,
        #[cfg(feature = "tls")]
        Self::Tls,
        Self::Idle,
    ];

    /// The word on screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adverts => "adverts",
            Self::Route => "route",
            Self::Ipvs => "ipvs",
            Self::Probes => "probes",
            Self::Control => "control",
            Self::Reload => "reload",
            Self::Log => "log",
            #[cfg(feature = "tls")]
            Self::Tls => "tls",
            Self::Idle => "idle",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Upper ends of the classes of lateness; the last class has none.
pub const CLASSES: [Duration; 7] = [
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(100),
];

/// The worst wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worst {
    /// How late.
    pub late: Duration,
    /// What took most of the time before it.
    pub after: Work,
    /// When.
    pub at: Instant,
}

/// The figures.
#[derive(Debug)]
pub struct Meter {
    work: [Cell<Tally>; Work::ALL.len()],
    turn: [Cell<Duration>; Work::ALL.len()],
    classes: [Cell<u64>; CLASSES.len() + 1],
    wakes: Cell<Tally>,
    worst: Cell<Worst>,
    turns_total: Cell<u64>,
    since: Cell<Instant>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            work: Default::default(),
            turn: Default::default(),
            classes: Default::default(),
            wakes: Cell::default(),
            worst: Cell::new(Worst { late: Duration::ZERO, after: Work::Idle, at: Instant::ZERO }),
            turns_total: Cell::new(0),
            since: Cell::new(clock::now()),
        }
    }
}

impl Meter {
    /// Does `action` and adds its time to `work`.
    pub fn measure<R>(&self, work: Work, action: impl FnOnce() -> R) -> R {
        let start = clock::now();
        let result = action();
        self.spent(work, clock::now().since(start));
        result
    }

    /// Adds time to a kind of work.
    pub fn spent(&self, work: Work, time: Duration) {
        if let Some(cell) = self.work.get(work.index()) {
            cell.set(plus(cell.get(), time));
        }
        if let Some(cell) = self.turn.get(work.index()) {
            cell.set(cell.get() + time);
        }
    }

    /// The loop woke at `now` and the next deadline was `due`: [`Instant::NEVER`] for none, [`Instant::ZERO`] for one
    /// that is not a time ("at once"). Blames what took most of the turn that ends here.
    pub fn woke(&self, now: Instant, due: Instant) {
        self.turns_total.set(self.turns_total.get() + 1);
        let blamed = self.heaviest();
        self.turn.iter().for_each(|cell| cell.set(Duration::ZERO));
        if now < due || due == Instant::ZERO {
            return;
        }
        let late = now.since(due);
        self.wakes.set(plus(self.wakes.get(), late));
        let class = CLASSES.iter().position(|end| late <= *end).unwrap_or(CLASSES.len());
        if let Some(cell) = self.classes.get(class) {
            cell.set(cell.get() + 1);
        }
        if late > self.worst.get().late {
            self.worst.set(Worst { late, after: blamed, at: now });
        }
    }

    /// Times of one kind of work.
    pub fn work(&self, work: Work) -> Tally {
        self.work.get(work.index()).map(Cell::get).unwrap_or_default()
    }

    /// How late the loop woke for its deadlines.
    pub fn wakes(&self) -> Tally {
        self.wakes.get()
    }

    /// The worst wake-up; zero lateness if there was none.
    pub fn worst(&self) -> Worst {
        self.worst.get()
    }

    /// Wake-ups by class of lateness: up to each of [`CLASSES`], and above the last.
    pub fn classes(&self) -> [u64; CLASSES.len() + 1] {
        self.classes.each_ref().map(Cell::get)
    }

    /// Turns of the loop.
    pub fn turns_total(&self) -> u64 {
        self.turns_total.get()
    }

    /// Since when the figures count.
    pub fn since(&self) -> Instant {
        self.since.get()
    }

    /// What took most of this turn. Under a tenth of a millisecond it was nobody's fault here.
    fn heaviest(&self) -> Work {
        let time = |work: Work| self.turn.get(work.index()).map(Cell::get).unwrap_or_default();
        let heaviest = Work::ALL.into_iter().max_by_key(|work| time(*work)).unwrap_or(Work::Idle);
        if time(heaviest) < Duration::from_micros(100) { Work::Idle } else { heaviest }
    }
}

fn plus(tally: Tally, time: Duration) -> Tally {
    Tally { count: tally.count + 1, total: tally.total + time, longest: tally.longest.max(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn the_work_that_preceded_the_worst_wake_up_is_named() {
        let meter = Meter::default();
        meter.spent(Work::Probes, Duration::from_millis(1));
        meter.spent(Work::Ipvs, Duration::from_millis(7));
        meter.woke(at(108), at(100));
        meter.spent(Work::Control, Duration::from_millis(3));
        meter.woke(at(203), at(200));
        meter.woke(at(300), at(400));
        meter.woke(at(500), Instant::ZERO);
        let worst = meter.worst();
        assert_eq!((worst.late, worst.after, worst.at), (Duration::from_millis(8), Work::Ipvs, at(108)));
        assert_eq!(meter.wakes().count, 2, "waking before the deadline, or for none, is not late");
        assert_eq!(meter.classes(), [0, 0, 0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn a_late_wake_up_without_work_is_the_kernels() {
        let meter = Meter::default();
        meter.spent(Work::Adverts, Duration::from_micros(20));
        meter.woke(at(15), at(10));
        assert_eq!(meter.worst().after, Work::Idle);
    }
}
