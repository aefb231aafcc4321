//! `lvsbox check FILE`: everything that is wrong with a configuration, at once.

use std::path::Path;

use super::FAILED;
use super::output::Output;
use crate::config::check::{report, report_json};
use crate::task::load;

/// Reads and judges the file; status 1 if it has an error or cannot be read.
#[inline(never)]
pub(super) fn run(file: &Path, config_id: Option<&str>, json: bool) -> u8 {
    let loaded = match load::read(file, config_id) {
        Ok(loaded) => loaded,
        Err(error) => {
            Output::errors().line(format_args!("lvsbox: {error}"));
            return FAILED;
        }
    };
    let mut output = Output::new();
    let name = file.display().to_string();
    let outcome =
        if json { report_json(&name, &loaded, &mut output) } else { report(&name, &loaded, &mut output) };
    match outcome {
        Ok(outcome) => outcome.status().max(output.status()),
        Err(_) => FAILED,
    }
}
