//! How instances behave beyond the protocol: delays, manners towards lesser and better routers, limits of unicast.
//! Keywords of `vrrp_instance` and `global_defs`, the drafts that they fill, and what comes of them.

use core::net::IpAddr;

use super::build::Tables;
use super::codes::{MANNERS, NOPREEMPT, PEERS};
use super::global::GlobalDraft;
use super::instance::{InstanceDraft, State};
use super::model::{Instance, Manners, Peer, Preemption, Ttls};
use super::order::sort;
use super::rows::{boolean, flag, integer, timer};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::INVALID;
use crate::syntax::{Context, Given, Keyword, Kind, Line, Position};
use crate::time::Duration;
use crate::wire::genl_ipvs::ServiceKey;

/// Longest `preempt_delay`.
const LONGEST_PREEMPT: Duration = Duration::from_secs(1_000);
/// Longest delay of a start: what 32 bits of milliseconds hold.
const LONGEST_START: Duration = Duration::from_secs(4_294_967);

/// What an instance says.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct BehaviourDraft {
    preempt_delay: Option<Given<Duration>>,
    common: CommonDraft,
    unicast_ttl: Option<Given<u32>>,
    pub(super) fault_without_peers: bool,
    pub(super) silent: bool,
    track_source: Option<Position>,
    pub(super) quiet_primary: bool,
    promotes: bool,
    /// How many adverts late; nothing: as many as the others wait for.
    gives_up_late: Option<Option<u32>>,
}

/// What both an instance and `global_defs` may say.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct CommonDraft {
    down_adverts: Option<Given<u32>>,
    silent_to_lesser: Option<bool>,
    last_word: Option<bool>,
    owner_ignores: Option<bool>,
}

/// What `global_defs` says.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct GlobalBehaviour {
    common: CommonDraft,
    pub(super) startup_delay: Duration,
    pub(super) delay_after_boot: Duration,
}

/// A draft with the four lines that instances and `global_defs` share.
pub(super) trait Behaving {
    fn common(&mut self) -> &mut CommonDraft;
}

impl Behaving for InstanceDraft {
    fn common(&mut self) -> &mut CommonDraft {
        &mut self.behaviour.common
    }
}

impl Behaving for GlobalDraft {
    fn common(&mut self) -> &mut CommonDraft {
        &mut self.behaviour.common
    }
}

/// The rows, by the names they have in this block.
const fn common_rows<B: Behaving>(names: [&'static str; 4]) -> [Keyword<B>; 4] {
    let [down_adverts, silent, last_word, owner_ignores] = names;
    [
        integer(down_adverts, 1, 100, |b, given| b.common().down_adverts = Some(given)),
        boolean(silent, |b, given| b.common().silent_to_lesser = Some(given.value)),
        boolean(last_word, |b, given| b.common().last_word = Some(given.value)),
        boolean(owner_ignores, |b, given| b.common().owner_ignores = Some(given.value)),
    ]
}

pub(super) const COMMON: [Keyword<InstanceDraft>; 4] = common_rows([
    "down_timer_adverts|vrrp_down_timer_adverts|missed adverts after which a MASTER is given up",
    "lower_prio_no_advert|vrrp_lower_prio_no_advert|do not answer an advert of lower priority",
    "higher_prio_send_advert|vrrp_higher_prio_send_advert|send one advert before giving way",
    "owner_ignore_adverts|vrrp_owner_ignore_adverts|an address owner ignores adverts",
]);

pub(super) const GLOBAL_COMMON: [Keyword<GlobalDraft>; 4] = common_rows([
    "vrrp_down_timer_adverts|3|missed adverts after which a MASTER is given up",
    "vrrp_lower_prio_no_advert|off|do not answer an advert of lower priority",
    "vrrp_higher_prio_send_advert|off|send one advert before giving way",
    "vrrp_owner_ignore_adverts|off|an address owner ignores adverts",
]);

pub(super) const OWN: &[Keyword<InstanceDraft>] = &[
    timer(
        "preempt_delay|0 s|wait so long before taking over",
        Duration::ZERO,
        LONGEST_PREEMPT,
        |b, given| b.behaviour.preempt_delay = Some(given),
    ),
    integer("unicast_ttl|255|time to live of adverts to peers", 0, 255, |b, given| {
        b.behaviour.unicast_ttl = Some(given)
    }),
    flag("unicast_fault_no_peer|off|FAULT instead of multicast without peers", |b, _| {
        b.behaviour.fault_without_peers = true
    }),
    flag("accept|on|the MASTER answers for its addresses", |b, _| b.behaviour.silent = false),
    flag("no_accept|off|drop what is sent to its addresses, virtual servers included", |b, _| {
        b.behaviour.silent = true
    }),
    flag("track_src_ip|off|FAULT while the source address is missing", |b, at| {
        b.behaviour.track_source = Some(at)
    }),
    flag("dont_track_primary|off|run although the interface of the adverts is down", |b, _| {
        b.behaviour.quiet_primary = true
    }),
    flag(
        "promote_secondaries|off|the kernel keeps other addresses of a network when its first one goes",
        |b, _| b.behaviour.promotes = true,
    ),
    Keyword {
        text: "timer_expired_backup|off|BACKUP instead of an advert that is late by more than so many of them",
        kind: Kind::Free(|b, line| {
            let adverts = if line.peek().is_some() {
                let Some(given) = line.integer(1, 254) else { return };
                Some(given.value)
            } else {
                None
            };
            b.behaviour.gives_up_late = Some(adverts);
        }),
    },
];

pub(super) const GLOBAL: &[Keyword<GlobalDraft>] = &[
    timer(
        "vrrp_startup_delay|0 s|ignore VRRP for so long after the start",
        Duration::ZERO,
        LONGEST_START,
        |b, given| b.behaviour.startup_delay = given.value,
    ),
    timer(
        "vrrp_delay_after_boot|0 s|the same, counted from the boot of the machine",
        Duration::ZERO,
        LONGEST_START,
        |b, given| b.behaviour.delay_after_boot = given.value,
    ),
];

/// A line of `unicast_peer` behind the address: `[min_ttl N] [max_ttl N]`. Nothing for a peer without limits.
pub(super) fn ttls(line: &mut Line<'_, '_>) -> Option<Ttls> {
    let (mut ttls, mut given) = (Ttls { min: 0, max: u8::MAX }, None);
    while let Some(word) = line.word() {
        let limit = match &*word.text {
            "min_ttl" => &mut ttls.min,
            "max_ttl" => &mut ttls.max,
            _ => {
                line.cx.error(
                    INVALID,
                    word.at,
                    format_args!("{} is no option of a peer and is left out", Quoted(&word.text)),
                    format_args!("write one address on each line, then `min_ttl N` or `max_ttl N`"),
                );
                continue;
            }
        };
        let Some(value) = line.integer(0, 255) else { break };
        *limit = u8::try_from(value.value).unwrap_or(u8::MAX);
        given = Some(word.at);
    }
    if let Some(at) = given.filter(|_| ttls.min > ttls.max) {
        line.cx.warn(
            PEERS,
            at,
            format_args!("min_ttl {} is above max_ttl {}", ttls.min, ttls.max),
            format_args!("no advert of this peer can be accepted; exchange the numbers"),
        );
    }
    given.map(|_| ttls)
}

/// How the instance behaves. `has_peers`: its adverts go to peers.
pub(super) fn manners(
    draft: &InstanceDraft,
    (preemption, priority): (Preemption, u8),
    has_peers: bool,
    global: &GlobalDraft,
    cx: &mut Context<'_>,
) -> Manners {
    let (own, outer) = (draft.behaviour.common, global.behaviour.common);
    let adverts = own.down_adverts.or(outer.down_adverts);
    let on = |own: Option<bool>, outer: Option<bool>| own.or(outer).unwrap_or(false);
    let normal = Manners::default();
    if let Some(at) = draft.behaviour.track_source.filter(|_| draft.source.is_none()) {
        cx.warn(
            MANNERS,
            at,
            format_args!("track_src_ip has no source address to look for and changes nothing"),
            format_args!("write `unicast_src_ip` or `mcast_src_ip`, or remove the line"),
        );
    }
    let down_adverts = adverts.map_or(normal.down_adverts, |given| byte(given.value));
    let late = draft.behaviour.gives_up_late;
    Manners {
        preempt_delay: preempt_delay(draft, (preemption, priority), cx),
        down_adverts,
        unicast_ttl: unicast_ttl(draft, has_peers, cx),
        answers_lesser: !on(own.silent_to_lesser, outer.silent_to_lesser),
        last_word: on(own.last_word, outer.last_word),
        owner_ignores: on(own.owner_ignores, outer.owner_ignores),
        accepts: !draft.behaviour.silent,
        track_source: draft.behaviour.track_source.is_some() && draft.source.is_some(),
        track_primary: !draft.behaviour.quiet_primary,
        promotes: draft.behaviour.promotes,
        late_adverts: late.map_or(0, |adverts| adverts.map_or(down_adverts, byte)),
    }
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Whoever wishes to be MASTER, owns the addresses or never preempts has nothing to wait for.
fn preempt_delay(
    draft: &InstanceDraft,
    (preemption, priority): (Preemption, u8),
    cx: &mut Context<'_>,
) -> Duration {
    let Some(given) = draft.behaviour.preempt_delay.filter(|given| !given.value.is_zero()) else {
        return Duration::ZERO;
    };
    let why = if draft.state.is_some_and(|state| state.value == State::Master) {
        "state MASTER"
    } else if priority == u8::MAX {
        "priority 255"
    } else if preemption == Preemption::Stay {
        "nopreempt"
    } else {
        return given.value;
    };
    cx.warn(
        NOPREEMPT,
        given.at,
        format_args!("preempt_delay does not go with {why} and is cancelled"),
        format_args!("write `state BACKUP`, a priority below 255 and no nopreempt for it to work"),
    );
    Duration::ZERO
}

/// Clients of a virtual server on an address that drops what is sent to it get nothing (RFC 9568 section 6.1,
/// Accept_Mode, is about the router itself; IPVS sits behind the filter). One is named: the line to change is the same.
pub(super) fn warn_of_silent_services(
    instance: &Instance,
    draft: &InstanceDraft,
    tables: &Tables,
    cx: &mut Context<'_>,
) {
    if !instance.is_silent() {
        return;
    }
    let own = tables.addresses.get(instance.addresses.rows()).unwrap_or_default();
    let mut own: Vec<IpAddr> = own.iter().map(|one| one.address).collect();
    sort(&mut own, |a, b| a < b);
    let is_dropped = |key: &ServiceKey| match key {
        ServiceKey::Address { address, .. } => own.binary_search(address).is_ok(),
        ServiceKey::Mark { .. } => false,
    };
    if let Some(service) = tables.services.iter().find(|one| is_dropped(&one.key)) {
        cx.warn(
            MANNERS,
            draft.at,
            format_args!(
                "no_accept of {} drops all packets to virtual server {}",
                Quoted(&draft.name),
                service.key
            ),
            format_args!("remove no_accept, or the address from the instance"),
        );
    }
}

fn unicast_ttl(draft: &InstanceDraft, has_peers: bool, cx: &mut Context<'_>) -> u8 {
    let normal = Manners::default().unicast_ttl;
    let Some(given) = draft.behaviour.unicast_ttl else { return normal };
    if has_peers {
        return byte(given.value);
    }
    cx.warn(
        PEERS,
        given.at,
        format_args!("unicast_ttl without unicast peers changes nothing"),
        format_args!(
            "adverts to a group have a time to live of 255 (RFC 9568 section 5.1.1.3); remove the line"
        ),
    );
    normal
}

/// A peer of the draft.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerDraft {
    pub(super) address: Given<core::net::IpAddr>,
    pub(super) ttls: Option<Ttls>,
}

impl PeerDraft {
    pub(super) fn finish(self) -> Peer {
        Peer { address: self.address.value, ttls: self.ttls }
    }
}
