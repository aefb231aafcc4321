//! `show boot`: what PID 1 did before the loop ran, and when the box began to serve.

use core::fmt::Write;

use super::line;
use crate::console::answer::{Next, Place};
use crate::console::json::{Object, Shown};
use crate::console::text::Line;
use crate::console::view::{Millis, View};

const NONE: &str = "not booted by lvsbox: this is a daemon on a machine of its owner's\n";

pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let Some(stage) = view.boot.get(place.row) else {
        out.write_str(if view.boot.is_empty() { NONE } else { "" })?;
        return Ok(None);
    };
    let mut row = Line::new(out);
    let mut took: heapless::String<16> = heapless::String::new();
    write!(took, "{}", Millis(stage.took))?;
    write!(row, "{:<14}{took:>10}  {}", stage.name, stage.done)?;
    row.end()?;
    for problem in &stage.problems {
        line(out, format_args!("  problem: {problem}"))?;
    }
    Ok(Some(place.next_row(0)))
}

pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    out.write_str(if place.row == 0 { "{\"stages\":[" } else { "" })?;
    let Some(stage) = view.boot.get(place.row) else {
        out.write_str("\n]}\n")?;
        return Ok(None);
    };
    out.write_str(if place.row == 0 { "\n" } else { ",\n" })?;
    let mut object = Object::begin(out)?;
    object.field("name", stage.name)?;
    object.field("took", stage.took)?;
    object.field("done", &*stage.done)?;
    object.list("problems", |list| {
        stage.problems.iter().try_for_each(|problem| list.item(Shown(&**problem)))
    })?;
    object.end()?;
    Ok(Some(place.next_row(0)))
}
