//! Every variant of the protocol through every scenario, against keepalived in both roles: what the wire shows and what
//! `ip addr` shows on both sides. One test is a variant and a way to take over (`Mode`); inside, both roles run at
//! once.
//!
//! Not repeated here: version 2 without authentication over multicast is `election` (life of a pair, nopreempt, equal
//! priorities, carrier, interface), `groups` (a member's link) and `behaviour` (preempt_delay, down_timer_adverts);
//! replayed and wrongly sealed multicast adverts are `sealed`; different intervals of version 3 are `version3`; forged
//! adverts are `hostile`; the bytes are `bytes`, `adverts` and `sealed`.

mod variant;
mod wire;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab::netns::Host;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use rustix::process::{Pid, Signal, kill_process};

use super::Pair;
use crate::rig::Make;
use Make::{Keepalived, Lvsbox};
use variant::{
    HIGH, LOW, Seal, V2_AH, V2_PASS, V2_UNICAST, V2_UNICAST_AH, V2_UNICAST_PASS, V3, V3_UNICAST, V6,
    V6_UNICAST, Variant,
};
use wire::Seen;

/// How early a clock may seem to fire.
const EARLY: Duration = Duration::from_millis(30);
/// How long a program may take to start on a loaded machine.
const START: Duration = Duration::from_millis(2_500);

/// When the better director takes over from a lesser one, and of how many instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Preempt,
    NoPreempt,
    Delay,
    /// Two instances in a sync group.
    Group,
}

/// One of the two directors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    High,
    Low,
}
use Side::{High, Low};

impl Side {
    fn other(self) -> Self {
        if self == High { Low } else { High }
    }

    fn priority(self) -> u8 {
        if self == High { HIGH } else { LOW }
    }
}

/// A pair in the course of its story.
struct Stage {
    pair: Pair,
    scratch: Scratch,
    variant: Variant,
    mode: Mode,
    makes: [Make; 2],
    passwords: [&'static str; 2],
    macs: [[u8; 6]; 2],
    running: [Option<Process>; 2],
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn mac(host: &Host) -> [u8; 6] {
    let listing = host.ip("-o link show eth0");
    let text = listing.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap();
    let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

impl Stage {
    fn new(variant: Variant, mode: Mode, makes: [Make; 2]) -> Self {
        let pair = Pair::new();
        pair.first.ip("addr add fd00:9::1/64 dev eth0 nodad");
        pair.second.ip("addr add fd00:9::2/64 dev eth0 nodad");
        let macs = [mac(&pair.first), mac(&pair.second)];
        let running = [None, None];
        let passwords = ["s3cret"; 2];
        Self { pair, scratch: Scratch::new("matrix"), variant, mode, makes, passwords, macs, running }
    }

    fn text(&self, side: Side) -> String {
        let lines = match (self.mode, side) {
            (Mode::NoPreempt, _) => "    nopreempt\n".to_owned(),
            (Mode::Delay, High) => format!("    preempt_delay {}\n", self.variant.delay().as_secs()),
            _ => String::new(),
        };
        let one =
            |number| self.variant.instance(side as usize, number, &lines, self.passwords[side as usize]);
        match self.mode {
            Mode::Group => {
                format!(
                    "vrrp_sync_group G {{\n    group {{\n        VI_1\n        VI_2\n    }}\n}}\n{}{}",
                    one(1),
                    one(2)
                )
            }
            Mode::Preempt | Mode::NoPreempt | Mode::Delay => one(1),
        }
    }

    fn vrids(&self) -> &'static [u8] {
        if self.mode == Mode::Group { &[51, 52] } else { &[51] }
    }

    fn host(&self, side: Side) -> &Host {
        [&self.pair.first, &self.pair.second][side as usize]
    }

    #[track_caller]
    fn director(&self, side: Side) -> &Process {
        self.running[side as usize].as_ref().unwrap()
    }

    fn adverts(&self) -> Vec<Seen> {
        self.pair.capture.frames().iter().filter_map(wire::advert).collect()
    }

    fn of(&self, side: Side, since: Duration) -> Vec<Seen> {
        let mac = self.macs[side as usize];
        self.adverts().into_iter().filter(|one| one.mac == mac && one.at >= since).collect()
    }

    /// What a side said as a MASTER: no farewells. Those of a director whose cable was pulled wait in its kernel for
    /// the peer's Ethernet address, and leave when the cable is back.
    fn spoken(&self, side: Side, since: Duration) -> Vec<Seen> {
        self.of(side, since).into_iter().filter(|one| one.priority != 0).collect()
    }

    /// How many of the virtual addresses a host has.
    fn held(&self, side: Side) -> usize {
        let rows = self.host(side).addresses("eth0");
        let last = |number: &u8| match self.variant.v6 {
            true => format!("2001:db8:9::{}/", number + 49),
            false => format!("10.9.0.{}/", number + 49),
        };
        self.vrids().iter().filter(|number| rows.iter().any(|row| row.starts_with(&last(number)))).count()
    }

    #[track_caller]
    fn start(&mut self, side: Side) -> Duration {
        let began = now();
        let make = self.makes[side as usize];
        let process = make.start(self.host(side), &self.text(side), &self.scratch);
        process.wait_line("(VI_1) Entering BACKUP STATE", secs(8));
        self.running[side as usize] = Some(process);
        began
    }

    /// The side is the only MASTER: by the addresses of both hosts and by the next adverts of every virtual router.
    #[track_caller]
    fn reigns(&self, side: Side) {
        self.reigns_beside(side, 0);
    }

    /// As [`Self::reigns`], with `left` addresses on the other host that nobody runs there to remove.
    #[track_caller]
    fn reigns_beside(&self, side: Side, left: usize) {
        let all = self.vrids().len();
        let what = format!("{side:?} ({:?}) to have the addresses", self.makes[side as usize]);
        wait::until(&what, secs(7), || {
            (self.held(side) == all && self.held(side.other()) == left).then_some(())
        });
        let mark = now();
        for vrid in self.vrids() {
            wait::until("an advert of the master", secs(3), || {
                self.of(side, mark)
                    .iter()
                    .find(|one| one.vrid == *vrid && one.priority == side.priority())
                    .copied()
            });
        }
        assert_eq!(self.spoken(side.other(), mark), [], "{:?} speaks, too", side.other());
    }

    /// Waits for `side` to speak after `mark`; the time since the other's last advert before.
    #[track_caller]
    fn takes_over(&self, side: Side, mark: Duration) -> Duration {
        let next = wait::until("a takeover", secs(9), || self.spoken(side, mark).first().copied());
        let before = self.of(side.other(), Duration::ZERO);
        // A sync group waits until every one of its members has waited for long enough.
        let last = before.iter().rev().find(|one| one.at < next.at);
        next.at - last.unwrap().at
    }

    #[track_caller]
    fn assert_due(&self, span: Duration, due: Duration, what: &str) {
        let late = self.variant.late();
        assert!(span + EARLY >= due && span <= due + late, "{what} took {span:?}, due after {due:?}");
    }

    fn farewells(&self, side: Side, since: Duration) -> Vec<Seen> {
        self.of(side, since).into_iter().filter(|one| one.priority == 0).collect()
    }

    /// A clean stop of the MASTER: one farewell, and the other one waits for its skew only.
    #[track_caller]
    fn stops(&mut self, side: Side) {
        let mark = now();
        let mut process = self.running[side as usize].take().unwrap();
        assert!(process.stop(secs(5)).success(), "a clean stop ends with status 0");
        let span = self.takes_over(side.other(), mark);
        self.assert_due(span, self.variant.skew(side.other().priority()), "takeover after a farewell");
        self.reigns(side.other());
        for vrid in self.vrids() {
            let count = self.farewells(side, mark).iter().filter(|one| one.vrid == *vrid).count();
            assert_eq!(count, 1, "farewells of {vrid}");
        }
    }

    /// The wire becomes silent: the other one waits for a whole master-down time.
    #[track_caller]
    fn is_missed(&self, side: Side, mark: Duration) {
        let span = self.takes_over(side.other(), mark);
        self.assert_due(span, self.variant.master_down(side.other().priority()), "takeover after silence");
        assert_eq!(self.farewells(side, mark), [], "silence is no farewell");
    }

    /// The cable of the MASTER is pulled.
    #[track_caller]
    fn is_cut_off(&self, side: Side) {
        let faults = self.director(side).count("(VI_1) Entering FAULT STATE");
        let mark = now();
        self.pair.lan.cut(self.host(side));
        self.director(side).wait_lines("(VI_1) Entering FAULT STATE", faults + 1, secs(3));
        self.is_missed(side, mark);
        self.reigns(side.other());
    }

    /// The better one has come back at `began`, and takes over as its mode says; `slack` is what it may need besides.
    #[track_caller]
    fn preempts(&self, began: Duration, slack: Duration) {
        let next =
            wait::until("the better one to preempt", secs(12), || self.spoken(High, began).first().copied());
        let (span, due) = (next.at - began, self.variant.master_down(HIGH));
        let (least, most) = match self.mode {
            // The wait starts with the last advert heard within the delay, which may be an interval old at its end.
            Mode::Delay => {
                let least = self.variant.delay() + due - self.variant.interval();
                (least, self.variant.delay() + due + self.variant.interval())
            }
            Mode::Preempt | Mode::NoPreempt | Mode::Group => (due, due),
        };
        assert!(span + EARLY >= least, "preempted after {span:?}, due after {least:?}");
        assert!(span <= most + self.variant.late() + slack, "preempted after {span:?}, due within {most:?}");
        self.reigns(High);
        assert_eq!(self.farewells(Low, began), [], "giving way is no farewell");
    }

    /// The better one must not preempt, for longer than any of its times.
    #[track_caller]
    fn waits(&self, side: Side) {
        let mark = now();
        let span = self.variant.master_down(HIGH) + self.variant.late();
        wait::steady("nopreempt", span, || self.spoken(side, mark).is_empty());
        self.reigns(side.other());
    }

    /// Every frame of and to the MASTER is lost for a while: two masters, and the better one stays.
    #[track_caller]
    fn is_parted(&self) {
        let mark = now();
        self.pair.lan.isolate(self.host(High));
        self.is_missed(High, mark);
        wait::until("the addresses on both", secs(2), || {
            ([self.held(High), self.held(Low)] == [self.vrids().len(); 2]).then_some(())
        });
        self.pair.lan.restore(self.host(High));
        self.reigns(High);
    }

    /// Nobody says farewell, and nobody removes an address.
    #[track_caller]
    fn crashes(&mut self, side: Side) {
        let mark = now();
        let mut process = self.running[side as usize].take().unwrap();
        if self.makes[side as usize] == Keepalived {
            // Its children say farewell if the parent is killed first, and are started again if they are.
            process.signal(Signal::STOP);
            let file = self.scratch.join(&format!("{}.vrrp.pid", self.host(side).name()));
            let pid = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        }
        process.crash();
        self.is_missed(side, mark);
        self.reigns_beside(side.other(), self.vrids().len());
    }

    /// Nowhere in the story were there two masters for longer than an interval.
    #[track_caller]
    fn assert_one_master(&self) {
        let interval = self.variant.interval();
        for vrid in self.vrids() {
            let span = wire::two_masters(&self.adverts(), *vrid, interval);
            assert!(span <= interval + EARLY, "two masters of {vrid} for {span:?}");
        }
    }
}

/// The better one is elected, stops, returns, loses its link, is parted from the other one, and crashes.
fn preemptive_story(stage: &mut Stage) {
    let began = stage.start(High);
    stage.start(Low);
    stage.preempts(began, START);
    assert_eq!(stage.of(Low, began), [], "the lesser one was elected");
    stage.stops(High);
    let began = stage.start(High);
    stage.preempts(began, START);
    stage.is_cut_off(High);
    let began = now();
    stage.pair.lan.join(stage.host(High));
    stage.preempts(began, Duration::ZERO);
    stage.is_parted();
    stage.crashes(High);
}

/// Who is MASTER stays it, however good the other one is.
fn modest_story(stage: &mut Stage) {
    stage.start(Low);
    stage.reigns(Low);
    stage.start(High);
    stage.waits(High);
    stage.stops(Low);
    stage.start(Low);
    stage.reigns(High);
    stage.is_cut_off(High);
    stage.pair.lan.join(stage.host(High));
    stage.waits(High);
    stage.crashes(Low);
}

/// The better one lets the other one be MASTER for its delay, but not if that one leaves.
fn patient_story(stage: &mut Stage) {
    stage.start(Low);
    stage.reigns(Low);
    let began = stage.start(High);
    stage.preempts(began, START);
    stage.stops(High);
    stage.start(High);
    stage.director(High).wait_line("(VI_1) start preempt delay", secs(3));
    stage.stops(Low);
    stage.start(Low);
    stage.reigns(High);
    stage.crashes(High);
}

/// Both roles at once, each of them named if it fails.
fn both_roles(work: impl Fn([Make; 2]) + Sync) {
    let work = &work;
    std::thread::scope(|scope| {
        let spawn = |name: &str, makes| {
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, move || work(makes)).unwrap();
        };
        spawn("lvsbox above keepalived", [Lvsbox, Keepalived]);
        spawn("keepalived above lvsbox", [Keepalived, Lvsbox]);
    });
}

fn story(variant: Variant, mode: Mode, makes: [Make; 2]) {
    let mut stage = Stage::new(variant, mode, makes);
    match mode {
        Mode::Preempt | Mode::Group => preemptive_story(&mut stage),
        Mode::NoPreempt => modest_story(&mut stage),
        Mode::Delay => patient_story(&mut stage),
    }
    stage.assert_one_master();
}

/// Different passwords: nobody obeys the other one, and both say why.
fn deaf_story(variant: Variant, makes: [Make; 2]) {
    let mut stage = Stage::new(variant, Mode::Preempt, makes);
    stage.passwords[1] = "another";
    let began = stage.start(High);
    stage.start(Low);
    for side in [High, Low] {
        let said = match (variant.seal, stage.makes[side as usize]) {
            (Seal::Ah, _) => "IPSEC-AH : invalid IPSEC HMAC-MD5 value",
            _ => "received an invalid passwd!",
        };
        stage.director(side).wait_line("(VI_1) Entering MASTER STATE", secs(8));
        stage.director(side).wait_line(said, secs(4));
        if stage.makes[side as usize] == Lvsbox {
            let shown = crate::rig::ctl(stage.host(side), "status");
            assert!(shown.contains("password"), "{shown}");
        }
    }
    let span = 3 * variant.interval() + variant.late();
    wait::steady("both stay MASTER", span, || stage.director(High).count("Entering BACKUP") == 1);
    assert_eq!(stage.director(Low).count("Entering BACKUP"), 1);
    assert_eq!([stage.held(High), stage.held(Low)], [1, 1]);
    assert_eq!(stage.farewells(High, began), []);
    assert_eq!(stage.farewells(Low, began), []);
}

macro_rules! cells {
    ($($name:ident: $variant:ident $mode:ident;)*) => {
        $(#[test] fn $name() { both_roles(|makes| story($variant, Mode::$mode, makes)); })*
    };
}

cells! {
    v2_ah_group: V2_AH Group;
    v2_ah_nopreempt: V2_AH NoPreempt;
    v2_ah_preempt: V2_AH Preempt;
    v2_ah_preempt_delay: V2_AH Delay;
    v2_pass_group: V2_PASS Group;
    v2_pass_nopreempt: V2_PASS NoPreempt;
    v2_pass_preempt: V2_PASS Preempt;
    v2_unicast_ah_group: V2_UNICAST_AH Group;
    v2_unicast_ah_nopreempt: V2_UNICAST_AH NoPreempt;
    v2_unicast_ah_preempt: V2_UNICAST_AH Preempt;
    v2_unicast_ah_preempt_delay: V2_UNICAST_AH Delay;
    v2_unicast_group: V2_UNICAST Group;
    v2_unicast_nopreempt: V2_UNICAST NoPreempt;
    v2_unicast_pass_preempt_delay: V2_UNICAST_PASS Delay;
    v2_unicast_preempt: V2_UNICAST Preempt;
    v3_group: V3 Group;
    v3_nopreempt: V3 NoPreempt;
    v3_preempt: V3 Preempt;
    v3_preempt_delay: V3 Delay;
    v3_unicast_group: V3_UNICAST Group;
    v3_unicast_nopreempt: V3_UNICAST NoPreempt;
    v3_unicast_preempt: V3_UNICAST Preempt;
    v3_unicast_preempt_delay: V3_UNICAST Delay;
    v6_group: V6 Group;
    v6_nopreempt: V6 NoPreempt;
    v6_preempt: V6 Preempt;
    v6_preempt_delay: V6 Delay;
    v6_unicast_group: V6_UNICAST Group;
    v6_unicast_nopreempt: V6_UNICAST NoPreempt;
    v6_unicast_preempt: V6_UNICAST Preempt;
    v6_unicast_preempt_delay: V6_UNICAST Delay;
}

/// keepalived with itself proves the stories.
#[test]
fn laboratory_stories() {
    std::thread::scope(|scope| {
        for (variant, mode) in
            [(V3, Mode::Preempt), (V6, Mode::NoPreempt), (V6_UNICAST, Mode::Delay), (V3, Mode::Group)]
        {
            scope.spawn(move || story(variant, mode, [Keepalived; 2]));
        }
    });
}

#[test]
fn v2_pass_another_password() {
    both_roles(|makes| deaf_story(V2_PASS, makes));
}

#[test]
fn v2_unicast_pass_another_password() {
    both_roles(|makes| deaf_story(V2_UNICAST_PASS, makes));
}

#[test]
fn v2_unicast_ah_another_password() {
    both_roles(|makes| deaf_story(V2_UNICAST_AH, makes));
}
