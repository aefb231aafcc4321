//! `watch COMMAND`: a command that shows something, run again and again. Between two pages nothing is done; a page is
//! made only as its reader takes it, so that whoever watches holds nobody up and nothing is queued.

use core::fmt::Write;

use super::answer::{Answer, STATUS_USAGE, Step};
use super::shell::Shell;
use crate::console::{self, Buf, Command, Request};
use crate::kernel::clock;
use crate::time::{Duration, Instant};

/// Between the beginnings of two pages, unless seconds are given.
const PERIOD: Duration = Duration::from_secs(1);
/// Most seconds.
const MOST: u64 = 3_600;

/// Bytes of a command: what an argument has, of which this is one.
const MAX_LINE: usize = 128;

/// What is watched.
pub(super) struct Watch {
    line: heapless::String<MAX_LINE>,
    period: Duration,
    /// The page that is being made.
    page: Option<Box<Answer>>,
    next_at: Instant,
}

/// Starts to watch; a status if `words` are no command to be watched.
pub(super) fn start(words: &str, piece: &mut Buf) -> Result<Watch, u8> {
    let number = words.split_once(' ').and_then(|(first, rest)| Some((first.parse::<u64>().ok()?, rest)));
    let (period, line) = match number {
        Some((seconds @ 1..=MOST, rest)) => (Duration::from_secs(seconds), rest),
        // No command begins so: they are seconds, too many or with nothing behind them.
        _ if words.starts_with(|first: char| first.is_ascii_digit()) => {
            let _ = writeln!(piece, "watch needs a command, perhaps behind 1 to {MOST} seconds");
            return Err(STATUS_USAGE);
        }
        _ => (PERIOD, words),
    };
    // What is written always fits.
    let refused = match console::parse(line.as_bytes()) {
        Ok(request) if is_still(&request) => None,
        Ok(_) => Some(writeln!(piece, "only `show`, `status` and `why` can be watched")),
        Err(mistake) => Some(writeln!(piece, "{mistake}")),
    };
    match (refused, line.parse()) {
        (None, Ok(line)) => Ok(Watch { line, period, page: None, next_at: Instant::ZERO }),
        _ => Err(STATUS_USAGE),
    }
}

/// True for what shows something, changes nothing and ends.
fn is_still(request: &Request) -> bool {
    use Command::{
        Arp, Boot, Checks, Config, Firewall, Interfaces, Ipvs, IpvsAll, IpvsOf, Log, Loop, Memory, Routes,
        Status, Sysctl, Vrrp, Why,
    };
    matches!(
        request.command,
        Status
            | Vrrp
            | Ipvs
            | IpvsAll
            | IpvsOf(_)
            | Checks
            | Config
            | Memory
            | Loop
            | Log
            | Interfaces
            | Arp
            | Routes
            | Firewall
            | Boot
            | Sysctl
            | Why
    )
}

impl Watch {
    /// Does a little of the page, begins the next one, or tells when that is due.
    pub(super) fn step(&mut self, shell: &Shell, out: &mut [u8]) -> Step {
        let Some(page) = &mut self.page else {
            let now = clock::now();
            if now < self.next_at {
                return Step::Pause(self.next_at);
            }
            self.next_at = now + self.period;
            self.page = Some(Box::new(Answer::new(shell, self.line.as_bytes())));
            return Step::Page;
        };
        match page.step(shell, out) {
            Step::More(length) => Step::More(length),
            Step::Done(_) | Step::Wait(_) | Step::Follow | Step::Soon | Step::Pause(_) | Step::Page => {
                self.page = None;
                Step::Pause(self.next_at)
            }
        }
    }

    /// Nobody reads the rest of the page.
    pub(super) fn skip(&mut self) {
        self.page = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_shows_something_and_ends_can_be_watched_and_nothing_else() {
        let long = "show ipvs connections [2001:db8:1111:2222:3333:4444:5555:6666]:65535 json";
        for line in ["status", "show firewall", "show ipvs all", "3600 show log", "why VI_1", long] {
            assert!(start(line, &mut Buf::new()).is_ok(), "{line}");
        }
        for line in ["5", "0 status", "3601 status", "99999999999999999999 status"] {
            let mut said = Buf::new();
            assert!(start(line, &mut said).is_err(), "{line}");
            assert_eq!(said, "watch needs a command, perhaps behind 1 to 3600 seconds\n", "{line}");
        }
        for line in
            ["reboot", "real 10.0.0.1:80 drain", "watch status", "5 log follow", "reload", "zero ipvs"]
        {
            let mut said = Buf::new();
            assert!(start(line, &mut said).is_err(), "{line}");
            assert_eq!(said, "only `show`, `status` and `why` can be watched\n", "{line}");
        }
    }
}
