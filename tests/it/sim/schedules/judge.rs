//! What must hold in every schedule, looked at after every single step. Whatever is wrong for a moment only is allowed;
//! each property says for how long. The judge knows the world and the configurations, and asks a director for nothing
//! but its state.

use lvsbox::config::ids::InstanceId;
use lvsbox::config::model::Preemption;
use lvsbox::director::vrrp::State;
use lvsbox::time::{Duration, Instant};

use super::story::{Company, Settings, Speech, Story};
use crate::support::{Node, World};

/// Since when something that must not last is so.
type Since = Option<Instant>;

/// A property that does not hold.
#[derive(Debug, Clone)]
pub(super) struct Breach {
    pub(super) property: &'static str,
    pub(super) text: String,
}

/// Two that hear each other are MASTER.
pub(super) const ONE_MASTER: &str = "P1 at most one master among those that hear each other";
/// A BACKUP that hears its betters takes over.
pub(super) const PATIENCE: &str =
    "P1 who hears a better one waits for a master-down time, after a farewell for the skew";
/// Nobody is MASTER.
pub(super) const SOME_MASTER: &str = "P2 some master whenever one is able";
/// Nobody is MASTER although the last one said farewell.
pub(super) const FAREWELL: &str = "P2 after a farewell some master within the skew time";
/// A reload costs mastership.
pub(super) const RELOAD: &str = "P2 a reload does not cost mastership";
/// An address where it must not be.
pub(super) const NO_STRAY: &str = "P3 no address in the kernel of a non-master";
/// No address where one must be.
pub(super) const ALL_THERE: &str = "P3 all addresses in the kernel of a master";
/// A lesser one is MASTER.
pub(super) const BEST_WINS: &str = "P4 the best one is master if it preempts";
/// A tracker counts for more or less than its weight.
const WEIGHT: &str = "P5 the priority is what the configuration and its trackers make it";
/// Members of a group go different ways.
const TOGETHER: &str = "P6 members of a group are in one state";

/// Remembers what is wrong and since when.
pub(super) struct Judge<'a> {
    story: &'a Story,
    /// How the boxes are configured now.
    pub(super) settings: Vec<Settings>,
    /// Which of them were told to stop.
    pub(super) stopped: Vec<bool>,
    /// MASTERs beside the MASTER, by both.
    rivals: Vec<Vec<Since>>,
    orphaned: Vec<Since>,
    passed_over: Vec<Since>,
    stray: Vec<Since>,
    missing: Vec<Since>,
    misjudged: Vec<Since>,
    parted: Vec<Since>,
    /// By when a farewell must have made a MASTER of somebody.
    soon: Vec<Since>,
    /// Before when a BACKUP must not take over.
    not_before: [Vec<Instant>; 2],
    /// Until when a farewell makes a BACKUP wait, however long it has waited before (RFC 3768 section 6.4.2 sets the
    /// timer to the skew time; it does not say "at most").
    excused: Vec<Instant>,
    /// The interval that a BACKUP goes by.
    adopted: [Vec<Option<Duration>>; 2],
    states: Vec<Option<State>>,
    /// The first property that did not hold.
    pub(super) breach: Option<Breach>,
    /// Times that one became MASTER.
    pub(super) elections: u64,
    /// What happened, if anybody wants to read it.
    pub(super) tale: Option<Vec<String>>,
    /// How long who is MASTER besides a better one, how long nobody is, and until a kernel has what it shall.
    overlap: Duration,
    silence: Duration,
    settle: Duration,
}

impl<'a> Judge<'a> {
    pub(super) fn new(story: &'a Story) -> Self {
        let count = story.boxes.len();
        let settle = Duration::from_millis(5) + story.latency.times(30);
        let delay = story.longest_delay();
        Self {
            story,
            settings: story.boxes.clone(),
            stopped: vec![false; count],
            rivals: vec![vec![None; count]; count],
            orphaned: vec![None; count],
            passed_over: vec![None; count],
            stray: vec![None; count],
            missing: vec![None; count],
            misjudged: vec![None; count],
            parted: vec![None; count],
            soon: vec![None; count],
            not_before: [vec![Instant::ZERO; count], vec![Instant::ZERO; count]],
            excused: vec![Instant::ZERO; count],
            adopted: [vec![None; count], vec![None; count]],
            states: vec![None; count],
            breach: None,
            elections: 0,
            tale: None,
            overlap: story.longest_interval() + delay.times(2) + settle,
            silence: story.longest_master_down() + delay + settle,
            settle,
        }
    }

    /// A line of the tale.
    pub(super) fn tell(&mut self, now: Instant, line: impl FnOnce() -> String) {
        if let Some(tale) = &mut self.tale {
            let micros = now.as_micros();
            tale.push(format!("{:>4}.{:06} {}", micros / 1_000_000, micros % 1_000_000, line()));
        }
    }

    pub(super) fn blame(&mut self, property: &'static str, now: Instant, text: impl FnOnce() -> String) {
        if self.breach.is_none() {
            let text = text();
            self.tell(now, || format!("BREACH of {property}: {text}"));
            self.breach = Some(Breach { property, text });
        }
    }

    /// The box has another configuration, interface or process: what its timers may do is not known any more.
    pub(super) fn forget(&mut self, id: usize) {
        for row in 0..2 {
            (self.not_before[row][id], self.adopted[row][id]) = (Instant::ZERO, None);
        }
        self.soon[id] = None;
    }

    /// The box is about to say farewell: who hears it has this long to take its place. One that may lose it, or hear an
    /// advert after it that was sent before it, is excused.
    pub(super) fn expect_farewell(&mut self, world: &World, id: usize) {
        if !is_able(world, id, self.stopped[id]) || self.states[id] != Some(State::Master) {
            return;
        }
        for heir in 0..self.settings.len() {
            let certain = is_able(world, heir, self.stopped[heir])
                && self.states[heir] == Some(State::Backup)
                && world.is_open(id, heir)
                && world.lan.loss == 0
                && !world.is_flying_to(heir);
            if certain {
                let skew = self.story.skew(self.story.longest_interval(), self.priority(world, heir));
                self.soon[heir] = Some(world.now + self.story.longest_delay() + skew + self.settle);
            }
        }
    }

    /// Something happened: what was wrong until now may have been so for too long.
    pub(super) fn look(&mut self, world: &World) {
        self.complain(world);
        self.follow(world);
        self.note(world);
    }

    /// Is anything wrong for too long?
    fn complain(&mut self, world: &World) {
        let now = world.now;
        let late = |since: Since, bound| since.map(|at| now.since(at)).filter(|span| *span > bound);
        for id in 0..self.settings.len() {
            for other in 0..id {
                let since = self.rivals[id][other]
                    .map(|since| since.max(world.lost[id][other]).max(world.lost[other][id]));
                if let Some(span) = late(since, self.overlap) {
                    self.blame(ONE_MASTER, now, || {
                        format!("{other} and {id} have both been MASTER for {span}")
                    });
                }
            }
            let excused = now <= self.excused[id];
            if let Some(span) = late(self.orphaned[id], self.silence).filter(|_| !excused) {
                self.blame(SOME_MASTER, now, || format!("{id} was able and had no MASTER for {span}"));
            }
            if let Some(span) = late(self.passed_over[id], self.silence).filter(|_| !excused) {
                self.blame(BEST_WINS, now, || {
                    format!("{id} heard no better one for {span} and is not MASTER")
                });
            }
            if let Some(span) = late(self.stray[id], self.settle) {
                self.blame(NO_STRAY, now, || format!("{id} has had another's address for {span}"));
            }
            if let Some(span) = late(self.missing[id], self.settle) {
                self.blame(ALL_THERE, now, || {
                    format!("{id} has been MASTER without its addresses for {span}")
                });
            }
            for (since, property) in [(self.misjudged[id], WEIGHT), (self.parted[id], TOGETHER)] {
                if let Some(span) = late(since, self.settle) {
                    self.blame(property, now, || format!("{id}: not so for {span}"));
                }
            }
            if self.orphaned[id].is_some() && self.soon[id].is_some_and(|soon| now > soon) {
                self.blame(FAREWELL, now, || format!("{id} heard a farewell and has no MASTER yet"));
            }
        }
    }

    /// Follows the states, and what may be expected of a BACKUP after what it heard.
    fn follow(&mut self, world: &World) {
        for id in 0..self.settings.len() {
            let state = world.nodes[id].as_ref().map(|node| node.state(0));
            let before = core::mem::replace(&mut self.states[id], state);
            if before == state {
                continue;
            }
            self.tell(world.now, || match state {
                Some(state) => format!("{id} is {state:?}"),
                None => format!("{id} is off"),
            });
            if state == Some(State::Master) {
                self.elections += 1;
                let [own, partner] = [self.not_before[0][id], self.not_before[1][id]];
                let grouped = self.story.company == Company::Group;
                let not_before = if grouped { own.min(partner) } else { own };
                if before == Some(State::Backup) && world.now < not_before {
                    let early = not_before.since(world.now);
                    self.blame(PATIENCE, world.now, || format!("{id} became MASTER {early} too early"));
                }
                self.forget(id);
            }
        }
        if let Some((id, packet)) = &world.delivered
            && self.states[*id] == Some(State::Backup)
        {
            self.hear(world, *id, packet);
        }
    }

    /// A BACKUP, or one that has just become it, heard an advert.
    fn hear(&mut self, world: &World, id: usize, packet: &[u8]) {
        let now = world.now;
        let advert = &packet[if self.story.speech == Speech::V3Ipv6 { 40 } else { 20 }..];
        let (priority, own) =
            (advert[2], Settings { priority: self.priority(world, id), ..self.settings[id] });
        let row = usize::from(advert[1] != 51);
        let mut bound = None;
        if priority == 0 {
            let skew = self.adopted[row][id].map(|interval| self.story.skew(interval, own.priority));
            bound = Some(skew.map_or(Instant::ZERO, |skew| now + skew));
        } else if priority >= own.priority || own.preemption == Preemption::Stay {
            let interval = match self.story.speech {
                Speech::V2 => Duration::from_secs(u64::from(advert[5])),
                Speech::V3 | Speech::V3Ipv6 => {
                    Duration::from_millis(10 * u64::from(u16::from_be_bytes([advert[4] & 0xf, advert[5]])))
                }
            };
            self.adopted[row][id] = Some(interval);
            bound = Some(now + self.story.master_down(interval, own.priority));
        }
        if let Some(bound) = bound {
            self.not_before[row][id] = bound;
        }
        // Of the second virtual router only how long it waits counts: a sync group takes the first one along.
        if row == 0 && priority == 0 {
            self.excused[id] =
                now + self.story.skew(self.story.longest_interval(), own.priority) + self.settle;
        }
    }

    /// What it goes by now: of two owners of the addresses one gives up its 255, and a tracker takes effect when the
    /// kernel has told of its interface.
    fn priority(&self, world: &World, id: usize) -> u8 {
        let router = world.nodes[id].as_ref().and_then(|node| node.director.vrrp().get(InstanceId(0)));
        match self.settings[id] {
            Settings { priority, weight: 0, .. } if priority != 255 => priority,
            own => router.map_or(own.priority, |router| router.priority),
        }
    }

    /// What is wrong now, be it for a moment or for long.
    fn note(&mut self, world: &World) {
        let (now, count) = (world.now, self.settings.len());
        let able: Vec<bool> = (0..count).map(|id| is_able(world, id, self.stopped[id])).collect();
        let master: Vec<bool> = (0..count).map(|id| self.states[id] == Some(State::Master)).collect();
        for id in 0..count {
            for other in 0..id {
                let both = able[id] && able[other] && master[id] && master[other];
                let wrong = both && world.is_open(id, other) && world.is_open(other, id);
                mark(&mut self.rivals[id][other], wrong, now);
            }
            let mut heard = (0..count).filter(|other| able[*other] && world.is_open(*other, id));
            let served = master[id] || heard.clone().any(|other| master[other]);
            mark(&mut self.orphaned[id], able[id] && !served, now);
            if self.orphaned[id].is_none() {
                self.soon[id] = None;
            }
            let own = self.settings[id];
            let better = heard.any(|other| self.priority(world, other) >= self.priority(world, id));
            let preempts = own.preemption == Preemption::Preempt;
            mark(&mut self.passed_over[id], able[id] && !master[id] && preempts && !better, now);
            let awake = world.nodes[id].as_ref().filter(|_| world.asleep[id] <= now);
            let (stray, missing) = awake.map_or((false, false), |node| self.differs(node, own, master[id]));
            let runs = awake.filter(|_| able[id]);
            let wrong = |node: &Node| {
                let up = node.kernel.links.iter().all(|link| link.running);
                let wished = own.effective(up);
                let router = node.director.vrrp().get(InstanceId(0));
                // Of two owners one is demoted.
                own.weight != 0 && wished != 255 && router.is_some_and(|router| router.priority != wished)
            };
            mark(&mut self.misjudged[id], runs.is_some_and(wrong), now);
            let apart = |node: &Node| {
                self.story.company == Company::Group
                    && core::mem::discriminant(&node.state(0)) != core::mem::discriminant(&node.state(1))
            };
            mark(&mut self.parted[id], runs.is_some_and(apart), now);
            mark(&mut self.stray[id], stray, now);
            mark(&mut self.missing[id], missing, now);
        }
    }

    /// Whether the kernel has an address that it must not have, and whether one is missing.
    fn differs(&self, node: &Node, own: Settings, master: bool) -> (bool, bool) {
        let (mut stray, mut missing) = (false, false);
        for (bit, vip) in self.story.addresses.iter().enumerate() {
            let wished = master && own.vips & (1 << bit) != 0;
            let there = node.kernel.has(*vip);
            stray |= there && !wished;
            missing |= wished && !there;
        }
        (stray, missing)
    }
}

fn mark(since: &mut Since, wrong: bool, now: Instant) {
    *since = wrong.then(|| since.unwrap_or(now));
}

/// It runs, has its turns, and its interface carries.
fn is_able(world: &World, id: usize, stopped: bool) -> bool {
    let carries = |node: &Node| node.kernel.links.first().is_some_and(|link| link.running);
    !stopped && world.asleep[id] <= world.now && world.nodes[id].as_ref().is_some_and(carries)
}
