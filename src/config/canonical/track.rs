//! `ping_group`, the `track_file` of the top level, and the blocks of trackers of an instance.

use core::fmt::Display;

use super::page::{Page, Seconds, Word};
use super::{Next, Place, phase};
use crate::config::Config;
use crate::config::ids::Id;
use crate::config::model::{Assumption, TrackTarget, Tracker};
use crate::time::Duration;
use crate::wire::genl_ipvs::ServiceKey;

/// A ping group, one host a row; or a variable.
pub(super) fn row(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    if place.phase == phase::VARIABLE {
        let Some(variable) = config.variables.get(place.row) else {
            return Ok(Some(Place::at(phase::INSTANCE, 0)));
        };
        page.gap()?;
        page.open(0, "track_file", &page.word(config.texts.get(variable.name)))?;
        page.rated(1, "weight", &variable.weight, variable.weight == 1)?;
        page.rated(1, "init_file", &variable.initial, variable.initial == 0)?;
        page.close(0)?;
        return Ok(Some(Place::at(phase::VARIABLE, place.row + 1)));
    }
    let Some(group) = config.ping_groups.get(place.row) else {
        return Ok(Some(Place::at(phase::VARIABLE, 0)));
    };
    if place.sub == 0 {
        page.gap()?;
        page.open(0, "ping_group", &page.word(config.texts.get(group.name)))?;
    }
    if let Some(probe) = config.pings_of(group).get(place.sub) {
        if let Some(probe) = config.probes.get(probe.index()) {
            page.line(1, "", &probe.address)?;
        }
        return Ok(Some(place.next_sub()));
    }
    let rows =
        [("interval", group.interval, Duration::from_secs(1)), ("dead", group.dead, Duration::from_secs(5))];
    for (keyword, value, default) in rows {
        // Beside `fall` it says nothing.
        if keyword != "dead" || group.fall == 0 {
            page.rated(1, keyword, &Seconds(value), value == default)?;
        }
    }
    if group.fall != 0 {
        page.line(1, "fall", &group.fall)?;
    }
    page.numbers(1, &[("rise", group.rise.into(), 1)])?;
    if group.assumption == Assumption::Down {
        page.flag(1, "init_fail")?;
    }
    page.close(0)?;
    Ok(Some(Place::at(phase::PING_GROUP, place.row + 1)))
}

/// The block that a tracker stands in.
pub(super) const fn block(tracker: &Tracker) -> &'static str {
    match tracker.target {
        TrackTarget::Link(_) => "track_interface",
        TrackTarget::Ping(_) => "track_ping_group",
        TrackTarget::Service(_) => "track_service",
        TrackTarget::Variable(_) => "track_file",
        TrackTarget::Route(_) => "track_route",
    }
}

/// A line of that block.
pub(super) fn line(config: &Config, tracker: &Tracker, page: &mut Page<'_>) -> core::fmt::Result {
    let behind = core::fmt::from_fn(|f| {
        if tracker.weight != 0 || matches!(tracker.target, TrackTarget::Variable(_)) {
            write!(f, " weight {}", tracker.weight)?;
        }
        f.write_str(if tracker.reverse { " reverse" } else { "" })?;
        for (word, time) in [("rise", tracker.rise), ("fall", tracker.fall)] {
            if !time.is_zero() {
                write!(f, " {word} {}", Seconds(time))?;
            }
        }
        f.write_str(if tracker.init_fail { " init_fail" } else { "" })
    });
    let longest = page.style.longest;
    let word = |text| Word { text, longest };
    let mut put = |name: &dyn Display| page.line(2, "", &format_args!("{name}{behind}"));
    let text = |text| config.texts.get(text);
    match tracker.target {
        TrackTarget::Link(link) => put(&word(config.link_name(link))),
        TrackTarget::Ping(id) => {
            put(&word(config.ping_groups.get(id.index()).map_or("", |it| text(it.name))))
        }
        TrackTarget::Variable(id) => {
            put(&word(config.variables.get(id.index()).map_or("", |it| text(it.name))))
        }
        TrackTarget::Route(id) => put(&core::fmt::from_fn(|f| {
            let Some(route) = config.tracked_routes.get(id.index()) else { return Ok(()) };
            let name = route.link.map(|link| word(config.link_name(link)));
            route.write(f, name.as_ref().map(|name| name as &dyn Display))
        })),
        TrackTarget::Service(id) => match config.services.get(id.index()).map(|service| service.key) {
            Some(ServiceKey::Address { address, port, .. }) => put(&format_args!("{address} {port}")),
            Some(ServiceKey::Mark { mark, .. }) => put(&format_args!("fwmark {mark}")),
            None => Ok(()),
        },
    }
}
