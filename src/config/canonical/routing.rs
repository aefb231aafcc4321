//! Routes and rules, of an instance inside its block, static ones and static addresses at the top level.

use super::page::Page;
use super::vrrp::{implied, item};
use super::{Next, Place, phase};
use crate::config::Config;
use crate::config::routing::{RouteText, RuleText};

/// One line, with the head of its block before the first one and its end behind the last one.
pub(super) fn row(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    let instance = config.instances.get(place.row);
    let depth = usize::from(instance.is_some());
    let rows = match (instance, place.phase) {
        (Some(one), phase::ROUTE) => one.routes.rows(),
        (Some(one), phase::RULE) => one.rules.rows(),
        (None, phase::ROUTE) => {
            let first = config.routes.partition_point(|route| route.instance.is_some());
            first..config.routes.len()
        }
        (None, phase::RULE) => {
            let first = config.rules.partition_point(|rule| rule.instance.is_some());
            first..config.rules.len()
        }
        _ => {
            let first = config.addresses.partition_point(|address| address.instance.is_some());
            let role = config.role.map_or(config.addresses.len(), |row| row as usize);
            if place.phase == phase::ROLE { role..config.addresses.len() } else { first..role }
        }
    };
    if place.phase == phase::ROLE && config.role.is_some() && place.sub == 0 {
        open_role(config, page)?;
    }
    let at = rows.start + place.sub;
    if at >= rows.end {
        if place.phase == phase::ROLE && config.role.is_some() {
            page.close(1)?;
            page.close(0)?;
        } else if !rows.is_empty() {
            page.close(depth)?;
        }
        return Ok(Some(behind(place, instance.is_some())));
    }
    if place.sub == 0 && place.phase != phase::ROLE {
        if instance.is_none() {
            page.gap()?;
        }
        let block = match (place.phase, instance.is_some()) {
            (phase::ROUTE, true) => "virtual_routes",
            (phase::ROUTE, false) => "static_routes",
            (phase::RULE, true) => "virtual_rules",
            (phase::RULE, false) => "static_rules",
            _ => "static_ipaddress",
        };
        page.open(depth, block, &"")?;
    }
    let untracked = instance.is_some_and(|one| implied(config, one).is_none());
    let no_track = |named: bool| if named && untracked { " no_track" } else { "" };
    match place.phase {
        phase::ROUTE => {
            if let Some(route) = config.routes.get(at) {
                let tail = no_track(route.links().next().is_some());
                page.line(depth + 1, "", &format_args!("{}{tail}", RouteText { route, config }))?;
            }
        }
        phase::RULE => {
            if let Some(rule) = config.rules.get(at) {
                let tail = no_track(rule.named().next().is_some());
                page.line(depth + 1, "", &format_args!("{}{tail}", RuleText(&rule.spec)))?;
            }
        }
        _ => {
            if let Some(address) = config.addresses.get(at) {
                let depth = if place.phase == phase::ROLE { 2 } else { 1 };
                item(config, address, (None, false), (depth, page))?;
            }
        }
    }
    Ok(Some(place.next_sub()))
}

fn open_role(config: &Config, page: &mut Page<'_>) -> core::fmt::Result {
    page.gap()?;
    page.open(0, "real_server_role", &"")?;
    if config.tunnel {
        page.line(1, "tunnel", &"ipip")?;
    }
    page.open(1, "virtual_ipaddress", &"")
}

const fn behind(place: Place, inside: bool) -> Place {
    match (place.phase, inside) {
        (phase::STATIC_ADDRESS, _) => Place::at(phase::ROLE, place.row),
        (phase::ROLE, _) => Place::at(phase::ROUTE, place.row),
        (phase::ROUTE, _) => Place::at(phase::RULE, place.row),
        (_, true) => Place::at(phase::TRACKERS, place.row),
        (_, false) => Place::at(phase::GROUP, 0),
    }
}
