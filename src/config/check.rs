//! `lvsbox check FILE`: all diagnostics of a text at once, as text or as JSON.

use core::fmt::{self, Write as _};

use super::loader::Loaded;
use super::model::Config;
use crate::syntax::{Diagnostics, Severity};

/// How a check ended; the status of the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing, or warnings only: status 0.
    Usable,
    /// An error or a fatal error: status 1.
    Faulty,
}

impl Outcome {
    /// Of these diagnostics.
    pub fn of(diagnostics: &Diagnostics) -> Self {
        if diagnostics.worst() >= Some(Severity::Error) { Self::Faulty } else { Self::Usable }
    }

    /// The exit status.
    pub const fn status(self) -> u8 {
        match self {
            Self::Usable => 0,
            Self::Faulty => 1,
        }
    }
}

/// Writes every diagnostic of what was loaded and a last line with their number. `name` is what messages call the file.
///
/// # Errors
///
/// Those of `out`.
pub fn report(name: &str, loaded: &Loaded, out: &mut dyn fmt::Write) -> Result<Outcome, fmt::Error> {
    write!(out, "{}", loaded.diagnostics)?;
    let shown: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    writeln!(out, "{shown}: {}", loaded.diagnostics.totals())?;
    match &loaded.config {
        Some(config) => {
            let [instances, addresses, services, servers, checks] = counts(config);
            writeln!(
                out,
                "usable: instances {instances}, addresses {addresses}, services {services}, \
                 real servers {servers}, checks {checks}",
            )?;
        }
        None => writeln!(out, "the file cannot be used")?,
    }
    Ok(Outcome::of(&loaded.diagnostics))
}

/// Writes what came of a load as one JSON document (RFC 8259) and a newline. Lines and columns count from 1, columns in
/// characters; `end_column` is behind the last character that is meant. `usable` is null after a fatal error.
///
/// # Errors
///
/// Those of `out`.
pub fn report_json(name: &str, loaded: &Loaded, out: &mut dyn fmt::Write) -> Result<Outcome, fmt::Error> {
    let diagnostics = &loaded.diagnostics;
    write!(out, "{{\"file\":{},\"diagnostics\":[", Json(name))?;
    for (index, it) in diagnostics.iter().enumerate() {
        out.write_str(if index > 0 { ",\n" } else { "\n" })?;
        write!(
            out,
            "{{\"file\":{},\"line\":{},\"column\":{},\"end_column\":{},\"severity\":\"{}\",\"code\":\"{}\",\
             \"message\":{},\"hint\":{}}}",
            Json(it.file()),
            it.position().line,
            it.column(),
            it.end_column(),
            if it.severity() == Severity::Fatal { "fatal" } else { it.severity().name() },
            it.label(),
            Json(it.message()),
            Json(it.hint()),
        )?;
    }
    let [warnings, errors, fatal] =
        [Severity::Warning, Severity::Error, Severity::Fatal].map(|severity| diagnostics.count(severity));
    let shown = diagnostics.iter().len();
    write!(
        out,
        "],\n\"totals\":{{\"fatal\":{fatal},\"error\":{errors},\"warning\":{warnings},\"shown\":{shown}}},\n\"usable\":",
    )?;
    match &loaded.config {
        Some(config) => {
            let [instances, addresses, services, servers, checks] = counts(config);
            write!(
                out,
                "{{\"instances\":{instances},\"addresses\":{addresses},\"services\":{services},\
                 \"real_servers\":{servers},\"checks\":{checks}}}",
            )?;
        }
        None => out.write_str("null")?,
    }
    out.write_str("}\n")?;
    Ok(Outcome::of(diagnostics))
}

/// Instances, addresses, services, real servers without sorry servers, checks.
fn counts(config: &Config) -> [usize; 5] {
    [
        config.instances.len(),
        config.addresses.len(),
        config.written_services().len(),
        config.written_services().iter().map(|service| service.real_servers().len()).sum(),
        config.probes.len(),
    ]
}

/// A JSON string. Characters that are not ASCII stay as they are, but for those that a terminal would obey.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() || matches!(c, '\u{200b}'..='\u{206f}' | '\u{feff}') => {
                    write!(f, "\\u{:04x}", u32::from(c))?;
                }
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
