//! The short answers: `help`, `version`, `reload`, and what stands in for `show ipvs` while there is no table.

use core::fmt::{self, Write};

use super::line;
use crate::console::answer::{Next, Place};
use crate::console::ipvs as table;
use crate::console::json::{Object, Shown};
use crate::console::table::{Command, TABLE};
use crate::console::text::{Ago, Line, clip_path};
use crate::console::view::{Outcome, Reload, View};
use crate::director::ipvs_plan::Availability;
use crate::wire::errno;

pub(in crate::console) fn help(_: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    // What is left out is told by the row above it: the list fits a screen.
    for row in TABLE.iter().filter(|row| row.command != Command::ReloadForce) {
        let mut line = Line::new(out);
        row.words.iter().try_for_each(|word| write!(line, "{word} "))?;
        line.to(17)?;
        line.write_str(row.help)?;
        line.end()?;
    }
    Ok(None)
}

pub(in crate::console) fn help_json(_: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let mut object = Object::begin(out)?;
    for row in &TABLE {
        let [first, second] = [row.words.first(), row.words.get(1)].map(|word| word.copied().unwrap_or(""));
        let blank = if second.is_empty() { "" } else { " " };
        let mut name: heapless::String<32> = heapless::String::new();
        write!(name, "{first}{blank}{second}")?;
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
