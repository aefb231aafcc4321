//! The short answers: `help`, `version`, `reload`, and what stands in for `show ipvs` while there is no table.

use core::fmt::{self, Write};

use super::line;
use crate::console::answer::{Next, Place};
use crate::console::ipvs as table;
use crate::console::json::{Object, Shown};
use crate::console::table::{Command, Row, TABLE};
use crate::console::text::{Ago, Line, SCREEN_WIDTH, clip_path};
use crate::console::view::{Outcome, Reload, View};
use crate::director::ipvs_plan::Availability;
use crate::wire::errno;

/// Commands that share their first word with so many others stand on a line of their own.
const CROWD: usize = 4;

pub(in crate::console) fn help(_: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let mut last = "";
    for row in TABLE.iter().filter(|row| !row.is_hidden()) {
        let first = row.words.first().copied().unwrap_or("");
        let crowd = || TABLE.iter().filter(move |other| other.words.first() == Some(&first));
        if crowd().count() < CROWD {
            help_line(row, HELP_COLUMN, out)?;
        } else if last != first {
            let mut before = "";
            let seconds = crowd().filter_map(|other| other.words.get(1).copied());
            let seconds = seconds.filter(|second| core::mem::replace(&mut before, *second) != *second);
            let closing = ["(help", first, "explains", "each)"];
            help_crowd(first, seconds.chain(closing), out)?;
        }
        last = first;
    }
    Ok(None)
}

fn help_line(row: &Row, column: usize, out: &mut dyn Write) -> fmt::Result {
    let mut line = Line::new(out);
    row.words.iter().try_for_each(|word| write!(line, "{word} "))?;
    line.to(column)?;
    line.write_str(row.help)?;
    line.end()
}

const HELP_COLUMN: usize = 17;
/// The same behind the longest words of a view.
const VIEW_COLUMN: usize = 23;

/// What may stand behind a word, in as many lines as it takes.
fn help_crowd<'a>(first: &str, words: impl Iterator<Item = &'a str>, out: &mut dyn Write) -> fmt::Result {
    let mut line = Line::new(out);
    line.write_str(first)?;
    line.to(HELP_COLUMN)?;
    for word in words {
        if line.column() + word.len() > SCREEN_WIDTH {
            line.end()?;
            line = Line::new(out);
            line.to(HELP_COLUMN)?;
        }
        write!(line, "{word} ")?;
    }
    line.end()
}

pub(in crate::console) fn help_of(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let begins =
        |row: &Row, place: usize| row.words.get(place).is_some_and(|word| word.starts_with(view.argument));
    let by_first = TABLE.iter().any(|row| begins(row, 0));
    let mut found = false;
    for row in TABLE.iter().filter(|row| !row.is_hidden() && begins(row, usize::from(!by_first))) {
        // Views of one thing are explained by its own name.
        if !by_first || row.words.len() < 3 || !matches!(row.command, Command::IpvsOf(_)) {
            help_line(row, if by_first { HELP_COLUMN } else { VIEW_COLUMN }, out)?;
        }
        found = true;
    }
    if by_first && TABLE.iter().any(|row| begins(row, 0) && matches!(row.command, Command::IpvsOf(_))) {
        let views = TABLE.iter().filter(|row| matches!(row.command, Command::IpvsOf(_)));
        let words = views.filter_map(|row| row.words.get(2).copied());
        help_crowd("show ipvs ...", words.chain(["(help", "ipvs)"]), out)?;
    }
    if !found {
        line(out, format_args!("no command begins with {}: `help` lists them", view.argument))?;
    }
    Ok(None)
}

pub(in crate::console) fn help_json(_: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let mut object = Object::begin(out)?;
    for row in TABLE.iter().filter(|row| !row.is_hidden()) {
        let mut name: heapless::String<48> = heapless::String::new();
        for (place, word) in row.words.iter().enumerate() {
            write!(name, "{}{word}", if place == 0 { "" } else { " " })?;
        }
        object.field(&name, row.help)?;
    }
    object.end()?;
    out.write_char('\n')?;
    Ok(None)
}

/// What the shell answers itself.
pub(in crate::console) fn nothing(_: &View<'_>, _: Place, _: &mut dyn Write) -> Next {
    Ok(None)
}

pub(in crate::console) fn version(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    line(out, format_args!("lvsbox {}", view.identity.version))?;
    Ok(None)
}

pub(in crate::console) fn version_json(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let mut object = Object::begin(out)?;
    object.field("name", "lvsbox")?;
    object.field("version", view.identity.version)?;
    object.end()?;
    out.write_char('\n')?;
    Ok(None)
}

/// A reload as the tail of a sentence.
pub(super) struct Told(pub(super) Reload);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.outcome {
            Outcome::InForce => f.write_str("in force"),
            Outcome::Refused(found) => write!(f, "refused, {} errors: nothing changed", found.errors),
            Outcome::Unreadable { errno } => {
                write!(f, "not read, {}: nothing changed", errno::Text(errno))
            }
        }
    }
}

pub(in crate::console) fn reload(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    match view.reload {
        Some(reload) => {
            let ago = Ago { now: view.now, at: reload.at };
            line(out, format_args!("{}: {} ({ago})", clip_path(view.identity.configuration), Told(reload)))?;
        }
        None => line(out, format_args!("{}: not reloaded yet", clip_path(view.identity.configuration)))?,
    }
    Ok(None)
}

pub(in crate::console) fn reload_json(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let mut object = Object::begin(out)?;
    object.field("configuration", clip_path(view.identity.configuration))?;
    write_reload(view, &mut object)?;
    object.end()?;
    out.write_char('\n')?;
    Ok(None)
}

/// The members that describe the last reload.
pub(super) fn write_reload(view: &View<'_>, object: &mut Object<'_>) -> fmt::Result {
    let Some(reload) = view.reload else { return object.field("reload", None::<u8>) };
    object.object("reload", |object| {
        object.field("ago", view.now.since(reload.at))?;
        object.field("in_force", reload.outcome == Outcome::InForce)?;
        object.field("outcome", Shown(Told(reload)))
    })
}

pub(in crate::console) fn ipvs(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    match view.director.ipvs_plan().availability() {
        Availability::Absent(number) => table::unavailable(out, number.0)?,
        Availability::Unneeded => out.write_str("IPVS: no virtual server is configured\n")?,
        Availability::Unknown | Availability::Asking(_) | Availability::Present(_) => {
            out.write_str("IPVS: the kernel has not given its table yet\n")?;
        }
    }
    Ok(None)
}

pub(in crate::console) fn ipvs_json(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    match view.director.ipvs_plan().availability() {
        Availability::Absent(number) => table::unavailable_json(out, number.0)?,
        Availability::Unneeded
        | Availability::Unknown
        | Availability::Asking(_)
        | Availability::Present(_) => out.write_str("{\"services\":[]}\n")?,
    }
    Ok(None)
}
