//! `lvsbox check FILE`: everything that is wrong with a configuration, at once, and what running it takes.

use core::fmt::{self, Write};
use std::path::Path;

use super::FAILED;
use super::output::Output;
use crate::config::check::{report, report_json};
use crate::kernel::process;
use crate::task::load;
use crate::task::need::{self, Need};

/// Reads and judges the file; status 1 if it has an error or cannot be read. As one JSON document, and with the memory
/// that it needs, if asked for.
#[inline(never)]
pub(super) fn run(file: &Path, config_id: Option<&str>, (json, memory): (bool, bool)) -> u8 {
    let program = need::program();
    let loaded = match load::read(file, config_id, load::Purpose::Look) {
        Ok(loaded) => loaded,
        Err(error) => {
            Output::errors().line(format_args!("lvsbox: {error}"));
            return FAILED;
        }
    };
    let mut output = Output::new();
    let name = file.display().to_string();
    let need = (memory && loaded.config.is_some()).then(|| Need::of(&loaded.counts, program));
    let mut text = String::new();
    let outcome =
        if json { report_json(&name, &loaded, &mut text) } else { report(&name, &loaded, &mut text) };
    if let Some(need) = need {
        // Behind the members of the document there is a brace and a newline.
        text.truncate(text.len() - if json { 2 } else { 0 });
        // Writing to a string cannot fail.
        let _ = if json { write_json(&need, &mut text) } else { write_text(&need, &mut text) };
    }
    output.write(text.as_bytes());
    match outcome {
        Ok(outcome) => outcome.status().max(output.status()),
        Err(_) => FAILED,
    }
}

fn write_text(need: &Need, out: &mut String) -> fmt::Result {
    writeln!(out, "{:<18}{:>10}{:>12}{:>14}", "memory", "count", "bytes each", "bytes")?;
    for row in need.tables.iter().chain(&need.others).filter(|row| row.count > 0) {
        let each = row.bytes.div_ceil(row.count);
        writeln!(out, "{:<18}{:>10}{each:>12}{:>14}", row.name, row.count, row.bytes)?;
    }
    let room = process::room(usize::MAX);
    for (name, bytes) in [("running", need.running), ("a reload besides", need.reload)] {
        writeln!(out, "{name:<18}{bytes:>36}")?;
    }
    let fits = if need.whole() <= room.bytes { "fits here" } else { "does not fit" };
    let (whole, there) = (need.whole().div_ceil(1_024), room.bytes / 1_024);
    writeln!(out, "{fits}: needs {whole} KiB, {there} are there: {}", room.bound)
}

fn write_json(need: &Need, out: &mut String) -> fmt::Result {
    out.push_str(",\n\"memory\":{\"tables\":[");
    for (index, row) in need.tables.iter().chain(&need.others).enumerate() {
        let comma = if index > 0 { ",\n" } else { "\n" };
        write!(out, "{comma}{{\"name\":\"{}\",\"count\":{},\"bytes\":{}}}", row.name, row.count, row.bytes)?;
    }
    let (room, whole) = (process::room(usize::MAX), need.whole());
    writeln!(
        out,
        "],\n\"running\":{},\"reload\":{},\"need\":{whole},\"there\":{},\"bound\":\"{}\"}}}}",
        need.running, need.reload, room.bytes, room.bound
    )
}
