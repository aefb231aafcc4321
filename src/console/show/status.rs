//! `status`: everything that matters on one screen of 80 columns and 24 lines, the prompt included. What is wrong comes
//! first; what does not fit is counted, and the command that shows it is named.

use core::fmt::{self, Write};

use super::checks::quorum_word;
use super::daemon;
use super::memory::write_memory;
use super::other::write_reload;
use super::vrrp::last_refusal;
use super::{misfits, state_word, weights};
use crate::config::ids::{Id, InstanceId, ServiceId};
use crate::config::model::{Service, TrackTarget};
use crate::console::answer::{Next, Place};
use crate::console::json::{Object, Shown};
use crate::console::lines::why::Why;
use crate::console::lines::{Names, Routing};
use crate::console::text::{Ago, Count, Fine, Line, SCREEN_WIDTH, Span, clip, clip_path, kib};
use crate::console::view::{Outcome, View};
use crate::director::ipvs_plan::Availability;
use crate::director::services::{Pool, Quorum};
use crate::director::track::Effect;
use crate::director::vrrp::{State, VirtualRouter};
use crate::wire::errno::{NO_WAY, TRACKED_FULL, Text};
use crate::wire::nftables::firewall::Part;

/// Before the name of the configuration.
const CONFIG: &str = "config  ";
/// Before the services.
const SERVICES: &str = "IPVS    ";
/// Lines below the head and the three titles: 24 less 4, 3, and one for the prompt.
const DETAILS: usize = 16;
/// Alarms shown at most.
const MAX_ALARMS: usize = 5;

pub(in crate::console) fn text(view: &View<'_>, _: Place, out: &mut dyn Write) -> Next {
    let (instances, services) =
        (view.director.config().instances.len(), view.director.config().written_services().len());
    let mut alarms = 0;
    each_alarm(view, &mut |_| {
        alarms += 1;
        Ok(())
    })?;
    let touched = view.director.services().overrides().count() > 0 || weights::draining(view) > 0;
    let room = DETAILS - alarms.min(MAX_ALARMS) - usize::from(touched);
    let for_instances = instances.min(room - services.min(room / 2));
    let for_services = services.min(room - for_instances);
    head(view, out)?;
    show_instances(view, for_instances, out)?;
    show_services(view, for_services, out)?;
    show_alarms(view, alarms, out)?;
    Ok(None)
}

/// Of `count` rows on `lines` lines: how many are shown, if one line must say how many are not.
fn shown(count: usize, lines: usize) -> usize {
    if count <= lines { count } else { lines.saturating_sub(1) }
}

fn bounded(out: &mut dyn Write, content: fmt::Arguments<'_>) -> fmt::Result {
    let mut line = Line::bounded(out);
    line.write_fmt(content)?;
    line.end()
}

fn head(view: &View<'_>, out: &mut dyn Write) -> fmt::Result {
    let identity = &view.identity;
    let up = Span(view.now.since(identity.started));
    let (version, host, pid) = (identity.version, clip(identity.host), identity.pid);
    bounded(out, format_args!("lvsbox {version} on {host}, pid {pid}, up {up}"))?;
    let found = view.diagnostics;
    let (errors, warnings) = (Count(found.errors, "error"), Count(found.warnings, "warning"));
    let mut tail: heapless::String<64> = heapless::String::new();
    write!(tail, ": {errors}, {warnings}")?;
    if let Some(reload) = view.reload {
        let word = match reload.outcome {
            Outcome::InForce => "reloaded",
            Outcome::Refused(_) => "reload refused",
            Outcome::Unreadable { .. } => "reload not read",
        };
        write!(tail, "; {word} {}", Ago { now: view.now, at: reload.at })?;
    }
    // Of a long name its end is shown.
    let (path, room) = (clip_path(identity.configuration), SCREEN_WIDTH - CONFIG.len() - tail.len());
    let cut = path.len().saturating_sub(room);
    let (dots, from) = if cut == 0 { ("", 0) } else { ("...", path.ceil_char_boundary(cut + 3)) };
    bounded(out, format_args!("{CONFIG}{dots}{}{tail}", path.get(from..).unwrap_or("")))?;
    let (live, peak) = (kib(view.heap.live), kib(view.heap.peak));
    let (resident, threads) = (view.process.resident_kib, Count(view.process.threads, "thread"));
    bounded(out, format_args!("memory  {resident} KiB resident, heap {live} KiB (peak {peak}), {threads}"))?;
    let worst = view.turns.worst;
    let mut line = Line::bounded(out);
    write!(line, "loop    {} turns, ", view.turns.turns_total)?;
    if worst.late.is_zero() {
        write!(line, "never late")?;
    } else {
        let ago = Ago { now: view.now, at: worst.at };
        write!(line, "worst lateness {} after {}, {ago}", Fine(worst.late), worst.after)?;
    }
    line.end()
}

/// Instances by state, what is wrong first.
const STATES: [&str; 4] = ["FAULT", "INIT", "MASTER", "BACKUP"];

fn routers<'a>(view: &View<'a>) -> impl Iterator<Item = (InstanceId, &'a VirtualRouter)> + Clone + use<'a> {
    let director = view.director;
    let ids = (0..director.config().instances.len()).map(InstanceId::from_index);
    ids.filter_map(move |id| Some((id, director.vrrp().get(id)?)))
}

fn count_state(view: &View<'_>, word: &str) -> usize {
    routers(view).filter(|(_, router)| state_word(router.state) == word).count()
}

fn show_instances(view: &View<'_>, lines: usize, out: &mut dyn Write) -> fmt::Result {
    let all = view.director.config().instances.len();
    let mut line = Line::bounded(out);
    write!(line, "VRRP    {}", Count(all, "instance"))?;
    for word in STATES {
        let count = count_state(view, word);
        if count > 0 {
            write!(line, ", {count} {word}")?;
        }
    }
    line.end()?;
    let most = shown(all, lines);
    let in_order =
        STATES.iter().flat_map(|word| routers(view).filter(|(_, router)| state_word(router.state) == *word));
    for (id, router) in in_order.take(most) {
        instance_line(view, id, router, out)?;
    }
    if most < all { bounded(out, format_args!("  and {} more (show vrrp)", all - most)) } else { Ok(()) }
}

fn instance_line(
    view: &View<'_>,
    id: InstanceId,
    router: &VirtualRouter,
    out: &mut dyn Write,
) -> fmt::Result {
    let names = Names(view.director.config());
    let mut line = Line::bounded(out);
    write!(line, "  {:<16.16} {:<6} {:>3}", names.instance(id), state_word(router.state), router.priority)?;
    line.to(31)?;
    write!(line, "for {}", Span(view.now.since(router.since)))?;
    line.to(47)?;
    write!(line, "{}", Why::of_state(names, router.why))?;
    line.end()
}

/// How well a service is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Lost,
    Lame,
    Whole,
}

fn pools<'a>(view: &View<'a>) -> impl Iterator<Item = (&'a Service, &'a Pool, Health, bool)> + use<'a> {
    let director = view.director;
    director.config().written_services().iter().enumerate().filter_map(move |(id, service)| {
        let pool = director.services().pool(ServiceId::from_index(id))?;
        let whole = usize::try_from(pool.alive) == Ok(service.real_servers().len());
        let health = match pool.quorum {
            Quorum::Lost => Health::Lost,
            Quorum::Met if whole => Health::Whole,
            Quorum::Met => Health::Lame,
        };
        Some((service, pool, health, director.services().is_resting(ServiceId::from_index(id))))
    })
}

fn show_services(view: &View<'_>, lines: usize, out: &mut dyn Write) -> fmt::Result {
    let all = view.director.config().written_services().len();
    let mut counts = [0_usize; 2];
    let (mut servers, mut alive) = (0, 0);
    for (service, pool, health, _) in pools(view) {
        let [lost, lame] = &mut counts;
        *lost += usize::from(health == Health::Lost);
        *lame += usize::from(health == Health::Lame);
        servers += service.real_servers().len();
        alive += u64::from(pool.alive);
    }
    let mut line = Line::bounded(out);
    write!(line, "{SERVICES}{}, {alive} of {servers} real servers alive", Count(all, "service"))?;
    // What is wrong first: the line may be cut.
    for (count, word) in counts.into_iter().zip(["QUORUM LOST", "incomplete"]) {
        if count > 0 {
            write!(line, ", {count} {word}")?;
        }
    }
    let mut touched: heapless::String<48> = heapless::String::new();
    match view.director.services().overrides().count() {
        0 => {}
        count => write!(touched, ", {}", Count(count, "override"))?,
    }
    match weights::draining(view) {
        0 => {}
        count => write!(touched, ", {count} draining")?,
    }
    if line.column() + touched.len() > SCREEN_WIDTH {
        line.end()?;
        line = Line::bounded(out);
        line.to(SERVICES.len())?;
        line.write_str(touched.trim_start_matches(", "))?;
    } else {
        line.write_str(&touched)?;
    }
    line.end()?;
    let most = shown(all, lines);
    let in_order = [Health::Lost, Health::Lame, Health::Whole]
        .into_iter()
        .flat_map(|wanted| pools(view).filter(move |(_, _, health, _)| *health == wanted));
    for (service, pool, _, resting) in in_order.take(most) {
        let mut line = Line::bounded(out);
        write!(line, "  {} {}", service.key, service.spec.scheduler)?;
        line.to(34)?;
        write!(line, "{}/{} alive", pool.alive, service.real_servers().len())?;
        line.to(47)?;
        write!(line, "{} for {}", quorum_word(pool), Span(view.now.since(pool.since)))?;
        line.write_str(if resting { ", suspended" } else { "" })?;
        line.end()?;
    }
    if most < all { bounded(out, format_args!("  and {} more (show checks)", all - most)) } else { Ok(()) }
}

fn show_alarms(view: &View<'_>, all: usize, out: &mut dyn Write) -> fmt::Result {
    if all == 0 {
        return out.write_str("alarms  none\n");
    }
    bounded(out, format_args!("ALARMS  {all}"))?;
    let (most, mut place) = (shown(all, MAX_ALARMS), 0);
    each_alarm(view, &mut |alarm| {
        place += 1;
        if place > most { Ok(()) } else { bounded(out, format_args!("  {alarm}")) }
    })?;
    if most < all { bounded(out, format_args!("  and {} more (status json)", all - most)) } else { Ok(()) }
}

/// Everything that somebody should look at, the worst first.
fn each_alarm(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    outages(view, say)?;
    duplicate_alarms(view, say)?;
    kernel_alarms(view, say)?;
    if let Some(Outcome::Refused(_) | Outcome::Unreadable { .. }) = view.reload.map(|reload| reload.outcome) {
        say(format_args!("the last reload was refused: the configuration in force is an older one"))?;
    }
    if view.diagnostics.errors > 0 {
        let errors = Count(view.diagnostics.errors, "error");
        say(format_args!("the configuration has {errors} (lvsbox check)"))?;
    }
    hindrance(view, say)?;
    if view.short > 0 {
        say(format_args!("{} of the kernel too low (show sysctl)", Count(view.short, "limit")))?;
    }
    vrrp_alarms(view, say)?;
    let announcements = view.director.announcements().failed_total();
    if announcements > 0 {
        say(format_args!("{} not sent", Count(announcements, "gratuitous ARP")))?;
    }
    if view.log.lost_total > 0 {
        say(format_args!("{} lost", Count(view.log.lost_total, "log line")))?;
    }
    Ok(())
}

/// Checks that fail on this side, and what helps.
fn hindrance(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    let Some((count, errno, _)) = view.director.health().hindered() else { return Ok(()) };
    let help = match errno.0 {
        23 => " (fs.file-max)",
        24 => " (RLIMIT_NOFILE)",
        75 => " (neigh.default.gc_thresh3)",
        99 => " (bindto? ip_local_port_range?)",
        TRACKED_FULL => " (nf_conntrack_max)",
        NO_WAY.. => " (show checks)",
        _ => "",
    };
    say(format_args!("{} not made: {}{help}", Count(count, "check"), Text(errno.0)))
}

/// Addresses that others speak for, too.
fn duplicate_alarms(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    let (config, duplicates) = (view.director.config(), view.director.duplicates());
    for row in duplicates.iter() {
        let Some(one) = config.addresses.get(row.address.index()) else { continue };
        let (link, ago) = (config.link_name(one.link), Ago { now: view.now, at: row.at });
        let (address, mac) = (one.address, row.mac);
        say(format_args!("{address} on {link} is used by {mac}, too ({} times, {ago})", row.total))?;
    }
    match duplicates.unlisted_total() {
        0 => Ok(()),
        more => say(format_args!("{} of further addresses by others", Count(more, "use"))),
    }
}

fn kernel_alarms(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    let (route, table) = (view.director.net_plan(), view.director.ipvs_plan());
    if let Availability::Absent(errno) = table.availability() {
        say(format_args!("IPVS is not available: {} (module ip_vs?)", Text(errno.0)))?;
    }
    let filter = view.director.nftables_plan();
    if let Some(errno) = filter.error() {
        say(format_args!("no_accept has no effect, nf_tables: {} (module nf_tables?)", Text(errno.0)))?;
    }
    let firewall = view.director.firewall_plan();
    for part in Part::ALL {
        if let Some(errno) = firewall.error(part) {
            let (word, modules) = (part.word(), part.modules());
            say(format_args!("firewall {word}: {} (modules {modules}?)", Text(errno.0)))?;
        }
    }
    if filter.repairs_held() || firewall.repairs_held() {
        say(format_args!("somebody keeps changing our nf_tables tables: repairs are held"))?;
    }
    if route.repairs_held() {
        say(format_args!("somebody keeps changing addresses: repairs are held"))?;
    }
    if table.repairs_held() {
        say(format_args!("somebody keeps changing the IPVS table: repairs are held"))?;
    }
    let (plan, config) = (view.director.route_plan(), view.director.config());
    if plan.repairs_held() {
        say(format_args!("somebody keeps changing routes or rules: repairs are held"))?;
    }
    if let Some(object) = plan.first_troubled(config) {
        let (count, it) = (plan.troubled(), Routing(config, object));
        let error = plan.error(object, config).map_or(0, |errno| errno.0);
        say(format_args!("{count} routes or rules refused by the kernel: {it}: {}", Text(error)))?;
    }
    match route.troubled() {
        0 => {}
        count => say(format_args!("{count} addresses refused by the kernel (show vrrp)"))?,
    }
    match table.troubled() {
        0 => {}
        count => say(format_args!("{count} IPVS entries refused by the kernel (show checks)"))?,
    }
    daemon::alarms(view, say)
}

/// Nobody is served through what these name.
fn outages(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    let faults = routers(view).filter(|(_, router)| matches!(router.state, State::Fault(_))).count();
    if faults > 0 {
        say(format_args!("{} in FAULT (show vrrp)", Count(faults, "instance")))?;
    }
    match pools(view).filter(|(_, _, health, _)| *health == Health::Lost).count() {
        0 => Ok(()),
        lost => say(format_args!("{} without quorum (show checks)", Count(lost, "service"))),
    }
}

fn vrrp_alarms(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    for (id, router) in routers(view) {
        let Some(instance) = view.director.config().instances.get(id.index()) else { continue };
        let name = Names(view.director.config()).instance(id);
        for misfit in router.misfits.iter() {
            say(format_args!("{name}: {}", misfits::sentence(view, instance, misfit)))?;
        }
    }
    let damaged = |router: &VirtualRouter| router.rejects.sum().saturating_sub(router.rejects.misfits());
    let refusing = routers(view).filter(|(_, router)| damaged(router) > 0);
    let total: u64 = refusing.clone().map(|(_, router)| damaged(router)).sum();
    if let Some((id, router)) = refusing.max_by_key(|(_, router)| router.rejects.last.map(|(.., at)| at)) {
        let (name, refused) = (Names(view.director.config()).instance(id), Count(total, "bad packet"));
        match last_refusal(view.now, &router.rejects) {
            Some(last) => say(format_args!("{refused} refused, last {name}: {last}"))?,
            None => say(format_args!("{refused} refused"))?,
        }
    }
    weighted_alarms(view, say)?;
    let unsent: u64 = routers(view).map(|(_, router)| router.counters.send_failed_total).sum();
    if unsent > 0 {
        say(format_args!("{} not sent (show vrrp)", Count(unsent, "advert")))?;
    }
    Ok(())
}

/// Trackers with a weight that are down: no instance is in FAULT because of them. One line, the first by name.
fn weighted_alarms(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    let config = view.director.config();
    let all = config.instances.iter().enumerate().flat_map(|(id, instance)| {
        let trackers = instance.trackers.clone().zip(config.trackers_of(instance));
        trackers.map(move |(row, tracker)| (id, row, tracker))
    });
    let mut down = all.filter(|(_, row, tracker)| {
        let variable = matches!(tracker.target, TrackTarget::Variable(_));
        let share = if tracker.weight > 0 { 0 } else { i32::from(tracker.weight) };
        !variable && tracker.weight != 0 && view.director.effect(*row) == Effect::Adds(share)
    });
    let Some((id, _, tracker)) = down.next() else { return Ok(()) };
    let (names, more) = (Names(config), down.count());
    let (name, what) = (names.instance(InstanceId::from_index(id)), names.tracked(tracker.target));
    let state = if tracker.reverse { "up" } else { "down" };
    let more = fmt::from_fn(|f| if more == 0 { Ok(()) } else { write!(f, " and {more} more") });
    say(format_args!("{name}: {what} is {state}, weight {}{more} (show vrrp)", tracker.weight))
}

const OPEN: u8 = 0;
const INSTANCE: u8 = 1;

pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    if place.phase == OPEN {
        open_json(view, out)?;
        return Ok(Some(Place::phase(INSTANCE)));
    }
    let id = InstanceId::from_index(place.row);
    let Some(router) = view.director.vrrp().get(id) else {
        out.write_str("\n]}\n")?;
        return Ok(None);
    };
    out.write_str(if place.row == 0 { "\n" } else { ",\n" })?;
    let names = Names(view.director.config());
    let mut object = Object::begin(out)?;
    object.field("name", names.instance(id))?;
    object.field("state", state_word(router.state))?;
    object.field("priority", router.priority)?;
    object.field("since", view.now.since(router.since))?;
    object.field("why", Shown(Why::of_state(names, router.why)))?;
    object.end()?;
    Ok(Some(place.next_row(INSTANCE)))
}

fn open_json(view: &View<'_>, out: &mut dyn Write) -> fmt::Result {
    let identity = &view.identity;
    let mut object = Object::begin(out)?;
    object.field("version", identity.version)?;
    object.field("host", clip(identity.host))?;
    object.field("pid", identity.pid)?;
    object.field("uptime", view.now.since(identity.started))?;
    object.field("configuration", clip_path(identity.configuration))?;
    object.field("errors", view.diagnostics.errors)?;
    object.field("warnings", view.diagnostics.warnings)?;
    write_reload(view, &mut object)?;
    write_memory(view, &mut object)?;
    object.field("turns_total", view.turns.turns_total)?;
    object.field("worst_lateness", view.turns.worst.late)?;
    object.object("vrrp", |counts| {
        STATES.iter().try_for_each(|word| counts.field(word, count_state(view, word)))
    })?;
    object.object("ipvs", |counts| {
        let count = |wanted| pools(view).filter(|(_, _, health, _)| *health == wanted).count();
        counts.field(
            "available",
            !matches!(view.director.ipvs_plan().availability(), Availability::Absent(_)),
        )?;
        counts.field("services", view.director.config().written_services().len())?;
        counts.field("quorum_lost", count(Health::Lost))?;
        counts.field("incomplete", count(Health::Lame))?;
        counts.field(
            "real_servers",
            pools(view).map(|(service, ..)| service.real_servers().len()).sum::<usize>(),
        )?;
        counts.field("overrides", view.director.services().overrides().count())?;
        counts.field("draining", weights::draining(view))?;
        counts.field("alive", pools(view).map(|(_, pool, ..)| u64::from(pool.alive)).sum::<u64>())
    })?;
    object.list("alarms", |list| each_alarm(view, &mut |alarm| list.item(Shown(alarm))))?;
    object.open("instances")?;
    out.write_char('[')
}
