//! The demonstration without a person: the same story, step by step, each with its time, the client's longest gap and
//! what was seen.
//!
//! A step that did not happen panics with the name of what was waited for; the consoles' ends are shown then. What is
//! believed is what three witnesses say: a director's own console, the frames on the switch, and the client.

use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};

use super::lan::{self, ADDRESSES, BOOT, CONFIGURATIONS, Cable, DIRECTORS, Lan};
use crate::machine::Setup;
use crate::wait::{self, secs};
use crate::world::{self, SERVERS, VIP};

/// Columns of a printed row.
const COLUMNS: usize = 80;
/// The longest an election, a verdict or a command may take on a busy machine.
const SOON: Duration = secs(40);
/// What PID 1 may have resident, in KiB.
const RESIDENT: u64 = 2_048;
/// Requests over which the web servers' shares are counted.
const ROUND: usize = 20;

/// The story.
pub struct Tour<'a> {
    lan: Lan,
    binary: &'a Path,
    out: &'a mut dyn Write,
    number: usize,
    /// When the step began, by the switch's clock.
    since: Duration,
    /// The number of the first answer of the step.
    from: usize,
}

/// Plays it to the end, after which everything is off. `binary` is what the directors run.
///
/// # Panics
/// If a step does not happen, naming what was waited for.
pub fn run(lan: Lan, binary: &Path, out: &mut dyn Write) {
    let start = Instant::now();
    let mut tour = Tour { lan, binary, out, number: 0, since: Duration::ZERO, from: 0 };
    tour.step("everything boots: two directors, client, web servers", Tour::boot);
    tour.step("election: lb1 (150) is MASTER, lb2 (100) BACKUP", Tour::election);
    tour.step("requests alternate between the web servers", Tour::alternation);
    tour.step("web1 killed: removed, web2 alone answers", Tour::server_dies);
    tour.step("web1 restored: returned, both answer", Tour::server_returns);
    tour.step("lb1's cable cut: lb2 takes over", Tour::cable_is_cut);
    tour.step("lb1's cable mended: lb1 is MASTER again", Tour::cable_is_mended);
    tour.step("lb1's machine killed: lb2 takes over", Tour::director_dies);
    tour.step("lb1 powered on: boots, is MASTER again", Tour::director_returns);
    tour.step("`poweroff` on lb1: says farewell, lb2 follows at once", Tour::director_leaves);
    tour.step("everything off", Tour::all_off);
    tour.step("a third machine alone, priority 255", Tour::owner_alone);
    let (steps, took) = (tour.number, tour.lan.started.elapsed().max(start.elapsed()));
    tour.say(&format!("\nall {steps} steps happened, {:.1} s", took.as_secs_f64()));
}

impl Tour<'_> {
    /// Prints a step's title, has it done, and prints its time, the client's longest gap and the evidence.
    fn step(&mut self, title: &str, work: fn(&mut Self) -> Vec<String>) {
        self.number += 1;
        write!(self.out, "{:2}  {title:<55}", self.number).and_then(|()| self.out.flush()).expect("print");
        let start = Instant::now();
        self.since = lan::now();
        // The gap to the first answer of the step is its own.
        self.from = self.lan.world.count().saturating_sub(1);
        match panic::catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(evidence) => {
                let gap = world::longest_gap(&self.lan.world.answers_since(self.from));
                let gap = if gap.is_zero() { "-".to_owned() } else { format!("{:.2} s", gap.as_secs_f64()) };
                let took = if self.number == 1 { self.lan.started.elapsed() } else { start.elapsed() };
                self.say(&format!("{:5.1} s  gap {gap:>6}", took.as_secs_f64()));
                evidence.iter().for_each(|line| self.say(&fit(&format!("      {line}"))));
            }
            Err(cause) => {
                self.say(&format!(
                    "\n{:2}  FAILED after {:.1} s",
                    self.number,
                    start.elapsed().as_secs_f64()
                ));
                panic::resume_unwind(cause);
            }
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).expect("print");
    }

    /// What a director answers to a command at its serial console.
    fn command(&self, index: usize, line: &str) -> String {
        let serial = self.lan.directors[index].serial();
        serial.wait_prompt(SOON);
        serial.command(line, SOON)
    }

    fn row(&self, index: usize, command: &str, needle: &str) -> Option<String> {
        let answer = self.command(index, command);
        let row = answer.lines().find(|row| row.contains(needle));
        row.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The row of a web server in `show ipvs`.
    fn destination(&self, index: usize, server: usize) -> Option<String> {
        self.row(index, "show ipvs", &format!("-> {}:80 ", SERVERS[server].1))
    }

    /// Waits for a row of a director's console behind the first `from` rows.
    #[track_caller]
    fn console_says(&self, index: usize, from: usize, needle: &str, within: Duration) -> String {
        let what = format!("{needle:?} on the console of {}", DIRECTORS[index]);
        let row = wait::until(&what, within, || {
            let shown = self.lan.directors[index].serial().shown_from(from);
            shown.lines().find(|row| row.contains(needle)).map(str::to_owned)
        });
        format!("{}: {}", DIRECTORS[index], row.trim())
    }

    /// Waits until a director says of itself that it is in `state`.
    #[track_caller]
    fn is_in_state(&self, index: usize, state: &str) {
        let what = format!("`show vrrp` on {} to say {state}", DIRECTORS[index]);
        wait::until(&what, SOON, || self.row(index, "show vrrp", state));
    }

    /// Waits until a director advertises, has announced the virtual address, and the client is served through it: the
    /// other one is silent meanwhile.
    #[track_caller]
    fn takes_over(&self, index: usize) -> Vec<String> {
        let (name, since) = (DIRECTORS[index], self.since);
        let what = format!("an advert of {name}");
        let first = wait::until(&what, SOON, || self.lan.adverts(index, since).first().copied());
        let what = format!("a gratuitous ARP of {name} for {VIP}");
        wait::until(&what, SOON, || (self.lan.announcements(index, since) > 0).then_some(()));
        let after = self.lan.world.count();
        let begun = lan::now();
        wait::until(&format!("ten connections through {name}"), SOON, || {
            (self.lan.connections(index, begun) >= 10).then_some(())
        });
        wait::until("answers for the client", SOON, || self.lan.is_served(after).then_some(()));
        let (ours, other) = (self.lan.connections(index, begun), DIRECTORS[1 - index]);
        assert_eq!(self.lan.connections(1 - index, begun), 0, "connections through {other} as well");
        let delay = first.0.saturating_sub(since).as_secs_f64();
        let count = self.lan.announcements(index, since);
        vec![
            format!("switch: {name}'s first advert after {delay:.2} s, priority {}", first.1),
            format!("switch: {count} gratuitous ARP for {VIP} from {name}"),
            format!("switch: then {ours} connections through {name}, 0 through {other}"),
        ]
    }

    /// What a director that is cut off or dead must not do: be heard.
    #[track_caller]
    fn is_silent(&self, index: usize, since: Duration) -> String {
        let frames =
            self.lan.switch.seen().iter().filter(|seen| seen.port == index && seen.frame.at > since).count();
        assert_eq!(frames, 0, "frames of {} that should be silent", DIRECTORS[index]);
        let span = lan::now().saturating_sub(since).as_secs_f64();
        format!("switch: not a frame from {} in {span:.1} s", DIRECTORS[index])
    }

    /// Waits until the last answers are shared evenly; the client's requests are independent connections.
    #[track_caller]
    fn shared_evenly(&self) -> String {
        let from = self.lan.world.count();
        let mut last = ([0; 2], 0);
        let even = wait::maybe(SOON, || {
            let answers = self.lan.world.answers_since(from);
            let tail = answers.len().checked_sub(ROUND)?;
            last = lan::shares(&answers[tail..]);
            (last == ([ROUND / 2; 2], 0)).then_some(())
        });
        assert!(even.is_some(), "waited in vain for {ROUND} answers in equal shares; the last: {last:?}");
        let [(one, _), (two, _)] = SERVERS;
        format!("client: {ROUND} requests: {one} {}, {two} {}, 0 failed", last.0[0], last.0[1])
    }

    fn boot(&mut self) -> Vec<String> {
        self.lan.wait_ready();
        let image = lan::firmware(self.binary, CONFIGURATIONS[0]).build().expect("build the image");
        let mut evidence = vec![format!(
            "lvsbox {} bytes, the whole initramfs {} bytes",
            lan::size(self.binary),
            image.len()
        )];
        let what = "the first advert in `show boot` of lb1";
        let advert = wait::until(what, SOON, || self.row(0, "show boot", "first advert"));
        evidence.push(format!("lb1: {advert}"));
        let other = self.row(1, "show boot", "first advert");
        evidence
            .push(format!("lb2: {}", other.unwrap_or("first advert none: it found a better one".to_owned())));
        evidence
    }

    fn election(&mut self) -> Vec<String> {
        let mut evidence = vec![self.console_says(0, 0, "Entering MASTER STATE", SOON)];
        self.is_in_state(0, "MASTER");
        self.is_in_state(1, "BACKUP");
        evidence.extend(self.row(0, "show vrrp", "MASTER").map(|row| format!("lb1> show vrrp   {row}")));
        evidence.extend(self.row(1, "show vrrp", "BACKUP").map(|row| format!("lb2> show vrrp   {row}")));
        let from = lan::now();
        wait::until("three adverts of lb1", SOON, || (self.lan.adverts(0, from).len() >= 3).then_some(()));
        assert_eq!(self.lan.adverts(1, from), [], "lb2 advertises as well");
        let heard = self.lan.adverts(0, from)[0];
        evidence.push(format!("switch: adverts of {} with priority {} only", ADDRESSES[0], heard.1));
        let count = self.lan.announcements(0, Duration::ZERO);
        assert!(count > 0, "no gratuitous ARP of lb1 for {VIP}");
        evidence.push(format!("switch: {count} gratuitous ARP for {VIP} from lb1"));
        evidence
    }

    fn alternation(&mut self) -> Vec<String> {
        let mut evidence = vec![self.shared_evenly()];
        for server in [0, 1] {
            let row = self.destination(0, server).expect("the web server in `show ipvs`");
            evidence.push(format!("lb1> show ipvs   {row}"));
        }
        evidence.push(self.resident());
        evidence
    }

    /// What PID 1 of lb1 is: one thread, below its bound.
    fn resident(&self) -> String {
        let row = self.row(0, "status", "resident").expect("the memory in `status`");
        let number = row.split(" KiB resident").next().and_then(|text| text.rsplit(' ').next()?.parse().ok());
        let number: u64 = number.unwrap_or_else(|| panic!("no memory in {row:?}"));
        assert!(number > 0 && number < RESIDENT, "PID 1 has {number} KiB resident");
        assert!(row.contains(", 1 thread") && !row.contains("threads"), "{row}");
        format!("lb1> status   {row}")
    }

    fn server_dies(&mut self) -> Vec<String> {
        let (name, address) = SERVERS[0];
        self.lan.kill_server(0);
        let start = Instant::now();
        wait::until(&format!("{name} to leave `show ipvs` on lb1"), SOON, || {
            self.destination(0, 0).is_none().then_some(())
        });
        let took = start.elapsed().as_secs_f64();
        let from = self.lan.world.count();
        // What was asked before may still fail: a request has a second.
        let last = wait::until(&format!("{ROUND} answers of web2 alone"), SOON, || {
            let answers = self.lan.world.answers_since(from);
            let tail = answers.len().checked_sub(ROUND)?;
            Some(lan::shares(&answers[tail..])).filter(|shares| *shares == ([0, ROUND], 0))
        });
        let row = self.destination(0, 1).expect("web2 in `show ipvs`");
        vec![
            format!("lb1> show ipvs   no {address} after {took:.1} s, but"),
            format!("lb1> show ipvs   {row}"),
            format!("client: {ROUND} requests: {name} {}, web2 {}, {} failed", last.0[0], last.0[1], last.1),
        ]
    }

    fn server_returns(&mut self) -> Vec<String> {
        let start = Instant::now();
        self.lan.restore_server(0);
        let row = wait::until("web1 to return to `show ipvs` on lb1", SOON, || self.destination(0, 0));
        let took = start.elapsed().as_secs_f64();
        vec![format!("lb1> show ipvs   after {took:.1} s: {row}"), self.shared_evenly()]
    }

    fn cable_is_cut(&mut self) -> Vec<String> {
        let rows = [0, 1].map(|index| self.lan.directors[index].serial().row_count());
        self.lan.set_cut(0, Cable::Pulled);
        // From here on nothing may come out of it.
        let cut = lan::now();
        let mut evidence = vec![
            self.console_says(0, rows[0], "Entering FAULT STATE", SOON),
            self.console_says(1, rows[1], "Entering MASTER STATE", SOON),
        ];
        evidence.extend(self.takes_over(1));
        evidence.push(self.is_silent(0, cut));
        evidence
    }

    fn cable_is_mended(&mut self) -> Vec<String> {
        let rows = [0, 1].map(|index| self.lan.directors[index].serial().row_count());
        self.lan.set_cut(0, Cable::Mended);
        let mut evidence = vec![
            self.console_says(0, rows[0], "Entering MASTER STATE", SOON),
            self.console_says(1, rows[1], "Entering BACKUP STATE", SOON),
        ];
        evidence.extend(self.takes_over(0));
        evidence
    }

    fn director_dies(&mut self) -> Vec<String> {
        let row = self.lan.directors[1].serial().row_count();
        self.lan.power_off(0);
        let dead = lan::now();
        assert!(self.lan.directors[0].has_ended(), "lb1's machine runs");
        let mut evidence = vec![self.console_says(1, row, "Entering MASTER STATE", SOON)];
        evidence.extend(self.takes_over(1));
        assert!(!self.lan.switch.is_plugged(0), "somebody is on lb1's port");
        evidence.push(self.is_silent(0, dead));
        evidence
    }

    fn director_returns(&mut self) -> Vec<String> {
        let rows = [0, 1].map(|index| self.lan.directors[index].serial().row_count());
        self.lan.power_on(0);
        let mut evidence = vec![
            self.console_says(0, rows[0], "Entering MASTER STATE", BOOT),
            self.console_says(1, rows[1], "Entering BACKUP STATE", SOON),
        ];
        evidence.extend(self.takes_over(0));
        let advert = self.row(0, "show boot", "first advert").expect("`show boot` has the first advert");
        evidence.push(format!("lb1> show boot   {advert}"));
        evidence.push(self.shared_evenly());
        evidence.push(self.resident());
        evidence
    }

    fn director_leaves(&mut self) -> Vec<String> {
        let row = self.lan.directors[1].serial().row_count();
        self.lan.directors[0].serial().wait_prompt(SOON);
        self.lan.directors[0].serial().send("poweroff\r");
        wait::until("an advert of lb1 with priority 0", SOON, || {
            self.lan.adverts(0, self.since).iter().find(|(_, priority)| *priority == 0).copied()
        });
        self.lan.directors[0].wait_end(SOON);
        let mut evidence = vec!["switch: lb1's last advert has priority 0; its machine is off".to_owned()];
        evidence.push(self.console_says(1, row, "Entering MASTER STATE", SOON));
        evidence.extend(self.takes_over(1));
        evidence
    }

    fn all_off(&mut self) -> Vec<String> {
        let lb2 = &mut self.lan.directors[1];
        lb2.serial().wait_prompt(SOON);
        lb2.serial().send("poweroff\r");
        lb2.wait_end(SOON);
        self.lan.world.send_line("quit");
        wait::until("the end of the world", SOON, || self.lan.world.guest().has_ended().then_some(()));
        let ports = (0..3).filter(|port| self.lan.switch.is_plugged(*port)).count();
        assert_eq!(ports, 0, "somebody is on the switch");
        vec!["switch: nobody is connected".to_owned()]
    }

    fn owner_alone(&mut self) -> Vec<String> {
        let text =
            CONFIGURATIONS[0].replace("hostname lb1", "hostname lb3").replace("priority 150", "priority 255");
        let image = lan::firmware(self.binary, &text);
        let owner = Setup::new("lb3").wire(self.lan.switch.wire(0)).boot(&image);
        let since = self.since;
        let heard =
            wait::until("an advert of priority 255", BOOT, || self.lan.adverts(0, since).first().copied());
        assert_eq!(heard.1, 255);
        owner.serial().wait_prompt(SOON);
        let answer = owner.serial().command("show boot", SOON);
        let advert = answer.lines().find(|row| row.starts_with("first advert"));
        let advert = advert.expect("`show boot` has the first advert");
        let delay = (heard.0 - since).as_secs_f64();
        let mut evidence =
            vec![format!("switch: its first advert {delay:.2} s after power on, priority {}", heard.1)];
        evidence.push("lb3> show boot".to_owned());
        evidence.extend(answer.lines().filter(|row| !row.is_empty()).map(|row| format!("  {row}")));
        assert!(advert.contains("sent"), "{advert}");
        evidence
    }
}

/// A row that fits.
fn fit(line: &str) -> String {
    let line = line.trim_end();
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    line.chars().take(COLUMNS - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_row_fits_and_says_where_it_was_cut() {
        assert_eq!(fit("  short  "), "  short");
        assert_eq!(fit(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(fit(&"x".repeat(81)), format!("{}...", "x".repeat(77)));
    }
}
