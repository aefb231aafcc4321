//! `lab soak`: starts the guest, shows what it says as it says it, and keeps the picture.

use std::path::Path;

use crate::demo::lan;
use crate::guest::Guest;
use crate::modules;
use crate::wait::secs;

/// Lines around the picture in what the guest says.
pub(super) const BEGIN: &str = "<!-- begin -->";
pub(super) const END: &str = "<!-- end -->";

/// How long, and which faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Minutes of faults.
    pub minutes: u64,
    /// The same seed gives the same faults.
    pub seed: u64,
}

impl Plan {
    /// `MINUTES [SEED]`; `None` if the words are something else.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let (minutes, seed) = match words {
            [minutes] => (minutes, std::process::id().into()),
            [minutes, seed] => (minutes, seed.parse().ok()?),
            _ => return None,
        };
        Some(Self { minutes: minutes.parse().ok()?, seed })
    }
}

/// Runs the soak of `binary`; true if all was well. The picture is put beside the binary.
pub fn run(binary: &Path, plan: Plan, tell: &mut dyn FnMut(&str)) -> bool {
    let binary = std::path::absolute(binary).unwrap_or_else(|_| binary.to_owned());
    let (program, file) = (lan::this_program(), binary.to_string_lossy().into_owned());
    let modules = [modules::GUEST, &["sch_netem"]].concat().leak();
    let (minutes, seed) = (plan.minutes.to_string(), plan.seed.to_string());
    let argv = [&*program.to_string_lossy(), "soak-inside", &file, &minutes, &seed];
    let running = Guest::new().memory(2_048).modules(modules).spawn(&argv);
    let (mut picture, mut is_picture) = (String::new(), false);
    let has_ended = running.follow(secs(plan.minutes * 60 + 1_500), &mut |line| match line {
        BEGIN => is_picture = true,
        END => is_picture = false,
        _ if is_picture => picture.extend([line, "\n"]),
        _ => tell(&format!("{line}\n")),
    });
    if !picture.is_empty() {
        let file = binary.with_file_name("soak.svg");
        match std::fs::write(&file, picture) {
            Ok(()) => tell(&format!("the picture: {}\n", file.display())),
            Err(error) => tell(&format!("{}: {error}\n", file.display())),
        }
    }
    if !has_ended {
        tell("the guest did not end in time\n");
    }
    running.status() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_needed_and_a_seed_is_a_number() {
        assert_eq!(Plan::parse(&["20", "7"]), Some(Plan { minutes: 20, seed: 7 }));
        assert_eq!(Plan::parse(&["20"]).map(|plan| plan.minutes), Some(20));
        assert_eq!([Plan::parse(&[]), Plan::parse(&["long"]), Plan::parse(&["20", "x"])], [None; 3]);
    }
}
