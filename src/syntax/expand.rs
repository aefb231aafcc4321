//! What keepalived does to a line before it is split into words: `@id`, `$NAME=`, `~SEQ`, `$NAME`, `include`, in this
//! order. Lines without one of their signs never come here.
//!
//! The rules are those of 2.2.7 as it behaves, also where its manual page says otherwise: it finds `include` behind
//! `@id` and with variables in the path. Work is bounded: a line is replaced at most `MAX_SUBSTITUTIONS` times, and
//! generated lines are made one by one as the reader asks for them, up to `MAX_GENERATED_LINES` in all.

use core::cell::Cell;

use std::rc::Rc;

use super::define::{self, Definitions, Variable};
use super::diagnostic::{Code, Diagnostics, Quoted, Severity};
use super::feed::Feed;
use super::line::Line;
use super::reader::Reader;
use super::tree::Position;
use crate::limits::{MAX_DEFINITIONS, MAX_LINE_BYTES, MAX_SUBSTITUTIONS};

/// A `$NAME=` that is none, or a variable that cannot be used here.
pub const DEFINITION: Code = Code(9);
/// A variable that is not defined.
pub const UNDEFINED: Code = Code(10);
/// A `~SEQ` or `~LST` that cannot be understood.
pub const GENERATOR: Code = Code(11);
/// Replacing and generating without end.
pub const EXPANSION: Code = Code(12);

/// What a file cannot know of the machine it is read on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What `@id` is compared with, and `${_INSTANCE}`.
    pub config_id: String,
    /// What names of files are relative to, for `${_PWD}`.
    pub folder: String,
    /// The value of an environment variable, for `${_ENV NAME}`; a box has no environment.
    pub environment: Option<fn(&str) -> Option<String>>,
}

/// Definitions, and lines that were made and not read yet.
#[derive(Debug, Default)]
pub(super) struct Expansion {
    pub(super) facts: Facts,
    definitions: Definitions,
    /// What gives the next line, the newest last.
    pub(super) feeds: Vec<Feed>,
    /// Feeds of the files that include this one: they go on when it is read.
    pub(super) floor: usize,
    /// A definition whose last line ended with `\`.
    defining: Option<(Box<str>, Position, Vec<Line>)>,
    /// Variables that were replaced.
    pub(super) replaced: usize,
    /// Lines that were made.
    pub(super) generated: usize,
    /// The limit of them was reported.
    pub(super) exhausted: bool,
    /// Something was compared with the configuration's id, or replaced by it.
    pub(super) id_used: Cell<bool>,
}

/// What became of a line.
pub(super) enum Expanded {
    /// It has done its work, or is left out.
    Taken,
    /// Nothing was replaced.
    Same,
    /// This is to be read.
    Changed(Line),
}

/// What became of the variables of a line.
pub(super) enum Replaced {
    Nothing,
    Something,
    /// There is a limit; the line is left out.
    Refused,
}

/// True for a line that [`Reader::expand`] has something to do with.
pub(super) fn is_special(line: &[u8]) -> bool {
    let mut start = true;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'$' | b'@' | b'~' => return true,
            b'{' | b'}' => start = true,
            b' ' | b'\t' => {}
            b'i' if start && line.get(at..).is_some_and(|rest| rest.starts_with(b"include")) => return true,
            _ => start = false,
        }
    }
    false
}

/// Bytes before a generator behind a brace: the variables there wait for their values.
fn before_generator(text: &str) -> usize {
    let starts = |at: &usize| text.get(..*at).is_some_and(|before| before.trim_end().ends_with(['{', '}']));
    text.match_indices('~').map(|(at, _)| at).find(starts).unwrap_or(text.len())
}

/// True if what follows a brace has to be looked at as a line of its own.
pub(super) fn begins_special(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(['@', '~']) || text.starts_with("include") || define::definition(text).is_some()
}

impl Expansion {
    /// True if made lines come before the file's own.
    pub(super) fn has_lines(&self) -> bool {
        self.feeds.len() > self.floor
    }

    /// True if the next line of the file belongs to a definition.
    pub(super) fn is_defining(&self) -> bool {
        self.defining.is_some()
    }

    /// Feeds there are: the floor of a file that is included now.
    pub(super) fn depth(&self) -> usize {
        self.feeds.len()
    }
}

impl Reader {
    /// Takes a line that belongs to a definition, from `start` to `end` of the file.
    pub(super) fn continue_definition(&mut self, start: usize, end: usize, diagnostics: &mut Diagnostics) {
        let at = self.position(start, end - start);
        let source = self.tree.text(self.file).get(start..end).unwrap_or("");
        let blank = source.trim().is_empty();
        let (mut line, comment) = Line::from_file(source, at);
        // 2.2.7: a line with nothing but a comment is not there, an empty one ends the definition.
        let skipped = line.text().is_empty() && comment.is_some();
        let more = skipped || line.text().ends_with('\\');
        if let Some(len) = line.text().strip_suffix('\\').map(|text| text.trim_end().len()) {
            line = line.part(0, len);
        }
        if let Some((_, _, lines)) = &mut self.expansion.defining
            && !blank
            && !line.text().is_empty()
        {
            lines.push(line);
        }
        if !more {
            self.end_definition(diagnostics);
        }
    }

    /// The file, or the line without `\`, that ends a definition was read.
    pub(super) fn end_definition(&mut self, diagnostics: &mut Diagnostics) {
        if let Some((name, at, lines)) = self.expansion.defining.take() {
            self.define(&name, lines.into(), at, diagnostics, false);
        }
    }

    pub(super) fn define(
        &mut self,
        name: &str,
        lines: Rc<[Line]>,
        at: Position,
        diagnostics: &mut Diagnostics,
        made: bool,
    ) {
        if !self.expansion.definitions.set(name, lines, at, made) {
            diagnostics.report(
                &self.tree,
                (Severity::Error, DEFINITION, at),
                format_args!("there are more than {MAX_DEFINITIONS} definitions; this one is left out"),
                format_args!("define a name again where its old value is no longer needed"),
            );
        }
    }

    /// Does what the signs of a line ask for.
    pub(super) fn expand(&mut self, mut line: Line, diagnostics: &mut Diagnostics) -> Expanded {
        let (mut changed, mut left) = (false, MAX_SUBSTITUTIONS);
        loop {
            line.cut(0);
            match line.text().as_bytes().first() {
                None => return Expanded::Taken,
                Some(b'@') => match self.condition(line.text()) {
                    Some(len) => {
                        line.cut(len);
                        changed = true;
                        continue;
                    }
                    None => {
                        self.note_left_out(&line);
                        return Expanded::Taken;
                    }
                },
                Some(b'$') if self.take_definition(&line, diagnostics) => return Expanded::Taken,
                Some(b'~') => {
                    self.start_generator(line, &mut left, diagnostics);
                    return Expanded::Taken;
                }
                Some(_) => {}
            }
            match self.substitute(&mut line, &mut left, diagnostics) {
                Replaced::Refused => return Expanded::Taken,
                Replaced::Nothing => break,
                Replaced::Something => changed = true,
            }
            // What a variable stands for may be `@id`, a definition or a generator.
            if !line.text().trim_start().starts_with(['@', '$', '~']) {
                break;
            }
        }
        if self.take_include(&line, diagnostics) {
            return Expanded::Taken;
        }
        self.warn_of_variables(&line, diagnostics);
        if changed { Expanded::Changed(line) } else { Expanded::Same }
    }

    /// Bytes of an `@id` that is fulfilled; nothing if the line does not count. 2.2.7: the same without anything
    /// behind.
    fn condition(&self, text: &str) -> Option<usize> {
        let word = text.split([' ', '\t']).next().filter(|word| word.len() < text.len())?;
        let (wanted, id) = match word.strip_prefix("@^") {
            Some(id) => (false, id),
            None => (true, word.get(1..)?),
        };
        self.expansion.id_used.set(true);
        ((id == self.expansion.facts.config_id) == wanted).then_some(word.len())
    }

    fn take_definition(&mut self, line: &Line, diagnostics: &mut Diagnostics) -> bool {
        let text = line.text();
        let Some((name, from)) = define::definition(text) else {
            let named = 1 + define::name_len(text.get(1..).unwrap_or(""));
            let malformed = text.get(named..).is_some_and(|rest| rest.trim_start().starts_with('='));
            if malformed || text.get(1..2).is_some_and(|c| c == "=") {
                diagnostics.report(
                    &self.tree,
                    (Severity::Error, DEFINITION, line.position(0, named)),
                    format_args!("this is no definition: a blank stands before its `=`, or no name"),
                    format_args!(
                        "write `$NAME=value`, the name of letters, digits and `_`; the line is left out"
                    ),
                );
            }
            return malformed;
        };
        let at = line.position(0, name.len() + 1);
        let value = line.part(from, text.len());
        match value.text().strip_suffix('\\') {
            Some(first) => {
                let first = value.part(0, first.trim_end().len());
                let lines = if first.text().is_empty() { Vec::new() } else { vec![first] };
                self.expansion.defining = Some((name.into(), at, lines));
            }
            None => self.define(name, [value].into(), at, diagnostics, false),
        }
        true
    }

    /// Replaces variables from left to right, and again in what they stand for.
    pub(super) fn substitute(
        &mut self,
        line: &mut Line,
        left: &mut usize,
        diagnostics: &mut Diagnostics,
    ) -> Replaced {
        let (mut at, mut done) = (0, Replaced::Nothing);
        while let Some(found) = line.text().get(at..).and_then(|rest| rest.find('$')) {
            at += found;
            if at > before_generator(line.text()) {
                break;
            }
            let Some(variable) = define::variable(line.text().get(at..).unwrap_or("")) else {
                at += 1;
                continue;
            };
            let (end, place) = (at + variable.len, line.position(at, variable.len));
            let last = end == line.text().len();
            let Some((by, feed)) = self.value_of(&variable, place, last) else {
                at += 1;
                continue;
            };
            *left = left.saturating_sub(1);
            self.expansion.replaced += 1;
            line.replace(at, end, &by);
            if *left == 0 || line.text().len() > MAX_LINE_BYTES {
                self.report_endless(place, diagnostics);
                return Replaced::Refused;
            }
            if feed.is_some_and(|feed| !self.feed(feed, place, diagnostics)) {
                return Replaced::Refused;
            }
            done = Replaced::Something;
            if at == 0 && line.text().trim_start().starts_with('~') {
                break; // a generator: what it repeats is replaced with each value
            }
        }
        done
    }

    /// What a variable stands for; of a definition of several lines the first, and the others to come.
    fn value_of(
        &mut self,
        variable: &Variable<'_>,
        at: Position,
        last: bool,
    ) -> Option<(Line, Option<Feed>)> {
        let facts = &self.expansion.facts;
        if let Some(known) = self.expansion.definitions.get(variable.name) {
            let Some(first) = known.lines.first() else { return Some((Line::default(), None)) };
            if known.lines.len() > 1 {
                let mut first = first.clone();
                let lines = Rc::clone(&known.lines);
                let how = format!("expanded from ${} at", variable.name);
                let via = last.then(|| self.tree.add_via(how, at, at.via))?;
                first.set_via(via);
                return Some((first, Some(Feed::Lines { lines, next: 1, via })));
            }
            let via = match known.noted {
                _ if known.generated => at.via,
                Some((next, via)) if next == at.via => via,
                Some(_) | None => {
                    let how = format!("expanded from ${} defined at", variable.name);
                    let via = self.tree.add_via(how, known.at, at.via);
                    known.noted = Some((at.via, via));
                    via
                }
            };
            return Some((Line::standing_for(first.text(), Position { via, ..at }), None));
        }
        let text = match variable.name {
            "_PWD" => self.folder(),
            "_INSTANCE" => {
                self.expansion.id_used.set(true);
                facts.config_id.clone()
            }
            // 2.2.7 looks for comments before it replaces variables: these two are no more than characters.
            "_HASH" => "#".to_owned(),
            "_BANG" => "!".to_owned(),
            "_ENV" => facts.environment.and_then(|get| get(variable.parameters))?,
            _ => return None,
        };
        Some((Line::standing_for(&text, at), None))
    }

    /// The folder of the file that is read, absolute if the one of the process is known.
    fn folder(&self) -> String {
        let name = self.tree.name(self.file);
        let own =
            name.rsplit_once('/').map_or("", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        let base = &self.expansion.facts.folder;
        match (own.starts_with('/'), own.is_empty() || base.is_empty()) {
            (true, _) => own.to_owned(),
            (false, true) => format!("{base}{own}"),
            (false, false) => format!("{base}/{own}"),
        }
    }

    /// What looks like a variable and is none: 2.2.7 leaves it as it is and says nothing.
    fn warn_of_variables(&mut self, line: &Line, diagnostics: &mut Diagnostics) {
        let end = before_generator(line.text());
        for (at, _) in line.text().match_indices('$').filter(|(at, _)| *at < end) {
            let Some(variable) = define::variable(line.text().get(at..).unwrap_or("")) else { continue };
            let inside =
                line.text().get(..at).is_some_and(|before| before.ends_with(|c: char| !c.is_whitespace()));
            let place = line.position(at, variable.len);
            if variable.name == "_RANDOM" {
                // A number that is another one at every load would change the configuration at every reload.
                diagnostics.report(
                    &self.tree,
                    (Severity::Error, UNDEFINED, place),
                    format_args!(
                        "there are no random numbers here: each reload would change what is configured"
                    ),
                    format_args!(
                        "write a number of your own, or one for each machine with `@id $NUMBER=...`"
                    ),
                );
                continue;
            }
            let several = self.expansion.definitions.get(variable.name).is_some();
            if !several && inside && !variable.braces {
                continue; // `$` is an ordinary character of passwords and paths
            }
            let name = Quoted(line.text().get(at..at + variable.len).filter(|_| !inside).unwrap_or("$..."));
            let (what, hint) = if several {
                ("has several lines and is not the last word of its line", "write it on a line of its own")
            } else {
                ("is not defined above and stays as it is written", "define it above with `$NAME=value`")
            };
            diagnostics.report(
                &self.tree,
                (Severity::Warning, UNDEFINED, place),
                format_args!("{name} {what}"),
                format_args!("{hint}"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
