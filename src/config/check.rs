//! `lvsbox check FILE`: all diagnostics of a text at once.

use core::fmt;

use super::loader::Loaded;
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
pub fn check(name: &str, loaded: &Loaded, out: &mut dyn fmt::Write) -> Result<Outcome, fmt::Error> {
    write!(out, "{}", loaded.diagnostics)?;
    let shown: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    writeln!(out, "{shown}: {}", loaded.diagnostics.totals())?;
    match &loaded.config {
        Some(config) => {
            let sorry = config.services.iter().filter(|service| service.sorry.is_some()).count();
            writeln!(
                out,
                "usable: instances {}, addresses {}, services {}, real servers {}, checks {}",
                config.instances.len(),
                config.addresses.len(),
                config.services.len(),
                config.destinations.len() - sorry,
                config.probes.len(),
            )?;
        }
        None => writeln!(out, "the file cannot be used")?,
    }
    Ok(Outcome::of(&loaded.diagnostics))
}
