//! Schedules: two to five boxes to which random things happen in random order, and what must hold in each of them
//! ([`judge`]). A schedule that fails is told again with as few deeds as still make it fail, with the line that replays
//! it. `SIM_SEED` plays one and tells it; `SIM_SEEDS` says how many are played.

#![allow(clippy::wildcard_enum_match_arm, reason = "a few kinds among many are meant")]

mod judge;
mod story;

use core::sync::atomic::{AtomicU64, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use lvsbox::config::model::Preemption;
use lvsbox::director::event::Keep;
use lvsbox::time::{Duration, Instant};

use crate::support::{Builder, Kernel, Lan, Node, Vr, World, ip};
use judge::{Breach, Judge, RELOAD};
use story::{Company, Deed, Settings, Speech, Story};

/// Schedules in every run of the tests.
const SCHEDULES: u64 = 100_000;
/// The last lines of a tale that are printed.
const LINES: usize = 60;

/// A story being played.
struct Play<'a> {
    story: &'a Story,
    world: World,
    judge: Judge<'a>,
    /// Of boxes that are off.
    kernels: Vec<Kernel>,
}

impl<'a> Play<'a> {
    fn new(story: &'a Story) -> Self {
        let kernels: Vec<Kernel> = (0..story.boxes.len()).map(|id| fresh_kernel(story, id)).collect();
        let node =
            |id: usize| boot(story, story.config(id, story.boxes[id]), kernels[id].clone(), Instant::ZERO);
        let nodes = (0..story.boxes.len()).map(node).collect();
        let world = World::new(nodes, story.weather, story.seed);
        Self { story, world, judge: Judge::new(story), kernels }
    }

    /// Plays these deeds, and at the end lets peace return.
    fn run(&mut self, deeds: &[(Instant, Deed)]) {
        self.judge.look(&self.world);
        for (due, deed) in deeds {
            self.run_until(*due);
            self.happen(*deed);
            if self.judge.breach.is_some() {
                return;
            }
        }
        self.run_until(self.world.now + self.story.longest_interval());
        self.happen(Deed::Heal);
        self.happen(Deed::Weather(Lan::default()));
        for id in 0..self.story.boxes.len() {
            self.happen(Deed::Start(id));
            self.happen(Deed::Carrier(id, true));
            self.happen(Deed::Uplink(id, true));
        }
        self.run_until(self.world.now + self.story.longest_master_down().times(2));
    }

    fn run_until(&mut self, until: Instant) {
        let judge = &mut self.judge;
        self.world.run_until(until, |world| judge.look(world));
        self.judge.look(&self.world);
    }

    fn happen(&mut self, deed: Deed) {
        let now = self.world.now;
        self.judge.tell(now, || format!("{deed:?}"));
        self.world.collect();
        self.apply(deed);
        self.world.collect();
        self.judge.look(&self.world);
    }

    fn apply(&mut self, deed: Deed) {
        let now = self.world.now;
        let (world, judge) = (&mut self.world, &mut self.judge);
        match deed {
            Deed::Split(mask) => {
                world.part = (0..world.nodes.len()).map(|id| mask >> id & 1).collect();
            }
            Deed::Cut(from, to) => world.cut.push((from, to)),
            Deed::Heal => {
                world.part.fill(0);
                world.cut.clear();
            }
            Deed::Weather(lan) => world.lan = lan,
            Deed::PowerLoss(id) => {
                self.kernels[id] = fresh_kernel(self.story, id);
                self.switch_off(id);
            }
            Deed::Kill(id) => {
                if let Some(node) = &world.nodes[id] {
                    self.kernels[id] = node.kernel.clone();
                }
                self.switch_off(id);
            }
            Deed::Start(id) => self.start(id),
            Deed::Sleep(id, millis) => {
                let until = now + Duration::from_millis(millis);
                world.asleep[id] = world.asleep[id].max(until);
            }
            // These need a box that runs.
            Deed::Stop(id)
            | Deed::Carrier(id, _)
            | Deed::Uplink(id, _)
            | Deed::Reload(id, _)
            | Deed::Overrun(id) => {
                if world.asleep[id] > now || judge.stopped[id] || world.nodes[id].is_none() {
                    return;
                }
                self.meddle(id, deed);
            }
        }
    }

    /// Something happens to a box that runs.
    fn meddle(&mut self, id: usize, deed: Deed) {
        let (now, judge) = (self.world.now, &mut self.judge);
        if matches!(deed, Deed::Stop(_)) {
            judge.expect_farewell(&self.world, id);
            judge.stopped[id] = true;
        }
        let node = self.world.node(id);
        match deed {
            Deed::Stop(_) => node.stop(Keep::default()),
            Deed::Overrun(_) => node.overrun(),
            Deed::Uplink(_, running) => {
                node.set_carrier("eth1", running);
                judge.forget(id);
            }
            Deed::Carrier(_, running) => {
                node.set_carrier("eth0", running);
                judge.forget(id);
            }
            // The shell waits with a reload until the kernel was listed.
            Deed::Reload(..) if !node.director.knows_kernel() => {}
            Deed::Reload(_, settings) => {
                let before = node.is_master(0);
                node.reload(self.story.config(id, settings));
                judge.settings[id] = settings;
                judge.forget(id);
                if before && !node.is_master(0) {
                    judge.blame(RELOAD, now, || format!("{id} is no longer MASTER"));
                }
            }
            _ => {}
        }
    }

    fn switch_off(&mut self, id: usize) {
        self.world.replace(id, None);
        self.judge.stopped[id] = false;
        self.judge.forget(id);
    }

    /// A box that is off, or whose process has ended, starts.
    fn start(&mut self, id: usize) {
        let kernel = match &self.world.nodes[id] {
            None => self.kernels[id].clone(),
            Some(node) if self.judge.stopped[id] => node.kernel.clone(),
            Some(_) => return,
        };
        self.switch_off(id);
        self.judge.look(&self.world);
        let config = self.story.config(id, self.judge.settings[id]);
        let node = boot(self.story, config, kernel, self.world.now);
        self.world.replace(id, Some(node));
    }
}

fn fresh_kernel(story: &Story, id: usize) -> Kernel {
    let primary = format!("192.0.2.{}", 11 + id).parse().unwrap();
    let mut kernel =
        if story.speech == Speech::V3Ipv6 { Kernel::dual(primary) } else { Kernel::new(primary) };
    kernel.ipvs = None;
    kernel.add_link("eth1");
    kernel
}

fn boot(story: &Story, config: lvsbox::config::Config, kernel: Kernel, now: Instant) -> Node {
    let mut node = Node::with_kernel(config, kernel, now);
    node.latency = story.latency;
    node
}

/// How a schedule went.
struct Outcome {
    breach: Option<Breach>,
    elections: u64,
    tale: Vec<String>,
}

fn play(story: &Story, deeds: &[(Instant, Deed)], told: bool) -> Outcome {
    let mut play = Play::new(story);
    play.judge.tale = told.then(Vec::new);
    let result = catch_unwind(AssertUnwindSafe(|| play.run(deeds)));
    let breach = match result {
        Ok(()) => play.judge.breach,
        Err(_) => Some(Breach { property: "P0 no panic", text: "see above".to_owned() }),
    };
    Outcome { breach, elections: play.judge.elections, tale: play.judge.tale.unwrap_or_default() }
}

/// Leaves out whatever is not needed for the same breach.
fn shrink(story: &Story, property: &str) -> Vec<(Instant, Deed)> {
    let mut deeds = story.deeds.clone();
    let mut place = deeds.len();
    while place > 0 {
        place -= 1;
        let mut fewer = deeds.clone();
        fewer.remove(place);
        if play(story, &fewer, false).breach.is_some_and(|breach| breach.property == property) {
            deeds = fewer;
            place = deeds.len();
        }
    }
    deeds
}

/// What a person needs to understand the breach.
fn report(story: &Story, breach: &Breach) -> String {
    let deeds = shrink(story, breach.property);
    let tale = play(story, &deeds, true).tale;
    let boxes: Vec<String> =
        story.boxes.iter().enumerate().map(|(id, one)| format!("  {id}: {one:?}\n")).collect();
    format!(
        "seed {seed}: {property}: {text}\n{speech:?}, unicast {unicast}, {company:?}, latency {latency}, {weather:?}\n{boxes}\
         {count} of {all} deeds are enough:\n{tale}\n\
         SIM_SEED={seed} cargo test --test it sim::schedules -- --nocapture",
        seed = story.seed,
        property = breach.property,
        text = breach.text,
        speech = story.speech,
        unicast = story.unicast,
        company = story.company,
        latency = story.latency,
        weather = story.weather,
        boxes = boxes.concat(),
        count = deeds.len(),
        all = story.deeds.len(),
        tale = tale[tale.len().saturating_sub(LINES)..].join("\n"),
    )
}

/// Plays the schedules on all processors; the failing one of the lowest seed that was met, and how many elections there
/// were.
fn play_all(count: u64) -> (Option<(u64, Breach)>, u64) {
    let (next, elections) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed: Mutex<Option<(u64, Breach)>> = Mutex::new(None);
    let work = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < count) {
            let story = Story::new(seed);
            let outcome = play(&story, &story.deeds, false);
            elections.fetch_add(outcome.elections, Ordering::Relaxed);
            if let Some(breach) = outcome.breach {
                next.store(count, Ordering::Relaxed);
                let mut failed = failed.lock().unwrap();
                if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                    *failed = Some((seed, breach));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    (failed.into_inner().unwrap(), elections.into_inner())
}

#[test]
fn whatever_happens_in_whatever_order_there_is_one_master_and_it_is_the_best() {
    if let Some(seed) = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()) {
        let story = Story::new(seed);
        let outcome = play(&story, &story.deeds, true);
        println!("{story:#?}\n{}", outcome.tale.join("\n"));
        assert!(outcome.breach.is_none(), "{}", report(&story, &outcome.breach.unwrap()));
        return;
    }
    let count = super::seeds(SCHEDULES).end;
    let (failed, elections) = play_all(count);
    if let Some((seed, breach)) = failed {
        panic!("{}", report(&Story::new(seed), &breach));
    }
    println!("{count} schedules, {elections} elections");
    assert!(elections > 2 * count, "{elections} elections only: nothing happens in these schedules");
}

/// Two boxes of which the first is the better one, in a story without deeds.
fn quiet_story() -> Story {
    let settings = |priority| Settings {
        priority,
        interval: 1_000,
        preemption: Preemption::Preempt,
        vips: 1,
        weight: 0,
    };
    let boxes = vec![settings(200), settings(100)];
    let addresses = ["192.0.2.101", "192.0.2.102", "198.51.100.1"].map(ip);
    Story {
        speech: Speech::V2,
        unicast: false,
        company: Company::Alone,
        boxes,
        weather: Lan::default(),
        addresses,
        deeds: Vec::new(),
        ..Story::new(0)
    }
}

/// What the judge says if the world is not as it should be.
fn breach_of(spoil: impl Fn(&mut Play<'_>)) -> Option<&'static str> {
    let story = quiet_story();
    let mut play = Play::new(&story);
    spoil(&mut play);
    play.run(&[]);
    play.judge.breach.map(|breach| breach.property)
}

#[test]
fn the_judge_of_the_schedules_sees_what_is_wrong() {
    let vip = quiet_story().addresses[0];
    assert_eq!(breach_of(|_| {}), None);
    // As if it heard nobody: it takes part in another virtual router.
    let deafen = |play: &mut Play<'_>| {
        let other = Vr { vrid: 52, vips: vec![format!("{vip}/24")], ..Vr::default() };
        let config = Builder::new().instance(other).build();
        let node = boot(play.story, config, play.kernels[1].clone(), Instant::ZERO);
        play.world.replace(1, Some(node));
    };
    assert_eq!(breach_of(deafen), Some(judge::PATIENCE));
    let two = breach_of(|play| {
        deafen(play);
        play.judge.settings[1].priority = 201;
    });
    assert_eq!(two, Some(judge::ONE_MASTER));
    let mute = breach_of(|play| {
        for id in 0..2 {
            play.world.node(id).kernel.addresses.clear();
        }
    });
    assert_eq!(mute, Some(judge::SOME_MASTER));
    let stray = breach_of(|play| _ = play.world.node(1).kernel.add_address("eth0", vip, 16));
    assert_eq!(stray, Some(judge::NO_STRAY));
    let missing = breach_of(|play| play.judge.settings[0].vips = 3);
    assert_eq!(missing, Some(judge::ALL_THERE));
    let lesser = breach_of(|play| play.judge.settings[1].priority = 201);
    assert_eq!(lesser, Some(judge::BEST_WINS));
}
