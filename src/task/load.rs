//! From a file to a configuration and what is to be said about it; shared by the start, a reload and `check`.

use std::path::Path;
use std::rc::Rc;

use super::reactor::Reactor;
use crate::config::{Config, Loaded, Loader};
use crate::director::health::slots_for;
use crate::kernel::error::Error;
use crate::kernel::files::TextFile;
use crate::kernel::process;
use crate::limits::{MAX_CLIENTS, MAX_CONSOLES};
use crate::syntax::{Diagnostics, Severity};

/// Descriptors and sources besides links and slots: netlink 3, signals, control listener, its clients, with room to
/// spare for the standard streams, epoll, the packet socket and a file.
const FEW: usize = 16 + MAX_CLIENTS + 2 * MAX_CONSOLES;

/// How much is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Errors and fatal errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
}

impl Found {
    /// The totals of `diagnostics`.
    pub fn of(diagnostics: &Diagnostics) -> Self {
        Self {
            errors: diagnostics.count(Severity::Error) + diagnostics.count(Severity::Fatal),
            warnings: diagnostics.count(Severity::Warning),
        }
    }
}

/// What there is to say about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub found: Found,
    /// One line for each diagnostic.
    pub text: String,
}

impl Report {
    /// The report on `loaded`.
    pub fn of(loaded: &Loaded) -> Self {
        let diagnostics = &loaded.diagnostics;
        let mut text = String::new();
        for diagnostic in diagnostics.iter() {
            text.push_str(&diagnostic.summary().to_string());
            text.push('\n');
        }
        Self { found: Found::of(diagnostics), text }
    }

    /// Logs every line.
    pub fn log(&self) {
        self.text.lines().for_each(|line| log::warn!("{line}"));
    }
}

/// The text of a file. Each byte that is not UTF-8 (a comment in an old encoding) becomes a question mark, so that no
/// file grows by being read.
pub fn text(bytes: Vec<u8>) -> String {
    let mut rest = match String::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let mut done = 0;
    while let Err(error) = core::str::from_utf8(rest.get(done..).unwrap_or_default()) {
        done += error.valid_up_to();
        if let Some(byte) = rest.get_mut(done) {
            *byte = b'?';
        }
    }
    String::from_utf8(rest).unwrap_or_default()
}

/// Reads and checks a file at once, for the start and for `check`.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Loaded, Error> {
    let bytes = TextFile::read(path)?;
    let mut loader = Loader::new(&path.display().to_string(), text(bytes));
    while !loader.step() {}
    Ok(loader.finish())
}

/// Makes room in the reactor and among the descriptors for what `config` needs.
pub(super) fn reserve(reactor: &Rc<Reactor>, config: &Config) {
    let needed = config.links.len() + slots_for(config) + FEW;
    reactor.reserve(needed, needed);
    let descriptors = u64::try_from(needed).unwrap_or(u64::MAX).saturating_mul(5) / 4;
    if let Err(error) = process::raise_descriptor_limit(descriptors) {
        log::warn!("{error}: some probes will wait for others");
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn bytes_that_are_no_text_become_question_marks_one_by_one() {
        assert_eq!(
            text(b"r\xe9partition \xc3\xa9 \xed\xa0\x80 \xe2\x82".to_vec()),
            "r?partition \u{e9} ??? ??"
        );
        assert_eq!(text(vec![0xff; 1 << 16]), "?".repeat(1 << 16));
    }
}
