//! From a file to a configuration and what is to be said about it; shared by the start, a reload and `check`.

use std::path::Path;
use std::rc::Rc;

use super::need::{Bounds, Shortage};
use super::reactor::Reactor;
use crate::config::needs::Needs;
use crate::config::{Loaded, Loader, UNREADABLE};
use crate::kernel::error::Error;
use crate::kernel::files::{self, TextFile};
use crate::kernel::machine;
use crate::limits::MAX_FOLDER_NAMES;
use crate::syntax::{Facts, Severity, Want};

/// What was found out about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Errors and fatal errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// Bytes of memory that it needs; 0 if it is not run.
    pub need: usize,
}

impl Found {
    /// What was found in `loaded`.
    pub fn of(Loaded { diagnostics, need, .. }: &Loaded) -> Self {
        Self {
            errors: diagnostics.count(Severity::Error) + diagnostics.count(Severity::Fatal),
            warnings: diagnostics.count(Severity::Warning),
            need: *need,
        }
    }
}

/// What a configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To say what it means: it must be possible to read it.
    Look,
    /// To run it with this many bytes of memory; [`usize::MAX`] is all there is.
    Run(usize),
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
        let mut text = String::new();
        for diagnostic in loaded.diagnostics.iter() {
            text.push_str(&diagnostic.summary().to_string());
            text.push('\n');
        }
        Self { found: Found::of(loaded), text }
    }

    /// Logs every line.
    pub fn log(&self) {
        self.text.lines().for_each(|line| log::warn!("{line}"));
    }
}

/// The keyword of a password.
const SECRET: &[u8] = b"auth_pass";

/// The text of a file. Each byte that is not UTF-8 (a comment in an old encoding) becomes a question mark, so that no
/// file grows by being read. On a line with a password it becomes [`UNREADABLE`]: a question mark would be another
/// password without a word.
pub fn text(bytes: Vec<u8>) -> String {
    let mut rest = match String::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    // A line is looked at once, however many such bytes it has.
    let (mut done, mut end, mut secret) = (0, 0, false);
    while let Err(error) = core::str::from_utf8(rest.get(done..).unwrap_or_default()) {
        done += error.valid_up_to();
        if done >= end {
            let is_end = |byte: &u8| *byte == b'\n';
            let start =
                rest.get(..done).and_then(|before| before.iter().rposition(is_end)).map_or(0, |at| at + 1);
            let length = rest.get(done..).and_then(|behind| behind.iter().position(is_end));
            end = length.map_or(rest.len(), |length| done + length);
            let line = rest.get(start..done).unwrap_or_default();
            secret = line.windows(SECRET.len()).any(|word| word == SECRET);
        }
        if let Some(byte) = rest.get_mut(done) {
            *byte = if secret { UNREADABLE } else { b'?' };
        }
    }
    String::from_utf8(rest).unwrap_or_default()
}

/// A configuration that is being read and checked in pieces, the files it includes with it.
#[derive(Debug)]
pub struct Loading {
    facts: Option<Facts>,
    path: Box<Path>,
    /// A file that is being read: the first one, or one that the loader wants.
    file: Option<TextFile>,
    loader: Option<Loader>,
    bounds: Bounds,
}

/// Bytes of the names in a folder.
const NAMES: usize = 48 * MAX_FOLDER_NAMES;
/// With less memory left than this each line is asked for: one step of many lines may take as much.
const SCARCE: usize = 8 << 20;

impl Loading {
    /// Opens the file. `config_id` is what `@id` in it is compared with; the first label of the host's name if `None`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path, config_id: Option<&str>, purpose: Purpose) -> Result<Self, Error> {
        let bounds = Bounds::now(purpose);
        let folder = std::env::current_dir().ok().and_then(|path| path.into_os_string().into_string().ok());
        let facts = Facts {
            config_id: config_id.map_or_else(machine::host_label, str::to_owned),
            folder: folder.unwrap_or_default(),
            environment: Some(|name| std::env::var(name).ok()),
        };
        let file = Some(TextFile::open(path)?);
        Ok(Self { facts: Some(facts), path: path.into(), file, loader: None, bounds })
    }

    /// What is missing for the next step.
    fn shortage(&self) -> Option<Shortage> {
        let text = self.file.as_ref().map_or(0, TextFile::growth);
        let Some(loader) = &self.loader else { return self.bounds.further(text) };
        let names = if matches!(loader.want(), Some(Want::Names(_))) { NAMES } else { 0 };
        self.bounds.tables(loader).or_else(|| self.bounds.further(text + names + loader.growth()))
    }

    /// Does a piece of work of about a millisecond at most; true when there is no more. A configuration that needs
    /// more memory than there is ends here, with a fatal error.
    ///
    /// # Errors
    /// The first file cannot be read. What is wrong with the others is in the diagnostics.
    pub fn step(&mut self) -> Result<bool, Error> {
        if let Some(shortage) = self.shortage() {
            let name = self.path.display().to_string();
            self.file = None;
            let loader = self.loader.get_or_insert_with(|| Loader::new(&name, String::new()));
            loader.refuse(&name, format_args!("{shortage}"));
            return Ok(true);
        }
        let Some(loader) = &mut self.loader else { return self.step_first().map(|()| false) };
        if let Some(file) = &mut self.file {
            match file.step() {
                Ok(false) => return Ok(false),
                Ok(true) => {
                    let bytes = self.file.take().map(TextFile::into_bytes).unwrap_or_default();
                    loader.give_text(Ok(text(bytes)));
                }
                Err(error) => {
                    self.file = None;
                    loader.give_text(Err(error.number()));
                }
            }
            return Ok(false);
        }
        match loader.want() {
            None if self.bounds.left() < SCARCE => return Ok(loader.step_lines(1)),
            None => return Ok(loader.step()),
            Some(Want::Names(folder)) => {
                let names = files::names(Path::new(folder)).map_err(|error| error.number());
                loader.give_names(names);
            }
            Some(Want::Text(path)) => match TextFile::open(Path::new(path)) {
                Ok(file) => self.file = Some(file),
                Err(error) => loader.give_text(Err(error.number())),
            },
        }
        Ok(false)
    }

    fn step_first(&mut self) -> Result<(), Error> {
        let done = self.file.as_mut().map_or(Ok(true), TextFile::step)?;
        if done {
            let bytes = self.file.take().map(TextFile::into_bytes).unwrap_or_default();
            let loader = Loader::new(&self.path.display().to_string(), text(bytes));
            self.loader = Some(loader.on(self.facts.take().unwrap_or_default()));
        }
        Ok(())
    }

    /// The result; nothing usable before [`Self::step`] said that it is done.
    pub fn finish(self) -> Loaded {
        let mut loaded = self.loader.unwrap_or_else(|| Loader::new("", String::new())).finish();
        if loaded.config.is_some() {
            let (need, shortage) = self.bounds.read(&loaded.counts);
            loaded.need = need;
            if let Some(shortage) = shortage {
                loaded.refuse(&self.path.display().to_string(), format_args!("{shortage}"));
            }
        }
        loaded
    }
}

/// Reads and checks a file at once, for the start and for `check`.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, config_id: Option<&str>, purpose: Purpose) -> Result<Loaded, Error> {
    let mut loading = Loading::open(path, config_id, purpose)?;
    while !loading.step()? {}
    Ok(loading.finish())
}

/// Makes room in the reactor for what a configuration needs.
pub(super) fn reserve(reactor: &Rc<Reactor>, needs: &Needs) {
    let sources = usize::try_from(needs.sources).unwrap_or(usize::MAX);
    reactor.reserve(sources, sources);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_included_relative_to_the_one_that_includes_them_and_a_fifo_holds_nobody() {
        let folder = std::env::temp_dir().join(format!("lvsbox-include-{}", std::process::id()));
        fs::create_dir_all(folder.join("conf.d/nothing.conf")).unwrap();
        let instance = "vrrp_instance $NAME {\ninterface eth0\n@here virtual_router_id 7\nvirtual_ipaddress {\n\
                        include ../vip\n}\n}\n";
        fs::write(folder.join("conf.d/a.conf"), instance).unwrap();
        fs::write(folder.join("vip"), b"192.0.2.1/24 # \xe4\n").unwrap();
        let fifo = folder.join("fifo");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, rustix::fs::Mode::RUSR, 0).unwrap();
        let main = folder.join("main");
        fs::write(&main, "$NAME=V1\ninclude conf.d/*.conf\ninclude fifo\ninclude /dev/zero\n").unwrap();
        let loaded = read(&main, Some("here"), Purpose::Look).unwrap();
        let config = loaded.config.unwrap();
        assert_eq!((config.instances.len(), config.addresses.len()), (1, 1));
        let lines: Vec<_> = loaded.diagnostics.iter().map(|it| (it.position().line, it.message())).collect();
        assert_eq!(lines.len(), 2, "{}", loaded.diagnostics);
        assert!(lines.iter().all(|(_, message)| message.ends_with("is no regular file")), "{lines:?}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn bytes_that_are_no_text_become_question_marks_one_by_one() {
        assert_eq!(
            text(b"r\xe9partition \xc3\xa9 \xed\xa0\x80 \xe2\x82".to_vec()),
            "r?partition \u{e9} ??? ??"
        );
        assert_eq!(text(b"\xe9\nauth_pass s\xe9\xe9\n\xe9".to_vec()), "?\nauth_pass s\x1a\x1a\n?");
        assert_eq!(text(vec![0xff; 1 << 16]), "?".repeat(1 << 16));
    }
}
