//! Diagnostics: what is wrong, where, what was expected and what to write instead.
//!
//! At most [`MAX_DIAGNOSTICS`] are kept; when there are more, the most severe ones stay and the rest is counted. A
//! diagnostic holds its own piece of the source, so that the text can go.

use core::fmt::{self, Write as _};

use super::excerpt::{COLUMNS, Excerpt, excerpt, harmless};
use super::tree::{Position, Tree};
use crate::limits::MAX_DIAGNOSTICS;

/// How bad it is; the order is the order of severity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Ignored without effect on forwarding, or a hint.
    Warning,
    /// A line or an object cannot mean what was written and is left out.
    Error,
    /// The file cannot be understood.
    Fatal,
}

/// A stable number: `E0107`. The hundreds say where it comes from: 0 the reader, 1 keyword tables, 2 VRRP, 3 services
/// and checks, 4 limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Code(pub u16);

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    severity: Severity,
    code: Code,
    at: Position,
    file: Box<str>,
    message: Box<str>,
    hint: Box<str>,
    notes: Box<str>,
    excerpt: Excerpt,
}

/// All messages about one configuration.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    /// All that were reported, kept or not, by severity.
    totals: [u64; 3],
}

impl Severity {
    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Diagnostic {
    /// How bad.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Its number.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Where.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> u32 {
        self.excerpt.column
    }

    /// Column in characters behind the last one that is meant.
    pub fn end_column(&self) -> u32 {
        self.excerpt.end
    }

    /// The file as it was named, whatever characters its name has.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `E0107`, `W0112`: the letter is that of the severity.
    pub fn label(&self) -> impl fmt::Display + '_ {
        let letter = if self.severity == Severity::Warning { 'W' } else { 'E' };
        fmt::from_fn(move |f| write!(f, "{letter}{:04}", self.code.0))
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, or what happens now; may be empty.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// How the text got where it is read, one step a line: "included from a.conf:3"; mostly empty.
    pub fn notes(&self) -> &str {
        &self.notes
    }

    /// `file:line:column: error[E0107]: message`, in one line whatever its length: for logs.
    pub fn summary(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| {
            self.file.chars().try_for_each(|c| f.write_char(harmless(c)))?;
            let (line, column) = (self.at.line, self.excerpt.column);
            write!(f, ":{line}:{column}: {}[{}]: {}", self.severity, self.label(), self.message)
        })
    }
}

/// The summary, the source line, a line of carets, the hint and the notes, each at most 80 columns wide.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        wrap(f, &self.summary().to_string(), "    ")?;
        let Excerpt { line, indent, carets, .. } = &self.excerpt;
        writeln!(f, "{:5} | {}", self.at.line, line.trim_end())?;
        writeln!(f, "      | {:indent$}{:^>carets$}", "", "")?;
        if !self.hint.is_empty() {
            wrap(f, &format!("      = help: {}", self.hint), "        ")?;
        }
        self.notes.lines().try_for_each(|note| wrap(f, &format!("      = note: {note}"), "        "))
    }
}

/// Breaks a line between words so that it fits the console; later lines are indented.
fn wrap(f: &mut fmt::Formatter<'_>, text: &str, indent: &str) -> fmt::Result {
    let mut used = 0;
    for (index, word) in text.split(' ').enumerate() {
        let len = word.chars().count();
        if index > 0 && used + 1 + len > COLUMNS {
            write!(f, "\n{indent}{word}")?;
            used = indent.len() + len;
        } else {
            let blank = if index > 0 { " " } else { "" };
            write!(f, "{blank}{word}")?;
            used += blank.len() + len;
        }
    }
    f.write_char('\n')
}

/// A piece of a configuration in a message: between backticks, cut to 40 characters, harmless on a terminal.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        for c in self.0.chars().take(40) {
            f.write_char(harmless(c))?;
        }
        f.write_str(if self.0.chars().nth(40).is_some() { "...`" } else { "`" })
    }
}

impl Diagnostics {
    /// Adds a message. `message` and `hint` are formatted only if they are kept.
    pub fn report(
        &mut self,
        tree: &Tree,
        (severity, code, at): (Severity, Code, Position),
        message: fmt::Arguments<'_>,
        hint: fmt::Arguments<'_>,
    ) {
        if let Some(total) = self.totals.get_mut(severity as usize) {
            *total += 1;
        }
        if self.kept.len() >= MAX_DIAGNOSTICS && !self.evict(severity) {
            return;
        }
        // Whatever piece of the source a message quotes, nothing in it may act on a terminal.
        let shown = |text: &str| text.chars().map(harmless).collect::<String>().into_boxed_str();
        let file = tree.name(at.file).into();
        let (message, hint) = (shown(&message.to_string()), shown(&hint.to_string()));
        let shown = |c| if c == '\n' { c } else { harmless(c) };
        let notes = tree.notes(at).chars().map(shown).collect::<String>().into_boxed_str();
        let excerpt = excerpt(tree, at, COLUMNS - 8);
        self.kept.push(Diagnostic { severity, code, at, file, message, hint, notes, excerpt });
    }

    /// False if a message of this severity would only be counted.
    pub fn keeps(&self, severity: Severity) -> bool {
        self.kept.len() < MAX_DIAGNOSTICS || self.kept.iter().any(|kept| kept.severity < severity)
    }

    /// Makes room by dropping the last one that is less severe.
    fn evict(&mut self, severity: Severity) -> bool {
        let least = self.kept.iter().map(|kept| kept.severity).min().filter(|least| *least < severity);
        let Some(index) = least.and_then(|least| self.kept.iter().rposition(|kept| kept.severity == least))
        else {
            return false;
        };
        self.kept.remove(index);
        true
    }

    /// Puts the messages in the order of the text; there are few.
    pub fn sort(&mut self) {
        for one in core::mem::take(&mut self.kept) {
            let place = self.kept.partition_point(|kept| kept.at <= one.at);
            self.kept.insert(place, one);
        }
    }

    /// The messages that were kept.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.kept.iter()
    }

    /// How many messages of this severity there were, kept or not.
    pub fn count(&self, severity: Severity) -> u64 {
        self.totals.get(severity as usize).copied().unwrap_or(0)
    }

    /// The worst severity, nothing without messages.
    pub fn worst(&self) -> Option<Severity> {
        [Severity::Fatal, Severity::Error, Severity::Warning].into_iter().find(|worst| self.count(*worst) > 0)
    }

    /// `2 errors, 1 warning`; `no errors` without messages.
    pub fn totals(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            let mut first = true;
            for severity in [Severity::Fatal, Severity::Error, Severity::Warning] {
                let count = self.count(severity);
                if count > 0 {
                    let plural = if count == 1 { "" } else { "s" };
                    write!(f, "{}{count} {severity}{plural}", if first { "" } else { ", " })?;
                    first = false;
                }
            }
            if first { f.write_str("no errors") } else { Ok(()) }
        })
    }
}

/// All messages, and how many more there were.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.kept {
            write!(f, "{diagnostic}")?;
        }
        let hidden = self.totals.iter().sum::<u64>().saturating_sub(self.kept.len() as u64);
        if hidden > 0 {
            writeln!(f, "and {hidden} more: the limit is {MAX_DIAGNOSTICS} messages, the most severe first")?;
        }
        Ok(())
    }
}
