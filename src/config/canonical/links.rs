//! `garp_group` and `interface_up_down_delays`: what `global_defs` said of all interfaces stands at each of them.

use super::page::{Page, Seconds};
use super::{Next, Place, phase};
use crate::config::Config;
use crate::config::ids::{Id, LinkId};
use crate::config::model::LinkRules;
use crate::time::Duration;

/// The row of an interface, or a group's one member.
pub(super) fn row(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    let rules = config.link_rules.get(place.row);
    match (place.phase, rules) {
        (phase::GARP_GROUP, None) => Ok(Some(Place::at(phase::DELAY, 0))),
        (phase::GARP_GROUP, Some(rules)) => {
            let paused = !rules.arp_pause.is_zero() || !rules.na_pause.is_zero();
            if rules.pace.index() != place.row || !paused {
                return Ok(Some(Place::at(phase::GARP_GROUP, place.row + 1)));
            }
            page.gap()?;
            page.open(0, "garp_group", &"")?;
            let none = Duration::ZERO;
            page.times(
                1,
                &[("garp_interval", rules.arp_pause, none), ("gna_interval", rules.na_pause, none)],
            )?;
            page.open(1, "interfaces", &"")?;
            Ok(Some(Place::at(phase::GARP_MEMBER, place.row)))
        }
        (phase::GARP_MEMBER, _) => match config.link_rules.get(place.sub) {
            Some(member) => {
                if member.pace.index() == place.row {
                    page.line(2, "", &name(config, place.sub, page))?;
                }
                Ok(Some(place.next_sub()))
            }
            None => {
                page.close(1)?;
                page.close(0)?;
                Ok(Some(Place::at(phase::GARP_GROUP, place.row + 1)))
            }
        },
        (_, Some(rules)) => {
            let begun = config.link_rules.iter().take(place.row).any(is_delayed);
            if is_delayed(rules) {
                if !begun {
                    page.gap()?;
                    page.open(0, "interface_up_down_delays", &"")?;
                }
                let (down, up) = (Seconds(rules.down_delay), Seconds(rules.up_delay));
                page.line(1, "", &format_args!("{} {down} {up}", name(config, place.row, page)))?;
            }
            Ok(Some(Place::at(phase::DELAY, place.row + 1)))
        }
        (_, None) => {
            if config.link_rules.iter().any(is_delayed) {
                page.close(0)?;
            }
            Ok(Some(Place::at(phase::PING_GROUP, 0)))
        }
    }
}

fn is_delayed(rules: &LinkRules) -> bool {
    !rules.down_delay.is_zero() || !rules.up_delay.is_zero()
}

fn name<'a>(config: &'a Config, row: usize, page: &Page<'_>) -> super::page::Word<'a> {
    page.word(config.link_name(LinkId::from_index(row)))
}
