//! `lvsbox check FILE`: everything that is wrong with a configuration, at once.

use std::path::Path;

use super::FAILED;
use super::output::Output;
use crate::config::check::{report, report_json};
use crate::config::load as load_text;
use crate::kernel::files::TextFile;
use crate::task::load;

/// Reads and judges the file; status 1 if it has an error or cannot be read.
pub(super) fn run(file: &Path, json: bool) -> u8 {
    let text = match TextFile::read(file) {
        Ok(bytes) => load::text(bytes),
        Err(error) => {
            Output::errors().line(format_args!("lvsbox: {error}"));
            return FAILED;
        }
    };
    let mut output = Output::new();
    let name = file.display().to_string();
    let loaded = load_text(&text, &name);
    let outcome =
        if json { report_json(&name, &loaded, &mut output) } else { report(&name, &loaded, &mut output) };
    match outcome {
        Ok(outcome) => outcome.status().max(output.status()),
        Err(_) => FAILED,
    }
}
