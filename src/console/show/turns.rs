//! `show loop`: how late the loop woke for its deadlines, and what its time went to.

use core::fmt::Write;

use super::line;
use crate::console::answer::{Next, Place};
use crate::console::json::Object;
use crate::console::text::{Ago, Fine, Line, Span};
use crate::console::view::{Tally, View};

pub(in crate::console) fn text(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let turns = &view.turns;
    let span = Span(view.now.since(turns.since));
    line(out, format_args!("turns     {} in {span}", turns.turns_total))?;
    line(
        out,
        format_args!("deadlines {} met, mean lateness {}", turns.wakes.count, Fine(mean(turns.wakes))),
    )?;
    let mut worst = Line::new(out);
    write!(worst, "worst     ")?;
    if turns.worst.late.is_zero() {
        write!(worst, "none was late")?;
    } else {
        let ago = Ago { now: view.now, at: turns.worst.at };
        write!(worst, "{} late after {}, {ago}", Fine(turns.worst.late), turns.worst.after)?;
    }
    worst.end()?;
    let ipvs = turns.ipvs;
    line(
        out,
        format_args!("ipvs      {} requests in {} sends, {} reads", ipvs.requests, ipvs.sends, ipvs.reads),
    )?;
    line(out, format_args!("work            times       total        mean     longest"))?;
    for (name, tally) in turns.work {
        let mut row = Line::new(out);
        write!(row, "{name:<11}{:>10}", tally.count)?;
        for span in [tally.total, mean(*tally), tally.longest] {
            let mut cell: heapless::String<24> = heapless::String::new();
            write!(cell, "{}", Fine(span))?;
            write!(row, "{cell:>12}")?;
        }
        row.end()?;
    }
    out.write_char('\n')?;
    line(out, format_args!("lateness            wakes"))?;
    for (bound, count) in turns.classes {
        let mut row = Line::new(out);
        match bound {
            Some(bound) => write!(row, "up to {}", Fine(*bound))?,
            None => write!(row, "more")?,
        }
        row.to(15)?;
        write!(row, "{count:>10}")?;
        row.end()?;
    }
    Ok(None)
}

pub(in crate::console) fn json(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let turns = &view.turns;
    let mut object = Object::begin(out)?;
    object.field("since", view.now.since(turns.since))?;
    object.field("turns_total", turns.turns_total)?;
    object.object("wakes", |wakes| tally(wakes, &turns.wakes))?;
    object.object("worst", |worst| {
        worst.field("late", turns.worst.late)?;
        worst.field("after", turns.worst.after)?;
        worst.field("ago", view.now.since(turns.worst.at))
    })?;
    object.object("ipvs", |traffic| {
        traffic.field("requests", turns.ipvs.requests)?;
        traffic.field("sends", turns.ipvs.sends)?;
        traffic.field("reads", turns.ipvs.reads)
    })?;
    object.object("work", |work| {
        turns.work.iter().try_for_each(|(name, times)| work.object(name, |object| tally(object, times)))
    })?;
    object.object("lateness", |classes| {
        turns.classes.iter().try_for_each(|(bound, count)| {
            let mut name: heapless::String<24> = heapless::String::new();
            match bound {
                Some(bound) => write!(name, "{}us", bound.as_micros())?,
                None => write!(name, "more")?,
            }
            classes.field(&name, *count)
        })
    })?;
    object.end()?;
    out.write_char('\n')?;
    Ok(None)
}

fn tally(object: &mut Object<'_>, times: &Tally) -> core::fmt::Result {
    object.field("count", times.count)?;
    object.field("total", times.total)?;
    object.field("longest", times.longest)
}

fn mean(times: Tally) -> crate::time::Duration {
    times.total.divided_by(times.count.max(1))
}
