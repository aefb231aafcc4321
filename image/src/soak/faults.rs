//! What is done to the director and its world. Most faults are switches: the next time they strike, they heal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use rustix::process::Signal;

use super::site::Site;
use super::texts;
use crate::capture::Capture;
use crate::frames::Forged;
use crate::keepalived;
use crate::process::{Process, output_of};
use crate::wait::{self, secs};
use crate::web::{Behaviour, WebServer};

/// Pseudo-random numbers from a seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// A kind of fault.
#[derive(Debug)]
pub struct Kind {
    /// As it is shown.
    pub name: &'static str,
    /// How often it is chosen, among others.
    weight: u64,
    strike: fn(&mut Faults<'_>),
}

/// All of them.
pub const KINDS: &[Kind] = &[
    Kind { name: "cable of the clients", weight: 2, strike: |faults| faults.cut(0) },
    Kind { name: "cable of the servers", weight: 1, strike: |faults| faults.cut(1) },
    Kind { name: "interface down and up", weight: 2, strike: |faults| faults.flap() },
    Kind { name: "address deleted", weight: 3, strike: |faults| faults.delete_address() },
    Kind { name: "ipvsadm -C", weight: 2, strike: |faults| drop(faults.site.director.run("ipvsadm -C")) },
    Kind {
        name: "nft flush ruleset",
        weight: 1,
        strike: |faults| drop(faults.site.director.run("nft flush ruleset")),
    },
    Kind { name: "rules and routes deleted", weight: 1, strike: |faults| faults.delete_routes() },
    Kind { name: "server killed or back", weight: 4, strike: |faults| faults.kill_server() },
    Kind { name: "server misbehaves", weight: 6, strike: |faults| faults.misbehave() },
    Kind { name: "loss to the servers", weight: 2, strike: |faults| faults.lose(1) },
    Kind { name: "loss to the clients", weight: 1, strike: |faults| faults.lose(0) },
    Kind { name: "rival comes or goes", weight: 3, strike: |faults| faults.rival() },
    Kind { name: "forged adverts", weight: 1, strike: |faults| faults.forge() },
    Kind { name: "reload", weight: 3, strike: |faults| faults.reload() },
    Kind {
        name: "SIGHUP storm",
        weight: 1,
        strike: |faults| (0..30).for_each(|_| faults.site.signal(Signal::HUP)),
    },
    Kind { name: "refused configuration", weight: 2, strike: |faults| faults.refuse() },
    Kind { name: "clock step", weight: 1, strike: |faults| faults.step_clock() },
    Kind { name: "commands", weight: 4, strike: |faults| faults.command() },
    Kind { name: "junk on the console", weight: 3, strike: |faults| faults.junk() },
    Kind { name: "followers", weight: 2, strike: |faults| faults.follow() },
    Kind { name: "director stopped for 2 s", weight: 1, strike: |faults| faults.freeze() },
];

const COMMANDS: &[&str] = &[
    "status",
    "status json",
    "show vrrp",
    "show ipvs",
    "show ipvs stats",
    "show ipvs connections",
    "show ipvs save",
    "show checks json",
    "show config",
    "show interfaces",
    "show arp",
    "show routes",
    "show firewall",
    "show log json",
    "show loop",
    "why VI_1",
    "why 10.0.1.100:80",
    "real 10.128.1.2:8001 drain",
    "real 10.128.1.2:8001 enable",
    "real 10.128.3.3:8008 weight 9",
    "ping 10.0.1.9",
    "arping 10.0.1.9",
    "zero ipvs",
    "alarm clear",
    "reload",
    "help ipvs",
    "nonsense \u{1} of a sort",
    "why",
];

/// What goes wrong, and how far it has.
#[derive(Debug)]
pub struct Faults<'a> {
    site: &'a Site,
    dice: Dice,
    cut: [bool; 2],
    lossy: [bool; 2],
    web: Vec<Option<WebServer>>,
    rival: Option<Process>,
    followers: Vec<Process>,
    counts: BTreeMap<&'static str, u64>,
}

fn serve(site: &Site, port: u16) -> WebServer {
    WebServer::start(&site.farm, &format!("0.0.0.0:{port}"), Behaviour::Normal, "web")
}

impl<'a> Faults<'a> {
    /// All servers are well, and nothing is wrong.
    pub fn new(site: &'a Site, dice: Dice) -> Self {
        let web = texts::WEB.map(|port| Some(serve(site, port))).collect();
        Self {
            site,
            dice,
            cut: [false; 2],
            lossy: [false; 2],
            web,
            rival: None,
            followers: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Where it happens.
    pub const fn site(&self) -> &'a Site {
        self.site
    }

    /// A number below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.dice.below(u64::try_from(count).unwrap_or(1))).unwrap_or_default()
    }

    /// Does something: what is asked for, or anything. Returns its name.
    pub fn strike(&mut self, name: Option<&str>) -> &'static str {
        // A box that is cut off feels little else.
        if name.is_none() && self.dice.below(2) == 0 {
            self.reconnect();
        }
        let mut left = self.dice.below(KINDS.iter().map(|kind| kind.weight).sum());
        let by_chance = KINDS.iter().find(|kind| {
            let found = left < kind.weight;
            left = left.saturating_sub(kind.weight);
            found
        });
        let named = KINDS.iter().find(|kind| Some(kind.name) == name);
        let kind = named.or(by_chance).expect("a kind of fault");
        (kind.strike)(self);
        *self.counts.entry(kind.name).or_default() += 1;
        self.site.terminal.clear();
        kind.name
    }

    /// How often what was done.
    pub fn summary(&self) -> String {
        let (answered, asked) = self.site.requests();
        let mut text = format!("{answered} of {asked} requests of the client were answered\n");
        for (name, count) in &self.counts {
            let _ = writeln!(text, "{count:6}  {name}");
        }
        text
    }

    /// All checks are due at once, and nobody answers: each slot of a check is used, which takes memory from then on.
    /// To be called when all is well.
    pub fn crowd(&mut self) {
        self.cut(1);
        self.site.signal(Signal::STOP);
        // Longer than between two checks of any server.
        wait::maybe(secs(texts::LONGEST_DELAY + 1), || None::<()>);
        self.site.signal(Signal::CONT);
        // `265 probes, 7 of 265 slots busy; ...`
        wait::maybe(secs(10), || {
            let shown = self.site.ctl("show checks");
            let (_, slots) = shown.split_once(" probes, ")?;
            let (busy, rest) = slots.split_once(" of ")?;
            let all = rest.split(' ').next()?;
            (busy.parse::<u32>().ok()? >= all.parse().ok()?).then_some(())
        });
    }

    /// Cables, lines and clients that stayed are as they should be.
    pub fn repair(&mut self) {
        self.reconnect();
        self.followers.clear();
    }

    fn reconnect(&mut self) {
        for lan in 0..2 {
            if self.cut[lan] {
                self.cut(lan);
            }
            if self.lossy[lan] {
                self.lose(lan);
            }
        }
    }

    /// Everything is well again, and the director has noticed. `look` is called all the time meanwhile.
    ///
    /// # Panics
    /// If it does not notice.
    pub fn heal(&mut self, look: &mut dyn FnMut()) {
        self.repair();
        if self.rival.is_some() {
            self.rival();
        }
        for (web, port) in self.web.iter_mut().zip(texts::WEB) {
            web.get_or_insert_with(|| serve(self.site, port)).behave(Behaviour::Normal);
        }
        self.site.terminal.send(b"\x03\x03\x15");
        for words in ["10.128.1.2:8001", "10.128.3.3:8008"] {
            self.site.ctl(&format!("real {words} enable"));
        }
        // The second reload takes nothing over from a configuration that was another one.
        for _ in 0..2 {
            self.site.configure(&texts::text(0));
            self.wait_well(look);
        }
        self.site.ctl("alarm clear");
        // Draining ends, announcements end, repairs that are held come.
        wait::maybe(secs(15), || {
            look();
            None::<()>
        });
        let misses = self.site.misses();
        assert!(misses.is_empty(), "healed, and then not: {misses:#?}");
    }

    /// Waits until the director has noticed that all is well.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_well(&self, look: &mut dyn FnMut()) {
        let mut misses = Vec::new();
        let well = wait::maybe(secs(180), || {
            self.site.terminal.clear();
            look();
            misses = self.site.misses();
            misses.is_empty().then_some(())
        });
        assert!(well.is_some(), "not well after 180 s: {misses:#?}\n{}", self.site.ctl("status"));
    }

    fn cut(&mut self, lan: usize) {
        // The farm's cable or the director's: of the second LAN only the farm's has a name here.
        let host = if lan == 0 { &self.site.director } else { &self.site.farm };
        if self.cut[lan] {
            self.site.lans[lan].join(host);
        } else {
            self.site.lans[lan].cut(host);
        }
        self.cut[lan] = !self.cut[lan];
    }

    fn flap(&mut self) {
        let link = ["eth0", "eth1"][self.pick(2)];
        let times = 1 + self.dice.below(4);
        for _ in 0..times {
            self.site.director.ip(&format!("link set {link} down"));
            self.site.director.ip(&format!("link set {link} up"));
        }
    }

    fn delete_address(&mut self) {
        let vip = texts::vip(u8::try_from(self.dice.below(u64::from(texts::SERVICES))).unwrap_or_default());
        if self.site.director.has_address("eth0", &vip.to_string()) {
            let mut command = std::process::Command::new("ip");
            command.args([
                "-n",
                self.site.director.name(),
                "addr",
                "del",
                &format!("{vip}/24"),
                "dev",
                "eth0",
            ]);
            // It may have gone meanwhile.
            let _ = command.output();
        }
    }

    fn delete_routes(&mut self) {
        for words in ["rule del pref 200", "route del 10.77.0.0/16", "route del 10.128.0.0/15"] {
            let mut command = std::process::Command::new("ip");
            command.args(["-n", self.site.director.name()]).args(words.split(' '));
            let _ = command.output();
        }
    }

    fn kill_server(&mut self) {
        let place = self.pick(self.web.len());
        let site = self.site;
        let port = texts::WEB.start + u16::try_from(place).unwrap_or_default();
        self.web[place] = match self.web[place].take() {
            Some(_) => None,
            None => Some(serve(site, port)),
        };
    }

    fn misbehave(&mut self) {
        let (place, how) = (self.pick(self.web.len()), self.pick(Behaviour::ALL.len() + 4));
        let behaviour = Behaviour::ALL.get(how).map_or(Behaviour::Normal, |(_, behaviour)| *behaviour);
        self.web[place].iter().for_each(|web| web.behave(behaviour));
    }

    fn lose(&mut self, lan: usize) {
        let link = ["eth0", "eth1"][lan];
        let words = match self.lossy[lan] {
            true => format!("tc qdisc del dev {link} root"),
            false => format!(
                "tc qdisc replace dev {link} root netem loss {}% delay {}ms duplicate 5%",
                5 + self.dice.below(40),
                self.dice.below(80)
            ),
        };
        self.site.director.run(&words);
        self.lossy[lan] = !self.lossy[lan];
    }

    fn rival(&mut self) {
        if let Some(mut rival) = self.rival.take() {
            if self.dice.below(2) == 0 {
                rival.crash()
            } else {
                let _ = rival.stop(secs(20));
            }
            return;
        }
        let vips: String =
            (0..texts::SERVICES).map(|service| format!("  {}/24\n", texts::vip(service))).collect();
        let text = format!(
            "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 200\n advert_int 1\n \
             virtual_ipaddress {{\n{vips} }}\n}}\n"
        );
        self.rival = Some(keepalived::start_terse(&self.site.rival, &text, &self.site.scratch));
    }

    /// Of routers that are not there, some of them broken.
    fn forge(&mut self) {
        let wire = Capture::open(&self.site.rival, "eth0");
        for _ in 0..100 {
            let [vrid, priority, last] =
                [53, 256, 256].map(|bound| u8::try_from(self.dice.below(bound)).unwrap_or(1));
            let source = Ipv4Addr::new(10, 0, 1, last);
            let mut frame = Forged::new(source, vrid.max(50), priority, &[texts::vip(0), source]).frame();
            if self.dice.below(3) == 0 {
                let place = 14 + self.pick(frame.len() - 14);
                frame[place] ^= last | 1;
            }
            wire.send(&frame);
        }
    }

    fn reload(&mut self) {
        let turn = u8::try_from(self.dice.below(3)).unwrap_or_default();
        self.site.configure(&texts::text(turn));
    }

    fn refuse(&mut self) {
        let turn = self.dice.below(4);
        self.site.configure(&texts::refused(turn));
        if self.dice.below(3) == 0 {
            self.site.ctl("reload force");
        }
        self.site.ctl("status");
        self.reload();
    }

    fn step_clock(&mut self) {
        let step = [3_600, -3_600, 86_400, -40][self.pick(4)];
        let now: i64 = output_of({
            let mut command = std::process::Command::new("date");
            command.arg("+%s");
            command
        })
        .trim()
        .parse()
        .expect("the time");
        let mut command = std::process::Command::new("date");
        command.args(["-s", &format!("@{}", now + step)]);
        output_of(command);
    }

    fn command(&mut self) {
        for _ in 0..8 {
            let words = COMMANDS[self.pick(COMMANDS.len())];
            self.site.ctl(words);
        }
    }

    fn junk(&mut self) {
        let keys = [
            &b"show vrrp\r q"[..],
            b"sh\tch\t\r  q",
            b"why VI\t\r",
            b"watch status\r",
            b"log follow\r",
            b"\x1b[A\r",
        ];
        for _ in 0..6 {
            self.site.terminal.send(b"\x03");
            let some = keys[self.pick(keys.len())];
            self.site.terminal.send(some);
            let junk: Vec<u8> =
                (0..60).map(|_| u8::try_from(self.dice.below(256)).unwrap_or_default()).collect();
            self.site.terminal.send_blindly(&junk);
        }
        if self.dice.below(3) > 0 {
            self.site.terminal.send(b"\x03\x15");
        }
    }

    /// Clients that stay: the fifth is refused. They go all at once.
    fn follow(&mut self) {
        if self.followers.is_empty() {
            let words = ["log follow", "watch 1 show ipvs", "log changes json", "watch status", "log follow"];
            self.followers = words.map(|words| self.site.follow(words)).into();
        } else {
            self.followers.clear();
        }
    }

    fn freeze(&mut self) {
        self.site.signal(Signal::STOP);
        wait::maybe(secs(2), || None::<()>);
        self.site.signal(Signal::CONT);
    }
}
