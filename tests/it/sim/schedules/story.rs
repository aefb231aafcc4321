//! What happens to the boxes of one schedule. It is made from the seed as a whole before it is played, so that deeds
//! can be left out one by one when a failure is to be told briefly.

#![allow(clippy::wildcard_enum_match_arm, reason = "a few kinds among many are meant")]

use core::net::IpAddr;

use lvsbox::config::Config;
use lvsbox::config::model::Preemption;
use lvsbox::time::{Duration, Instant};

use crate::support::{Builder, Dice, Lan, Vr, at, ip};

/// Which protocol the boxes of a story speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    V2,
    V3,
    V3Ipv6,
}

/// Whether there is a second virtual router in every box; the first one is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    Alone,
    /// One of another VRID that goes its own way.
    Stranger,
    /// One in the same sync group.
    Group,
}

/// What a configuration of these stories says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) priority: u8,
    /// Milliseconds.
    pub(super) interval: u64,
    pub(super) preemption: Preemption,
    /// Which of the story's addresses, a bit each.
    pub(super) vips: u8,
    /// Of `eth1`, which is tracked; 0: it is not.
    pub(super) weight: i16,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    /// Boxes with their bit set and the others do not hear each other.
    Split(u8),
    /// The second does not hear the first.
    Cut(usize, usize),
    Heal,
    Weather(Lan),
    PowerLoss(usize),
    /// The process dies; the kernel keeps what it has.
    Kill(usize),
    Stop(usize),
    Start(usize),
    Carrier(usize, bool),
    /// Of `eth1`, which only changes a priority.
    Uplink(usize, bool),
    /// No turn for so many milliseconds.
    Sleep(usize, u64),
    Reload(usize, Settings),
    Overrun(usize),
}

/// One schedule.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) seed: u64,
    pub(super) speech: Speech,
    /// Adverts go to peers.
    pub(super) unicast: bool,
    pub(super) company: Company,
    /// How the boxes are configured at the start.
    pub(super) boxes: Vec<Settings>,
    /// From request to answer in every kernel.
    pub(super) latency: Duration,
    pub(super) weather: Lan,
    /// The virtual addresses there may be.
    pub(super) addresses: [IpAddr; 3],
    /// In order of time.
    pub(super) deeds: Vec<(Instant, Deed)>,
}

impl Story {
    /// The story of this seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // The first numbers of neighbouring seeds resemble each other.
        for _ in 0..8 {
            dice.below(2);
        }
        let speech = [Speech::V2, Speech::V2, Speech::V3, Speech::V3Ipv6][dice.pick(4)];
        let base = if speech == Speech::V2 { 1_000 } else { [40, 100, 400, 1_000][dice.pick(4)] };
        let stays = [0, 0, 100, 40][dice.pick(4)];
        let count = 2 + dice.pick(4);
        // The segment of these stories knows boxes by their IPv4 addresses.
        let unicast = speech != Speech::V3Ipv6 && dice.percent(30);
        let company = [Company::Alone, Company::Alone, Company::Stranger, Company::Group][dice.pick(4)];
        let mut maker = Maker { dice, speech, base, stays, count, company };
        let boxes = (0..count).map(|_| maker.settings()).collect();
        let latency = Duration::from_micros(20 + maker.dice.below(1_000));
        let weather = maker.weather();
        let mut deeds = Vec::new();
        let mut now = maker.pause();
        for _ in 0..5 + maker.dice.below(14) {
            deeds.push((at(now), maker.deed()));
            now += maker.pause();
        }
        let addresses = match speech {
            Speech::V2 | Speech::V3 => ["192.0.2.101", "192.0.2.102", "198.51.100.1"],
            Speech::V3Ipv6 => ["fe80::100", "2001:db8::1", "2001:db8::2"],
        };
        Self { seed, speech, unicast, company, boxes, latency, weather, addresses: addresses.map(ip), deeds }
    }

    fn all_settings(&self) -> impl Iterator<Item = Settings> {
        let reloads = self.deeds.iter().filter_map(|(_, deed)| match deed {
            Deed::Reload(_, settings) => Some(*settings),
            _ => None,
        });
        self.boxes.iter().copied().chain(reloads)
    }

    /// The longest interval that any box ever has.
    pub(super) fn longest_interval(&self) -> Duration {
        let longest = self.all_settings().map(|settings| settings.interval).max();
        Duration::from_millis(longest.unwrap_or(0))
    }

    /// The longest that a packet is under way.
    pub(super) fn longest_delay(&self) -> Duration {
        let others = self.deeds.iter().filter_map(|(_, deed)| match deed {
            Deed::Weather(lan) => Some(lan.delay),
            _ => None,
        });
        let longest = others.chain([self.weather.delay]).max();
        Duration::from_micros(20 + longest.unwrap_or(0))
    }

    /// (256 - priority) / 256 seconds (RFC 3768 section 6.1), or intervals (RFC 9568 section 6.1): written down here
    /// once more, so that the simulation does not believe what it examines.
    pub(super) fn skew(&self, interval: Duration, priority: u8) -> Duration {
        let whole = if self.speech == Speech::V2 { Duration::from_secs(1) } else { interval };
        Duration::from_micros(whole.as_micros() * (256 - u64::from(priority)) / 256)
    }

    /// Three intervals and the skew.
    pub(super) fn master_down(&self, interval: Duration, priority: u8) -> Duration {
        interval.times(3) + self.skew(interval, priority)
    }

    /// The longest that any box waits for an active router that is silent.
    pub(super) fn longest_master_down(&self) -> Duration {
        let least = self.all_settings().map(Settings::least).min();
        self.master_down(self.longest_interval(), least.unwrap_or(1))
    }

    /// The configuration that says so.
    pub(super) fn config(&self, id: usize, settings: Settings) -> Config {
        let prefix = if self.speech == Speech::V3Ipv6 { 64 } else { 24 };
        let chosen = self.addresses.iter().enumerate().filter(|(bit, _)| settings.vips & (1 << bit) != 0);
        let others = (0..self.boxes.len()).filter(|other| self.unicast && *other != id);
        let instance = Vr {
            priority: settings.priority,
            interval: settings.interval / 1_000,
            v3: (self.speech != Speech::V2).then_some(settings.interval),
            preemption: settings.preemption,
            vips: chosen.map(|(_, vip)| format!("{vip}/{prefix}")).collect(),
            peers: others.map(|other| ip(&format!("192.0.2.{}", 11 + other))).collect(),
            track: if settings.weight == 0 { Vec::new() } else { vec![("eth1", settings.weight)] },
            ..Vr::default()
        };
        let vips =
            vec![if self.speech == Speech::V3Ipv6 { "fe80::150/64" } else { "192.0.2.150/24" }.to_owned()];
        let second = Vr { name: "VI_2", vrid: 52, vips, track: Vec::new(), ..instance.clone() };
        match self.company {
            Company::Alone => Builder::new().instance(instance).build(),
            Company::Stranger => {
                let second = Vr { priority: 255 - settings.priority.min(254), ..second };
                Builder::new().instance(instance).instance(second).build()
            }
            Company::Group => {
                let mut config =
                    Builder::new().instance(instance).instance(second).group("G", &[0, 1]).build();
                config.groups.iter_mut().for_each(|group| group.weighted = true);
                config
            }
        }
    }
}

impl Settings {
    /// The priority with `eth1` up or down.
    pub(super) fn effective(self, up: bool) -> u8 {
        let counts = (self.weight > 0) == up && self.priority != 255;
        let sum = i16::from(self.priority) + if counts { self.weight } else { 0 };
        if self.priority == 255 { 255 } else { u8::try_from(sum.clamp(1, 254)).unwrap() }
    }

    fn least(self) -> u8 {
        self.effective(true).min(self.effective(false))
    }
}

struct Maker {
    dice: Dice,
    speech: Speech,
    /// Milliseconds.
    base: u64,
    /// How many of a hundred configurations say `nopreempt`.
    stays: u64,
    count: usize,
    company: Company,
}

impl Maker {
    fn settings(&mut self) -> Settings {
        // Two owners give in one by one, which is no matter of a group; and its members go by one priority.
        let grouped = self.company == Company::Group;
        let best = if grouped { 254 } else { 255 };
        let priority = [1, 50, 99, 100, 101, 150, 200, 254, best][self.dice.pick(9)];
        let weight = if grouped { 0 } else { [0, 0, 0, 60, -60, 2][self.dice.pick(6)] };
        // An owner cannot but preempt.
        let stays = self.dice.percent(self.stays) && priority != 255;
        let quotient = if self.speech == Speech::V2 { 1 } else { [1, 1, 2, 4][self.dice.pick(4)] };
        // The first address stays: without any, version 3 is refused.
        let vips = 1 + 2 * u8::try_from(self.dice.pick(4)).unwrap();
        let preemption = if stays { Preemption::Stay } else { Preemption::Preempt };
        Settings { priority, interval: self.base / quotient, preemption, vips, weight }
    }

    fn weather(&mut self) -> Lan {
        let longest = (self.base * 1_000 / 25).min(20_000);
        match self.dice.below(3) {
            0 => Lan { loss: 0, doubled: 0, delay: self.dice.below(100) },
            1 => Lan { loss: 0, doubled: self.dice.below(40), delay: self.dice.below(longest) },
            _ => Lan {
                loss: self.dice.below(50),
                doubled: self.dice.below(40),
                delay: self.dice.below(longest),
            },
        }
    }

    /// Milliseconds until the next deed: at once, within an election, or long after it.
    fn pause(&mut self) -> u64 {
        let longest = [self.base / 50, self.base, 3 * self.base, 6 * self.base][self.dice.pick(4)];
        self.dice.below(longest + 1)
    }

    fn deed(&mut self) -> Deed {
        let id = self.dice.pick(self.count);
        match self.dice.below(25) {
            0 | 1 => Deed::Split(u8::try_from(self.dice.below(1 << self.count)).unwrap()),
            2 | 3 => Deed::Cut(id, self.dice.pick(self.count)),
            4 | 5 => Deed::Heal,
            6 | 7 => Deed::Weather(self.weather()),
            8 => Deed::PowerLoss(id),
            9 => Deed::Kill(id),
            10 => Deed::Stop(id),
            11..15 => Deed::Start(id),
            15 => Deed::Carrier(id, false),
            16 => Deed::Carrier(id, true),
            17 | 18 => Deed::Sleep(id, self.dice.below(7 * self.base)),
            19 => Deed::Overrun(id),
            23 => Deed::Uplink(id, false),
            24 => Deed::Uplink(id, true),
            _ => Deed::Reload(id, self.settings()),
        }
    }
}

impl Dice {
    /// A place in a list of so many.
    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }
}
