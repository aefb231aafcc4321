//! The demonstration's LAN: one switch, two directors on machines of their own, and the world with client and web
//! servers; every guest's cable and power in our hands.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::board::Board;
use crate::firmware::Firmware;
use crate::guest;
use crate::machine::{Machine, OnReboot, Setup};
use crate::switch::Switch;
use crate::wait;
use crate::world::{Answer, SERVERS, VIP, World};

/// Names of the directors; the index is also that of their port on the switch.
pub const DIRECTORS: [&str; 2] = ["lb1", "lb2"];
/// Their addresses.
pub const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 11), Ipv4Addr::new(192, 0, 2, 12)];
/// Their configurations.
pub const CONFIGURATIONS: [&str; 2] = [include_str!("lb1.conf"), include_str!("lb2.conf")];
/// The world's port.
pub const WORLD_PORT: usize = 2;
/// The longest a boot may take on a busy machine.
pub const BOOT: Duration = wait::secs(120);
/// Answers in a row that count as service.
const SERVED: usize = 5;
/// Without an advert for so long, there is no master: `advert_int` and some.
const MASTER_HEARD: Duration = Duration::from_millis(2_500);

/// The addresses and what is there, less than 80 columns wide.
pub const PICTURE: &str = "
   client 192.0.2.50     asks http://192.0.2.100/ ten times a second
      |
 -----+------------+---------------+---------------+---------------+-----
                   |               |               |               |
                  lb1             lb2            web1            web2
              192.0.2.11      192.0.2.12      192.0.2.21      192.0.2.22
             priority 150    priority 100      have 192.0.2.100 on lo and
         the MASTER has 192.0.2.100, and      answer the client directly
        forwards to web1, web2 (IPVS, DR)
";

/// All of it. Dropped, everything stops.
#[derive(Debug)]
pub struct Lan {
    /// The directors' machines, as [`DIRECTORS`].
    pub directors: [Machine; 2],
    /// Client and web servers.
    pub world: World,
    /// Between them.
    pub switch: Switch,
    /// Whose cable is pulled.
    pub is_cut: [bool; 2],
    /// Which web server is dead.
    pub is_dead: [bool; 2],
    /// When the first machine was switched on.
    pub started: Instant,
}

/// The image with `configuration` and the program `binary`.
pub fn firmware(binary: &Path, configuration: &str) -> Firmware {
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board/qemu-x86_64");
    Firmware {
        board: Board::read(&board).expect("read the board"),
        modules: guest::kernel().1,
        binary: binary.to_owned(),
        configuration: configuration.to_owned(),
        without: None,
        files: Vec::new(),
    }
}

impl Lan {
    /// Switches everything on. `binary` is lvsbox for the board, `world` the command that runs the world in its guest.
    /// All guests die with the thread that calls this.
    ///
    /// # Panics
    /// If QEMU does not start, or the binary is missing.
    pub fn boot(binary: &Path, world: &[&str]) -> Self {
        assert!(binary.is_file(), "no program {}", binary.display());
        let started = Instant::now();
        let switch = Switch::new(3);
        // Its boot takes longest.
        let world = World::boot_with(switch.wire(WORLD_PORT), world);
        let directors = [0, 1].map(|index| {
            let setup = Setup::new(DIRECTORS[index]).wire(switch.wire(index)).on_reboot(OnReboot::Again);
            setup.boot(&firmware(binary, CONFIGURATIONS[index]))
        });
        Self { directors, world, switch, is_cut: [false; 2], is_dead: [false; 2], started }
    }

    /// Waits until both consoles prompt and the client is served, and returns how long that took since the start.
    ///
    /// # Panics
    /// If that takes two minutes.
    #[track_caller]
    pub fn wait_ready(&self) -> Duration {
        for machine in &self.directors {
            machine.serial().wait_prompt(BOOT);
        }
        self.world.wait_ready(BOOT);
        wait::until("answers for the client", BOOT, || self.is_served(0).then_some(()));
        self.started.elapsed()
    }

    /// True if the last answers since number `from` were all good, and are enough to say so.
    pub fn is_served(&self, from: usize) -> bool {
        let answers = self.world.answers_since(from);
        answers.iter().rev().take_while(|answer| answer.outcome.is_ok()).count() >= SERVED
    }

    /// Pulls or mends the cable of a director.
    pub fn set_cut(&mut self, index: usize, cut: Cable) {
        self.is_cut[index] = cut == Cable::Pulled;
        if self.directors[index].has_ended() {
            return;
        }
        match cut {
            Cable::Pulled => {
                self.directors[index].unplug(0);
                // What left it before may still be on its way into the switch.
                self.switch.settle();
            }
            Cable::Mended => self.directors[index].plug(0),
        }
    }

    /// Kills a director's machine, if it is on.
    pub fn power_off(&mut self, index: usize) {
        if !self.directors[index].has_ended() {
            self.directors[index].kill();
            self.switch.settle();
        }
    }

    /// Switches a director on, if it is off. A pulled cable stays pulled.
    pub fn power_on(&mut self, index: usize) {
        if self.directors[index].has_ended() {
            self.directors[index].power_on();
            if self.is_cut[index] {
                self.directors[index].unplug(0);
            }
        }
    }

    /// Kills a web server.
    pub fn kill_server(&mut self, index: usize) {
        self.world.kill(SERVERS[index].0);
        self.is_dead[index] = true;
    }

    /// Starts a web server again.
    pub fn restore_server(&mut self, index: usize) {
        self.world.restore(SERVERS[index].0);
        self.is_dead[index] = false;
    }

    /// The director whose advert the switch saw last, if that was lately.
    pub fn master(&self) -> Option<usize> {
        let advert = self.switch.adverts().pop()?;
        let is_late = now().saturating_sub(advert.at) > MASTER_HEARD || advert.priority == 0;
        ADDRESSES.iter().position(|address| *address == advert.source).filter(|_| !is_late)
    }

    /// Priorities in the adverts of a director since `since`, with their times.
    pub fn adverts(&self, index: usize, since: Duration) -> Vec<(Duration, u8)> {
        let adverts = self.switch.adverts().into_iter();
        let fits = adverts.filter(|advert| advert.source == ADDRESSES[index] && advert.at >= since);
        fits.map(|advert| (advert.at, advert.priority)).collect()
    }

    /// How many gratuitous ARPs for the virtual address came in at a director's port since `since`.
    pub fn announcements(&self, index: usize, since: Duration) -> usize {
        let seen = self.switch.seen().into_iter();
        let fits = seen.filter(|seen| seen.port == index && seen.frame.at >= since);
        fits.filter_map(|seen| seen.frame.gratuitous_arp()).filter(|arp| arp.address == vip()).count()
    }

    /// How many connections the client began through a director since `since`: SYN to the virtual address, to the
    /// Ethernet address of that director's card.
    pub fn connections(&self, index: usize, since: Duration) -> usize {
        let mac: Vec<u8> = (self.directors[index].mac(0).split(':'))
            .map(|byte| u8::from_str_radix(byte, 16).expect("a MAC is in hexadecimal"))
            .collect();
        let is_syn = |bytes: &[u8]| {
            let tcp = 14 + usize::from(bytes.get(14).copied().unwrap_or_default() & 0x0f) * 4;
            bytes.get(..6) == Some(&*mac)
                && bytes.get(12..14) == Some(&[8, 0])
                && bytes.get(23) == Some(&6)
                && bytes.get(30..34) == Some(&vip().octets())
                // RFC 9293 3.1: SYN is bit 1 of the flags, ACK bit 4.
                && bytes.get(tcp + 13).is_some_and(|flags| flags & 0x12 == 0x02)
        };
        let seen = self.switch.seen().into_iter();
        seen.filter(|seen| seen.port == WORLD_PORT && seen.frame.at >= since && is_syn(&seen.frame.bytes))
            .count()
    }
}

/// What is done to a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// Out of the card.
    Pulled,
    /// Back in.
    Mended,
}

/// The time by which the switch stamps frames.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The virtual address.
fn vip() -> Ipv4Addr {
    VIP.parse().expect("the virtual address is one")
}

/// Length of a file in bytes.
pub(crate) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// How many of `answers` each web server gave, and how many requests failed.
pub fn shares(answers: &[Answer]) -> ([usize; 2], usize) {
    let of = |name: &str| answers.iter().filter(|answer| answer.outcome.as_deref() == Ok(name)).count();
    (SERVERS.map(|(name, _)| of(name)), answers.iter().filter(|answer| answer.outcome.is_err()).count())
}

/// The program of this name, to be run inside the world.
pub fn this_program() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_fits_and_says_what_the_configurations_say() {
        assert!(PICTURE.lines().all(|line| line.len() < 80), "{PICTURE}");
        for (index, text) in CONFIGURATIONS.iter().enumerate() {
            let loaded = lvsbox::config::load(text, DIRECTORS[index]);
            assert!(loaded.diagnostics.worst().is_none(), "{}", loaded.diagnostics);
            assert!(text.contains(&format!("hostname {}", DIRECTORS[index])));
            let priority = text.lines().find(|line| line.contains("priority")).unwrap().trim();
            for words in [&ADDRESSES[index].to_string(), DIRECTORS[index], priority, VIP] {
                assert!(PICTURE.contains(words), "{words}");
            }
        }
        // Nothing else differs.
        let [one, two] = CONFIGURATIONS;
        let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        let made = body(one).replace("lb1", "lb2").replace("192.0.2.11", "192.0.2.12").replace("150", "100");
        assert_eq!(made, body(two));
    }

    #[test]
    fn shares_count_each_server_and_the_failures() {
        let answer = |outcome: Result<&str, &str>| Answer {
            at: Duration::ZERO,
            took: Duration::ZERO,
            outcome: outcome.map(str::to_owned).map_err(str::to_owned),
        };
        let answers = [Ok("web1"), Ok("web2"), Err("refused"), Ok("web1"), Ok("other")].map(answer);
        assert_eq!(shares(&answers), ([2, 1], 1));
    }
}
