//! `vrrp_instance`.

use core::fmt::{self, Display};
use core::net::IpAddr;

use super::page::{Page, Word};
use super::{Next, Passwords, Place, phase, track};
use crate::config::Config;
use crate::config::ids::{Id, LinkId};
use crate::config::model::{
    Authentication, Instance, Manners, Peer, Preemption, SourceCheck, Tracker, Transport, VirtualAddress,
};
use crate::config::routing::Route;
use crate::time::Duration;
use crate::wire::link::LinkIndex;
use crate::wire::rtnetlink::{AddressSpec, IFA_F_HOMEADDRESS, IFA_F_MCAUTOJOIN, IFA_F_NOPREFIXROUTE};
use crate::wire::vrrp::{Coverage, GROUP, GROUP6};

/// What an instance sends if nothing else is asked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time to the second burst of announcements.
const GARP_DELAY: Duration = Duration::from_secs(5);
/// Announcements of a burst.
const GARP_REPEAT: u32 = 5;

/// Some lines of an instance.
pub(super) fn row(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    if place.phase == phase::GROUP {
        return group(config, place, page);
    }
    let Some(instance) = config.instances.get(place.row) else {
        return Ok(Some(Place::at(phase::STATIC_ADDRESS, place.row)));
    };
    let next = |phase| Ok(Some(Place::at(phase, place.row)));
    match place.phase {
        phase::INSTANCE => {
            page.gap()?;
            page.open(0, "vrrp_instance", &page.word(config.texts.get(instance.name)))?;
            next(phase::ELECTION)
        }
        phase::ELECTION => {
            election(config, instance, page)?;
            next(phase::ANNOUNCE)
        }
        phase::ANNOUNCE => {
            announce(instance, page)?;
            if matches!(instance.transport, Transport::Unicast { .. }) {
                page.open(1, "unicast_peer", &"")?;
                return next(phase::PEER);
            }
            next(addresses(config, instance))
        }
        phase::PEER => match config.peers_of(instance).get(place.sub) {
            Some(peer) => {
                page.line(2, "", &PeerItem(*peer))?;
                Ok(Some(place.next_sub()))
            }
            None => {
                page.close(1)?;
                next(addresses(config, instance))
            }
        },
        phase::ADDRESS | phase::UNTRACKED_ADDRESS => address(config, instance, place, page),
        phase::TRACKERS => {
            // The first one is the interface of the adverts.
            let sub = implied(config, instance).unwrap_or(0) + 1;
            if config.trackers_of(instance).len() > sub {
                return Ok(Some(Place { sub, ..Place::at(phase::TRACKER, place.row) }));
            }
            page.close(0)?;
            Ok(Some(Place::at(phase::INSTANCE, place.row + 1)))
        }
        _ => match config.trackers_of(instance).get(place.sub) {
            Some(tracker) => {
                // One block for what follows each other; `leaf` counts the lines of this one.
                if place.leaf == 0 {
                    page.open(1, track::block(tracker), &"")?;
                }
                track::line(config, tracker, page)?;
                let next = config.trackers_of(instance).get(place.sub + 1);
                if next.is_some_and(|next| track::block(next) == track::block(tracker)) {
                    return Ok(Some(Place { leaf: place.leaf + 1, sub: place.sub + 1, ..place }));
                }
                page.close(1)?;
                Ok(Some(place.next_sub()))
            }
            None => {
                page.close(0)?;
                Ok(Some(Place::at(phase::INSTANCE, place.row + 1)))
            }
        },
    }
}

/// A sync group, one member a row.
fn group(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    let Some(group) = config.groups.get(place.row) else { return Ok(Some(Place::at(phase::SERVICE, 0))) };
    if place.sub == 0 {
        page.gap()?;
        page.open(0, "vrrp_sync_group", &page.word(config.texts.get(group.name)))?;
        if group.weighted {
            page.flag(1, "sync_group_tracking_weight")?;
        }
        page.open(1, "group", &"")?;
    }
    match config.members_of(group).get(place.sub) {
        Some(member) => {
            page.line(2, "", &page.word(config.instance_name(*member)))?;
            Ok(Some(place.next_sub()))
        }
        None => {
            page.close(1)?;
            page.close(0)?;
            Ok(Some(Place::at(phase::GROUP, place.row + 1)))
        }
    }
}

fn election(config: &Config, instance: &Instance, page: &mut Page<'_>) -> fmt::Result {
    page.line(1, "interface", &page.word(config.link_name(instance.link)))?;
    page.line(1, "virtual_router_id", &instance.vrid)?;
    page.numbers(1, &[("priority", u32::from(instance.priority), 100)])?;
    match instance.preemption {
        Preemption::Preempt => page.rated(1, "preempt", &"", true)?,
        Preemption::Stay => page.flag(1, "nopreempt")?,
    }
    page.numbers(1, &[("version", u32::from(instance.version.number()), 2)])?;
    page.switch(1, "v3_checksum_as_v2", instance.coverage == Coverage::Message)?;
    page.times(1, &[("advert_int", instance.advert_interval, INTERVAL)])?;
    let secret = match instance.authentication {
        Authentication::None => None,
        Authentication::Pass(password) => Some(("PASS", password)),
        Authentication::Ah(password) => Some(("AH", password)),
    };
    if let Some((kind, password)) = secret {
        page.open(1, "authentication", &"")?;
        page.line(2, "auth_type", &kind)?;
        match page.style.passwords {
            Passwords::Hidden => page.line(2, "auth_pass", &"***    # hidden")?,
            Passwords::Shown => {
                let mut room = [0; 12];
                page.line(2, "auth_pass", &page.word(text_of(&password, &mut room)))?;
            }
        }
        page.close(1)?;
    }
    let unicast = matches!(instance.transport, Transport::Unicast { .. });
    if let Some(source) = instance.source {
        page.line(1, if unicast { "unicast_src_ip" } else { "mcast_src_ip" }, &source)?;
    }
    if let Transport::Multicast(group) = instance.transport {
        let usual = [IpAddr::from(GROUP), IpAddr::from(GROUP6)];
        page.rated(1, "mcast_dst_ip", &group, usual.contains(&group))?;
    }
    page.switch(1, "check_unicast_src", instance.source_check == SourceCheck::Peers)?;
    manners(instance, page)
}

fn manners(instance: &Instance, page: &mut Page<'_>) -> fmt::Result {
    let (it, normal) = (instance.manners, Manners::default());
    page.times(1, &[("preempt_delay", it.preempt_delay, Duration::ZERO)])?;
    page.numbers(1, &[("down_timer_adverts", u32::from(it.down_adverts), u32::from(normal.down_adverts))])?;
    page.switch(1, "lower_prio_no_advert", !it.answers_lesser)?;
    page.switch(1, "higher_prio_send_advert", it.last_word)?;
    page.switch(1, "owner_ignore_adverts", it.owner_ignores)?;
    if let Transport::Unicast { peers } = &instance.transport {
        page.numbers(1, &[("unicast_ttl", u32::from(it.unicast_ttl), u32::from(normal.unicast_ttl))])?;
        if peers.is_empty() {
            page.flag(1, "unicast_fault_no_peer")?;
        }
    }
    if !it.accepts {
        page.flag(1, "no_accept")?;
    }
    if it.track_source {
        page.flag(1, "track_src_ip")?;
    }
    if !it.track_primary {
        page.flag(1, "dont_track_primary")?;
    }
    if it.promotes {
        page.flag(1, "promote_secondaries")?;
    }
    if it.late_adverts == 0 { Ok(()) } else { page.line(1, "timer_expired_backup", &it.late_adverts) }
}

/// A line of `unicast_peer`.
struct PeerItem(Peer);

impl Display for PeerItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peer { address, ttls } = self.0;
        match ttls {
            None => write!(f, "{address}"),
            Some(ttls) => write!(f, "{address} min_ttl {} max_ttl {}", ttls.min, ttls.max),
        }
    }
}

/// Eight bytes as a word. A character that the eighth byte cuts is made whole: the reader cuts it again.
fn text_of<'a>(password: &[u8; 8], room: &'a mut [u8; 12]) -> &'a str {
    let mut len = 0;
    for (to, from) in room.iter_mut().zip(password) {
        *to = *from;
        len += usize::from(*from != 0);
    }
    for more in 0..=3 {
        // What may follow a first byte differs (RFC 3629 section 4); 0x80 may stand behind that.
        for byte in [0x80, 0x90, 0xa0] {
            if more > 0 {
                room.iter_mut().skip(len).for_each(|byte| *byte = 0x80);
                if let Some(next) = room.get_mut(len) {
                    *next = byte;
                }
            }
            let whole = room.get(..len + more).is_some_and(|bytes| core::str::from_utf8(bytes).is_ok());
            if whole {
                return room
                    .get(..len + more)
                    .and_then(|bytes| core::str::from_utf8(bytes).ok())
                    .unwrap_or("");
            }
        }
    }
    ""
}

fn announce(instance: &Instance, page: &mut Page<'_>) -> fmt::Result {
    let it = &instance.announce;
    let repeat = u32::from(it.repeat);
    page.times(1, &[("garp_master_delay", it.delay, GARP_DELAY)])?;
    page.numbers(1, &[("garp_master_repeat", repeat, GARP_REPEAT)])?;
    page.times(1, &[("garp_master_refresh", it.refresh, Duration::ZERO)])?;
    page.numbers(1, &[("garp_master_refresh_repeat", u32::from(it.refresh_repeat), 1)])?;
    page.times(1, &[("garp_lower_prio_delay", it.lower_delay, it.delay)])?;
    page.numbers(1, &[("garp_lower_prio_repeat", u32::from(it.lower_repeat), repeat)])
}

/// How many trackers behind the first one come of the addresses' interfaces when nothing is said about tracking;
/// nothing if the instance tracks others, or in another order.
pub(super) fn implied(config: &Config, instance: &Instance) -> Option<usize> {
    let trackers = config.trackers_of(instance);
    let mut found = 0;
    let addresses = config.addresses.get(instance.addresses.rows()).unwrap_or(&[]).iter().map(|one| one.link);
    let routes = config.routes.get(instance.routes.rows()).unwrap_or(&[]).iter().flat_map(Route::links);
    let rules = config.rules.get(instance.rules.rows()).unwrap_or(&[]);
    // What nothing tracks may be no interface of the configuration.
    if rules.iter().any(|rule| rule.named().count() > rule.links(config).count()) {
        return None;
    }
    let rules = rules.iter().flat_map(|rule| rule.links(config));
    for link in addresses.chain(routes).chain(rules) {
        let wanted = Tracker::of_link(link, 0);
        if trackers.get(..=found).is_some_and(|known| known.contains(&wanted)) {
            continue;
        }
        if trackers.get(found + 1) != Some(&wanted) {
            return None;
        }
        found += 1;
    }
    Some(found)
}

fn addresses(config: &Config, instance: &Instance) -> u8 {
    if implied(config, instance).is_some() { phase::ADDRESS } else { phase::UNTRACKED_ADDRESS }
}

fn address(config: &Config, instance: &Instance, place: Place, page: &mut Page<'_>) -> Next {
    let address = instance.addresses.nth(place.sub).and_then(|id| config.addresses.get(id.index()));
    let Some(address) = address else {
        page.close(1)?;
        return Ok(Some(Place::at(phase::ROUTE, place.row)));
    };
    if place.sub == 0 {
        page.open(1, "virtual_ipaddress", &"")?;
    } else if place.sub == usize::from(instance.advertised) {
        page.close(1)?;
        page.open(1, "virtual_ipaddress_excluded", &"")?;
    }
    let untracked = place.phase == phase::UNTRACKED_ADDRESS;
    item(config, address, (Some(instance.link), untracked), (2, page))?;
    Ok(Some(place.next_sub()))
}

/// A line about an address whose own interface need not be named.
pub(super) fn item(
    config: &Config,
    address: &VirtualAddress,
    (own, untracked): (Option<LinkId>, bool),
    (depth, page): (usize, &mut Page<'_>),
) -> fmt::Result {
    let link = (Some(address.link) != own).then(|| page.word(config.link_name(address.link)));
    let label = (!address.label.is_empty()).then(|| page.word(config.texts.get(address.label)));
    let untracked = untracked && link.is_some();
    page.line(depth, "", &Item { address, link, label, untracked })
}

/// A line of `virtual_ipaddress`.
struct Item<'a> {
    address: &'a VirtualAddress,
    link: Option<Word<'a>>,
    label: Option<Word<'a>>,
    untracked: bool,
}

impl Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self.address;
        write!(f, "{}/{}", it.address, it.prefix)?;
        let scope = match it.scope {
            0 => None,
            200 => Some("site"),
            253 => Some("link"),
            254 => Some("host"),
            255 => Some("nowhere"),
            _ => Some(""),
        };
        option(f, "dev", self.link.as_ref().map(|word| word as &dyn Display))?;
        option(f, "brd", it.broadcast.as_ref().map(|address| address as &dyn Display))?;
        option(f, "peer", it.peer.as_ref().map(|address| address as &dyn Display))?;
        match scope {
            Some("") => option(f, "scope", Some(&it.scope))?,
            name => option(f, "scope", name.as_ref().map(|name| name as &dyn Display))?,
        }
        option(f, "label", self.label.as_ref().map(|word| word as &dyn Display))?;
        let usual = AddressSpec::new(LinkIndex::default(), it.address, it.prefix);
        for (flag, word) in [
            (IFA_F_HOMEADDRESS, " home"),
            (IFA_F_NOPREFIXROUTE, " noprefixroute"),
            (IFA_F_MCAUTOJOIN, " autojoin"),
            (usual.flags & !it.flags, " -nodad"),
        ] {
            f.write_str(if (it.flags | usual.flags) & flag != 0 { word } else { "" })?;
        }
        match it.preferred {
            same if same == usual.preferred => {}
            None => option(f, "preferred_lft", Some(&"forever"))?,
            Some(seconds) => option(f, "preferred_lft", Some(&seconds))?,
        }
        if self.untracked { f.write_str(" no_track") } else { Ok(()) }
    }
}

fn option(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&dyn Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
}
