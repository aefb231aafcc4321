//! `tests/bench`: everything that is compared, as a table while it comes, then what follows from it, and as JSON.
//!
//! What needs IPVS runs in a guest ([`inside`]), which says its rows as records; boots and sizes are the host's. A row
//! that fails says why, and the others come all the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::report::{self, Facts};
use super::row::{Row, Section};
use super::{boot, scale, takeover};
use crate::demo::lan;
use crate::guest::{Guest, Running};
use crate::wait;

/// The longest that all of it may take in the guest.
const LONGEST: Duration = wait::secs(2 * 3_600);

/// What is to be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Services and servers of each size.
    sizes: Vec<(u16, u16)>,
    takeover: bool,
    boot: bool,
    /// Takeovers of each kind, and boots.
    runs: [usize; 2],
    json: Option<PathBuf>,
    small: Option<PathBuf>,
    /// On this machine, without a guest.
    here: bool,
    /// In a guest whose clock counts instructions.
    counted: bool,
    /// What the guest is told.
    words: Vec<String>,
}

impl Plan {
    /// The plan of a command line: `quick`, sizes, `takeover`, `boot`, or nothing for everything; and options.
    ///
    /// # Errors
    /// The word that is none of them.
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let mut plan = Self {
            sizes: Vec::new(),
            takeover: false,
            boot: false,
            runs: [7, 3],
            json: None,
            small: None,
            here: false,
            counted: false,
            words: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut path = || words.next().map(PathBuf::from).ok_or(format!("{word}: which file?"));
            match *word {
                "--json" => plan.json = Some(path()?),
                "--small" => plan.small = Some(path()?),
                "--here" => plan.here = true,
                "--counted" => plan.counted = true,
                part => {
                    plan.take(part)?;
                    plan.words.push(part.to_owned());
                }
            }
        }
        if plan.words.is_empty() {
            plan.sizes = [&scale::SIZES[..], &[scale::LARGEST]].concat();
            (plan.takeover, plan.boot) = (true, true);
        }
        Ok(plan)
    }

    fn take(&mut self, part: &str) -> Result<(), String> {
        let of = |count: usize| {
            let all = scale::SIZES.iter().chain([&scale::LARGEST]);
            all.copied().find(|(services, servers)| usize::from(*services) * usize::from(*servers) == count)
        };
        match part {
            "quick" => {
                self.sizes.extend(of(4_096));
                (self.takeover, self.boot, self.runs) = (true, true, [3, 1]);
            }
            "takeover" => self.takeover = true,
            "boot" => self.boot = true,
            size => {
                let size = size.replace(',', "").parse().ok().and_then(of);
                self.sizes.push(size.ok_or(format!(
                    "{part}: neither quick, takeover, boot, nor one of 40, 1000, 4096, 16384, 65536"
                ))?);
            }
        }
        Ok(())
    }
}

/// Rows as they come.
#[derive(Default)]
struct Page {
    rows: Vec<Row>,
}

impl Page {
    fn show(&mut self, row: Row, print: &mut dyn FnMut(&str)) {
        if self.rows.last().is_none_or(|last| last.section != row.section) {
            print(&report::heading(row.section));
        }
        print(&report::line(&row));
        self.rows.push(row);
    }
}

/// Measures, and gives the page to `print` as it comes. `binary` is lvsbox, built for release. Fails if a row fails.
pub fn run(binary: &Path, plan: &Plan, print: &mut dyn FnMut(&str)) -> ExitCode {
    let mut facts = Facts::gather(binary);
    if !plan.here {
        facts.add_guest(if plan.counted { "8 ns for each instruction" } else { "time of this machine" });
    }
    print(&(facts.head() + "\n" + &report::columns()));
    let mut page = Page::default();
    if plan.boot {
        let small = plan.small.as_deref();
        boot::run(binary, small, plan.runs[1], &mut |row| page.show(row, print));
    }
    if plan.here {
        inside(binary, plan, &mut |row| page.show(row, print));
    } else {
        in_guest(binary, plan, &mut page, print);
    }
    print(&format!("\n{}\n{}", report::growth(&page.rows), report::LEGEND));
    let document = report::json(&facts, &page.rows);
    match &plan.json {
        Some(path) => match fs::write(path, document) {
            Ok(()) => print(&format!("\nJSON: {}\n", path.display())),
            Err(error) => {
                print(&format!("\nwrite {}: {error}\n", path.display()));
                return ExitCode::FAILURE;
            }
        },
        None => print(&format!("\n{document}")),
    }
    let failed = page.rows.iter().filter(|row| row.failed.is_some()).count();
    let missed = page.rows.iter().filter(|row| row.is_met() == Some(false)).count();
    print(&format!("\n{} rows, {failed} failed; {missed} goals not met\n", page.rows.len()));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What needs IPVS, on the machine where it is called.
pub fn inside(binary: &Path, plan: &Plan, tell: &mut dyn FnMut(Row)) {
    scale::run(binary, &plan.sizes, tell);
    if plan.takeover {
        takeover::run(binary, plan.runs[0], tell);
    }
}

/// The same in a guest: its records become rows as it says them; all else that it says belongs to a row that fails.
fn in_guest(binary: &Path, plan: &Plan, page: &mut Page, print: &mut dyn FnMut(&str)) {
    let binary = std::path::absolute(binary).unwrap_or_else(|_| binary.to_owned());
    let (program, binary) = (lan::this_program(), binary.to_string_lossy().into_owned());
    let program = program.to_string_lossy().into_owned();
    let mut argv = vec![&*program, "bench-inside", &*binary];
    argv.extend(plan.words.iter().map(String::as_str));
    let guest = Guest::new().memory(4_096);
    let running = if plan.counted { guest.counted() } else { guest }.spawn(&argv);
    let has_ended = running.follow(LONGEST, &mut |line| {
        Row::parse(line).into_iter().for_each(|row| page.show(row, print));
    });
    if running.status() != Some(0) {
        page.show(Row::failed(Section::Files, "the guest", &end_of(&running, has_ended)), print);
    }
}

/// How it ended, and the last thing that was said in it.
fn end_of(running: &Running, has_ended: bool) -> String {
    let (status, output) = (running.status(), running.output());
    let last = output.lines().rev().find(|line| Row::parse(line).is_none() && !line.is_empty());
    let how = match status {
        Some(status) => format!("status {status}"),
        None if has_ended => "it died".to_owned(),
        None => format!("not over after {LONGEST:?}"),
    };
    format!("{how}: {}", last.or(running.console().lines().last()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_everything_and_a_word_only_that() {
        let all = Plan::parse(&["--json", "f"]).unwrap();
        assert_eq!((all.sizes.len(), all.takeover, all.boot, all.runs), (5, true, true, [7, 3]));
        assert_eq!(all.json.as_deref(), Some(Path::new("f")));
        let quick = Plan::parse(&["quick"]).unwrap();
        assert_eq!((&*quick.sizes, quick.runs), (&[(256, 16)][..], [3, 1]));
        let sizes = Plan::parse(&["40", "16,384", "65536", "--here"]).unwrap();
        assert_eq!(
            (&*sizes.sizes, sizes.takeover, sizes.here),
            (&[(5, 8), (1_024, 16), (4_096, 16)][..], false, true)
        );
        assert_eq!(sizes.words, ["40", "16,384", "65536"]);
    }

    #[test]
    fn a_word_that_is_none_is_named() {
        assert!(Plan::parse(&["fast"]).unwrap_err().starts_with("fast: neither quick"));
        assert!(Plan::parse(&["41"]).is_err());
        assert_eq!(Plan::parse(&["--json"]).unwrap_err(), "--json: which file?");
    }
}
