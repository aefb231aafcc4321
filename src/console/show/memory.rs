//! `show memory`: every table against its limit, the heap, the process.

use core::fmt::{self, Write};

use super::line;
use crate::console::answer::{Next, Place};
use crate::console::json::Object;
use crate::console::text::{Line, kib};
use crate::console::view::View;
use crate::limits;

/// A table: its name, what is used, its limit.
type Use = (&'static str, usize, usize);

/// All tables.
fn uses(view: &View<'_>) -> [Use; 11] {
    let config = view.director.config();
    let servers = config.services.iter().map(|service| service.real_servers().len()).sum();
    let (busy, _) = view.director.health().slots();
    let written = view.director.journal().written_total();
    let records = usize::try_from(written).map_or(limits::MAX_RECORDS, |all| all.min(limits::MAX_RECORDS));
    [
        ("interfaces", config.links.len(), limits::MAX_LINKS),
        ("instances", config.instances.len(), limits::MAX_INSTANCES),
        ("addresses", config.addresses.len(), limits::MAX_ADDRESSES),
        ("services", config.written_services().len(), limits::MAX_SERVICES),
        ("real servers", servers, limits::MAX_REAL_SERVERS),
        ("probes", config.probes.len(), limits::MAX_PROBES),
        ("servers via VIP", config.hidden as usize, limits::MAX_VIA),
        ("probes under way", busy, limits::MAX_SLOTS),
        ("records", records, limits::MAX_RECORDS),
        ("log bytes", view.log.held, limits::MAX_LOG_BYTES),
        ("diagnostics", view.diagnostics.errors + view.diagnostics.warnings, limits::MAX_DIAGNOSTICS),
    ]
}

pub(in crate::console) fn text(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    line(out, format_args!("{:<18}{:>8}{:>8}", "table", "used", "limit"))?;
    for (name, used, limit) in uses(view) {
        line(out, format_args!("{name:<18}{used:>8}{limit:>8}"))?;
    }
    let mut heap = Line::new(out);
    let (live, peak) = (kib(view.heap.live), kib(view.heap.peak));
    write!(heap, "{:<18}{live:>8} KiB, peak {peak} KiB, ", "heap")?;
    write!(heap, "{} allocations", view.heap.allocations_total)?;
    heap.end()?;
    line(out, format_args!("{:<18}{:>8} KiB", "resident (VmRSS)", view.process.resident_kib))?;
    let (need, (room, bound)) = (kib(view.process.need), view.process.room);
    let room = kib(room);
    line(out, format_args!("{:<18}{need:>8} KiB, {room} are there: {bound}", "needed (at most)"))?;
    line(out, format_args!("{:<18}{:>8}", "threads", view.process.threads))?;
    Ok(None)
}

pub(in crate::console) fn json(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let mut object = Object::begin(out)?;
    object.object("tables", |tables| {
        uses(view).into_iter().try_for_each(|(name, used, limit)| {
            tables.object(name, |table| {
                table.field("used", used)?;
                table.field("limit", limit)
            })
        })
    })?;
    write_memory(view, &mut object)?;
    object.end()?;
    out.write_char('\n')?;
    Ok(None)
}

/// The members that describe heap and process.
pub(super) fn write_memory(view: &View<'_>, object: &mut Object<'_>) -> fmt::Result {
    object.field("heap_live", view.heap.live)?;
    object.field("heap_peak", view.heap.peak)?;
    object.field("allocations_total", view.heap.allocations_total)?;
    object.field("resident_kib", view.process.resident_kib)?;
    object.field("need", view.process.need)?;
    object.field("there", view.process.room.0)?;
    object.field("threads", view.process.threads)
}
