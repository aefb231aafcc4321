//! The reader's part of `include`: from a line to files that are read in its place, each asked for and given.
//!
//! A file is read where its line stands, as part of the same text: definitions and open blocks go on behind it, as in
//! 2.2.7. How deep, how many and how much is bounded, and a file that includes itself is refused by its name.

use super::diagnostic::{Code, Diagnostics, Quoted, Severity};
use super::include::{Checks, Found, Search};
use super::line::Line;
use super::reader::{Reader, Want};
use super::tree::{FileId, NodeId, Position};
use crate::limits::{MAX_CONFIG_BYTES, MAX_INCLUDE_DEPTH, MAX_INCLUDES};

/// A file that cannot be included, or an `include` that names none.
pub const INCLUDE: Code = Code(8);
/// A block that is open at the end of an included file, or closed in one that did not open it.
pub const SPANNING: Code = Code(13);

/// `ENOENT` and `EISDIR`, from errno.h: what is missing or a folder is passed over where a pattern matched it.
const MISSING: u16 = 2;
const FOLDER: u16 = 21;

/// What is included and by whom.
#[derive(Debug, Default)]
pub(super) struct Inclusion {
    /// The pattern that is looked for.
    search: Option<Search>,
    /// Files found and not read yet, the first one last.
    queue: Vec<Found>,
    /// Where the line stands, and what is an error there.
    at: Position,
    checks: Checks,
    /// `include_check` of this file.
    standing: Checks,
    /// Files that are open below this one.
    below: Vec<Frame>,
    /// Bytes of all files.
    bytes: usize,
    /// Files that were included.
    files: usize,
}

/// A file whose reading goes on when what it includes was read.
#[derive(Debug)]
struct Frame {
    file: FileId,
    at: usize,
    line: u32,
    floor: usize,
    open: usize,
    queue: Vec<Found>,
    checks: Checks,
    standing: Checks,
    include: Position,
}

impl Inclusion {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// What is needed before anything else is read.
    pub(super) fn want(&self) -> Option<Want<'_>> {
        match &self.search {
            Some(search) => search.wants().map(Want::Names),
            None => self.queue.last().map(|found| Want::Text(&found.path)),
        }
    }

    pub(super) fn is_nested(&self) -> bool {
        !self.below.is_empty()
    }
}

impl Reader {
    /// Takes `include` with its variants and `include_check`; false for other lines.
    pub(super) fn take_include(&mut self, line: &Line, diagnostics: &mut Diagnostics) -> bool {
        let text = line.text();
        let len = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(len).unwrap_or((text, ""));
        let at = line.position(0, len);
        if word == "include_check" {
            match self.inclusion.standing.of_line(rest.split_whitespace()) {
                Some(checks) => self.inclusion.standing = checks,
                None => self.report_include(
                    (Severity::Error, at),
                    format_args!("include_check: a word is not understood"),
                    format_args!(
                        "write readable, match, wildcard_match or brace_match, with `+` or `-` before it"
                    ),
                    diagnostics,
                ),
            }
            return true;
        }
        let Some(checks) = Checks::of_word(word) else { return false };
        // 2.2.7 takes all of the line for the path and knows no quotes there: `include "x"` fails.
        let path = rest.trim();
        let path = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')).unwrap_or(path);
        if path.is_empty() {
            self.report_include(
                (Severity::Error, at),
                format_args!("{} names no file", Quoted(word)),
                format_args!("write a path or a pattern such as `conf.d/*.conf` behind it"),
                diagnostics,
            );
            return true;
        }
        let start = text.len() - rest.trim_start().len();
        self.inclusion.at = line.position(start, text.len() - start);
        self.inclusion.checks = self.inclusion.standing.with(checks);
        let name = self.tree.name(self.file);
        let folder = name.rfind('/').and_then(|slash| name.get(..=slash)).unwrap_or("");
        self.inclusion.search = Some(Search::new(folder, path));
        self.end_search(diagnostics);
        true
    }

    fn report_include(
        &self,
        (severity, at): (Severity, Position),
        message: core::fmt::Arguments<'_>,
        hint: core::fmt::Arguments<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        diagnostics.report(&self.tree, (severity, INCLUDE, at), message, hint);
    }

    /// If the search is over: what it found is to be read.
    fn end_search(&mut self, diagnostics: &mut Diagnostics) {
        let over = self.inclusion.search.take_if(|search| search.wants().is_none() || search.overflow);
        let Some(search) = over else { return };
        let (at, checks) = (self.inclusion.at, self.inclusion.checks);
        if search.overflow {
            return self.report_include(
                (Severity::Error, at),
                format_args!("this pattern means more than {MAX_INCLUDES} files"),
                format_args!("write fewer alternatives, or a pattern that matches less; nothing is included"),
                diagnostics,
            );
        }
        // 2.2.7: silence unless `includew` or `include_check wildcard_match` asks for a match.
        for pattern in search.unmatched().filter(|_| checks.wildcard()) {
            self.report_include(
                (Severity::Error, at),
                format_args!("no file matches {}", Quoted(pattern)),
                format_args!("write `include` if there may be none"),
                diagnostics,
            );
        }
        self.inclusion.queue = search.finish();
    }

    /// What is needed before the next [`Reader::step`].
    pub fn want(&self) -> Option<Want<'_>> {
        self.inclusion.want()
    }

    /// The answer to [`Want::Names`]: the names in the folder, or an error number of errno.h.
    pub fn give_names(&mut self, names: Result<Vec<String>, u16>, diagnostics: &mut Diagnostics) {
        let Some(search) = &mut self.inclusion.search else { return };
        let failed = names.as_ref().err().copied().filter(|errno| *errno != MISSING && *errno != 20);
        let folder = search.wants().unwrap_or("").to_owned();
        search.take_names(&names.unwrap_or_default());
        if let Some(errno) = failed {
            self.report_refused(&folder, errno, diagnostics);
        }
        self.end_search(diagnostics);
    }

    /// The answer to [`Want::Text`]: the file's text, or an error number of errno.h.
    pub fn give_text(&mut self, text: Result<String, u16>, diagnostics: &mut Diagnostics) {
        if self.inclusion.search.is_some() {
            return;
        }
        let Some(found) = self.inclusion.queue.pop() else { return };
        match text {
            Ok(text) => self.enter(&found, text, diagnostics),
            Err(MISSING | FOLDER) if !found.named => {}
            Err(errno) => self.report_refused(&found.path, errno, diagnostics),
        }
    }

    /// Nobody answers: the reader belongs to something that opens no files.
    pub(super) fn refuse(&mut self, diagnostics: &mut Diagnostics) {
        self.inclusion.search = None;
        self.inclusion.queue.clear();
        let at = self.inclusion.at;
        self.report_include(
            (Severity::Error, at),
            format_args!("no file can be included here"),
            format_args!("copy its text to this place"),
            diagnostics,
        );
    }

    fn report_refused(&self, path: &str, errno: u16, diagnostics: &mut Diagnostics) {
        let (severe, why) = match errno {
            MISSING => (false, "does not exist"),
            13 => (false, "may not be read"),
            FOLDER => (false, "is a directory: write `/*` behind it"),
            22 => (true, "is no regular file"),
            27 => (true, "is too large"),
            _ => (false, "cannot be read"),
        };
        let severe = severe || self.inclusion.checks.any();
        let severity = if severe { Severity::Error } else { Severity::Warning };
        let at = self.inclusion.at;
        self.report_include(
            (severity, at),
            format_args!("the file {} {why}", Quoted(path)),
            format_args!("what stands in it is missing here"),
            diagnostics,
        );
    }

    /// Begins to read a file in the place of the line that includes it.
    fn enter(&mut self, found: &Found, text: String, diagnostics: &mut Diagnostics) {
        let at = self.inclusion.at;
        let same = |file: FileId| plain(self.tree.name(file)) == plain(&found.path);
        let cycle = same(self.file) || self.inclusion.below.iter().any(|frame| same(frame.file));
        let bytes = self.inclusion.bytes.saturating_add(text.len());
        let path = Quoted(&found.path);
        let refused = if cycle {
            Some(format!("{path} includes itself"))
        } else if self.inclusion.below.len() >= MAX_INCLUDE_DEPTH {
            Some(format!(
                "{path} would be file {} deep: the limit is {MAX_INCLUDE_DEPTH}",
                MAX_INCLUDE_DEPTH + 1
            ))
        } else if self.inclusion.files >= MAX_INCLUDES {
            Some(format!("{path} would be one file too many: the limit is {MAX_INCLUDES}"))
        } else if bytes > MAX_CONFIG_BYTES {
            Some(format!("with {path} there are {bytes} bytes: the limit is {MAX_CONFIG_BYTES}"))
        } else {
            None
        };
        if let Some(refused) = refused {
            return self.report_include(
                (Severity::Error, at),
                format_args!("{refused}"),
                format_args!("it is not included here"),
                diagnostics,
            );
        }
        self.inclusion.bytes = bytes;
        self.inclusion.files += 1;
        let file = self.tree.add_file(&found.path, text, at);
        let (inclusion, depth) = (&mut self.inclusion, self.expansion.depth());
        inclusion.below.push(Frame {
            file: core::mem::replace(&mut self.file, file),
            at: core::mem::take(&mut self.at),
            line: core::mem::replace(&mut self.line, 1),
            floor: core::mem::replace(&mut self.expansion.floor, depth),
            open: self.open.len(),
            queue: core::mem::take(&mut inclusion.queue),
            checks: inclusion.checks,
            standing: inclusion.standing,
            include: at,
        });
    }

    /// The end of an included file: what included it goes on.
    pub(super) fn leave(&mut self, diagnostics: &mut Diagnostics) {
        self.end_definition(diagnostics);
        let Some(frame) = self.inclusion.below.pop() else { return };
        for open in self.open.iter().skip(frame.open) {
            let word = self.tree.keyword(open.node).text;
            diagnostics.report(
                &self.tree,
                (Severity::Warning, SPANNING, open.brace),
                format_args!("the block of {} is not closed in the file that opens it", Quoted(&word)),
                format_args!("what stands behind the `include` goes into the block; close it in this file"),
            );
        }
        self.file = frame.file;
        self.at = frame.at;
        self.line = frame.line;
        self.skipping = false;
        self.expansion.floor = frame.floor;
        self.inclusion.queue = frame.queue;
        self.inclusion.checks = frame.checks;
        self.inclusion.standing = frame.standing;
        self.inclusion.at = frame.include;
    }

    /// A `}` in an included file that closes a block of the file that includes it.
    pub(super) fn warn_of_closing(&mut self, node: NodeId, at: Position, diagnostics: &mut Diagnostics) {
        // Said once for each file.
        let open = self.open.len();
        match self.inclusion.below.last_mut() {
            Some(frame) if open < frame.open => frame.open = open,
            Some(_) | None => return,
        }
        let word = self.tree.keyword(node).text;
        diagnostics.report(
            &self.tree,
            (Severity::Warning, SPANNING, at),
            format_args!("this `}}` closes the block of {}, which another file opened", Quoted(&word)),
            format_args!("close the block in the file that opens it"),
        );
    }
}

/// A path without `.` and with `a/..` taken away: two names of one file are mostly found to be the same.
fn plain(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, ".." | "")) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}
