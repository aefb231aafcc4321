//! Which adverts are heard: the checks of RFC 3768 and RFC 9568 section 7.1 in keepalived's order, each refusal counted
//! by reason and reported once per state, so that a flood of bad packets is a number and not a flood of lines.

use core::net::{IpAddr, Ipv4Addr};

use super::misfits::{Noted, is_misfit};
use super::{Field, Heard, Rival, Vrrp};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId, LinkId};
use crate::config::model::{Authentication, Instance, SourceCheck, Transport, Ttls};
use crate::director::bus::Bus;
use crate::director::journal::Reason;
use crate::director::links::Links;
use crate::time::Instant;
use crate::wire::vrrp::{Channel, Checksum, Malformed, Received, Version};

/// Why a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// The IP header is broken or does not fit the packet.
    Header,
    /// Too short for an advert.
    Length,
    /// The address count does not fit the length.
    Count,
    /// Sent from another network: a TTL below 255.
    Ttl,
    /// Another version than ours.
    Version,
    /// No instance of ours has the VRID on this interface.
    UnknownVrid,
    /// An authentication type that does not exist.
    AuthType,
    /// Another authentication type than ours.
    AuthMismatch,
    /// A wrong password, or an authentication header made with another one.
    Password,
    /// The sequence number of an authentication header is not above the last one.
    Replay,
    /// Another advertisement interval than ours.
    Interval,
    /// Not an advertisement.
    Type,
    /// A wrong checksum.
    Checksum,
    /// Multicast for an instance that speaks unicast, or the other way round.
    Destination,
    /// Not one of the configured peers.
    Source,
    /// From an address of this box.
    Own,
    /// The peer is nearer or farther than it may be.
    TtlRange,
}

impl Reject {
    /// All reasons, in the order of the checks.
    pub const ALL: [Self; 17] = [
        Self::Header,
        Self::Length,
        Self::Count,
        Self::Ttl,
        Self::Version,
        Self::UnknownVrid,
        Self::AuthType,
        Self::AuthMismatch,
        Self::Password,
        Self::Replay,
        Self::Interval,
        Self::Type,
        Self::Checksum,
        Self::Destination,
        Self::Source,
        Self::Own,
        Self::TtlRange,
    ];

    /// A short name for screens and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "bad-header",
            Self::Length => "too-short",
            Self::Count => "address-count",
            Self::Ttl => "ttl",
            Self::Version => "version",
            Self::UnknownVrid => "unknown-vrid",
            Self::AuthType => "auth-type",
            Self::AuthMismatch => "auth-mismatch",
            Self::Password => "password",
            Self::Replay => "replay",
            Self::Interval => "interval",
            Self::Type => "type",
            Self::Checksum => "checksum",
            Self::Destination => "destination",
            Self::Source => "source",
            Self::Own => "own-address",
            Self::TtlRange => "ttl-range",
        }
    }
}

/// Refusals by reason.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rejects {
    totals: [u64; Reject::ALL.len()],
    reported: u32,
    /// The last one: reason, sender, time.
    pub last: Option<(Reject, IpAddr, Instant)>,
}

impl Rejects {
    /// How many packets were refused for this reason.
    pub fn total(&self, reject: Reject) -> u64 {
        self.totals.get(reject as usize).copied().unwrap_or(0)
    }

    /// How many packets were refused.
    pub fn sum(&self) -> u64 {
        self.totals.iter().sum()
    }

    /// How many of them a matter of configuration, here or there.
    pub fn misfits(&self) -> u64 {
        Reject::ALL.into_iter().filter(|reject| is_misfit(*reject)).map(|reject| self.total(reject)).sum()
    }

    /// Counts one; true if this reason has not been reported in this state.
    fn count(&mut self, now: Instant, reject: Reject, from: IpAddr) -> bool {
        if let Some(total) = self.totals.get_mut(reject as usize) {
            *total += 1;
        }
        self.last = Some((reject, from, now));
        let bit = 1 << reject as u32;
        let first = self.reported & bit == 0;
        self.reported |= bit;
        first
    }

    /// A new state: each reason is worth another line.
    pub(super) fn report_again(&mut self) {
        self.reported = 0;
    }
}

impl Vrrp {
    /// A packet came in on a VRRP socket.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        (link, channel): (LinkId, Channel),
        packet: Result<Received<'_>, Malformed>,
        (config, links): (&Config, &Links),
        bus: &mut Bus,
    ) {
        if self.stopping || now < self.held_until {
            return;
        }
        let (vrid, from) = match packet {
            Ok(received) => (Some(received.advert.vrid), received.source),
            Err(malformed) => (malformed.vrid(), IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        };
        let is_meant = |one: &Instance| {
            one.link == link && one.family == channel.family() && Some(one.vrid.get()) == vrid
        };
        let found = config.instances.iter().position(is_meant);
        let Some(id) = found.map(InstanceId::from_index) else {
            let reject = packet.map_or_else(reject_of, |_| Reject::UnknownVrid);
            self.strays.count(now, reject, from);
            return;
        };
        let Some(instance) = config.instances.get(id.index()) else { return };
        let ours = instance.source.or(links.get(link).source(instance.family));
        let ours = ours.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let last = self.get(id).map_or(0, |router| router.sequence);
        let judged = |received| judge(&received, instance, (ours, last), config);
        match packet.map_err(reject_of).and_then(judged) {
            Err(reject) => self.refuse(now, id, (reject, seen(reject, &packet)), from, bus),
            Ok(received) => {
                if let (Some(seal), Some(router)) = (received.seal, self.table.get_mut(id.index())) {
                    router.sequence = seal.sequence;
                }
                self.compare_lists(now, id, instance, &received, config, bus);
                let Some(router) = self.get(id) else { return };
                let rival = Rival { from, theirs: received.advert.priority, ours: router.priority };
                let heard = Heard { rival, interval: received.advert.interval, ours };
                self.hear(now, id, instance, heard, bus);
            }
        }
    }

    fn refuse(
        &mut self,
        now: Instant,
        id: InstanceId,
        (reject, seen): (Reject, u8),
        from: IpAddr,
        bus: &mut Bus,
    ) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        let first = router.rejects.count(now, reject, from);
        let noted = if is_misfit(reject) {
            router.misfits.note(now, (from, Field::Refused(reject)), seen)
        } else {
            Noted::Full
        };
        if (noted == Noted::New && router.misfits.is_due(now)) || (noted == Noted::Full && first) {
            bus.record(now, Reason::Rejected(id, reject, from, seen));
        }
    }

    /// Another list of addresses is accepted, as keepalived 2.3.3 and later do: dropping the advert would make a
    /// second MASTER of every change of the list that reaches one node first.
    fn compare_lists(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        received: &Received<'_>,
        config: &Config,
        bus: &mut Bus,
    ) {
        let ours = config.advertised(instance).iter().map(|one| one.address);
        let theirs = received.advert.addresses.iter();
        let same_set = || {
            ours.len() == received.advert.addresses.len()
                && theirs.clone().all(|one| ours.clone().any(|address| address == one))
                && ours.clone().all(|one| theirs.clone().any(|address| address == one))
        };
        let same = ours.clone().eq(theirs.clone()) || same_set();
        let common = || theirs.clone().any(|one| ours.clone().any(|address| address == one));
        let field = (!same).then(|| if common() { Field::List } else { Field::Vrid });
        let from = received.source;
        let Some(router) = self.table.get_mut(id.index()) else { return };
        if router.misfits.mend(from, field) && same && router.misfits.is_due(now) {
            bus.record(now, Reason::PeerMended(id, from));
        }
        let Some(field) = field else { return };
        router.counters.list_differs_total += 1;
        let count = u8::try_from(received.advert.addresses.len()).unwrap_or(u8::MAX);
        let is_news = match router.misfits.note(now, (from, field), count) {
            Noted::New => router.misfits.is_due(now),
            Noted::Known => false,
            Noted::Full => !core::mem::replace(&mut router.list_reported, true),
        };
        if is_news {
            bus.record(now, Reason::AddressListDiffers(id, from, count));
        }
    }
}

/// What stands in the field that is refused, for the log.
fn seen(reject: Reject, packet: &Result<Received<'_>, Malformed>) -> u8 {
    match (reject, packet) {
        (Reject::Version, Ok(received)) => received.advert.version,
        (Reject::Version, Err(Malformed::Version { version, .. })) => *version,
        (Reject::Ttl | Reject::TtlRange, Ok(received)) => received.ttl,
        (Reject::AuthType | Reject::AuthMismatch, Ok(received)) => received.advert.auth_type,
        (Reject::Interval, Ok(received)) => {
            u8::try_from(received.advert.interval.as_secs()).unwrap_or(u8::MAX)
        }
        (Reject::Type, Ok(received)) => received.advert.kind,
        _ => 0,
    }
}

fn reject_of(malformed: Malformed) -> Reject {
    match malformed {
        Malformed::Header => Reject::Header,
        Malformed::Short { .. } => Reject::Length,
        Malformed::Count { .. } => Reject::Count,
        Malformed::Version { .. } => Reject::Version,
    }
}

/// The advert, if it is one for this instance.
fn judge<'a>(
    received: &Received<'a>,
    instance: &Instance,
    (ours, last): (IpAddr, u32),
    config: &Config,
) -> Result<Received<'a>, Reject> {
    let advert = &received.advert;
    // RFC 3768 section 7.1; a unicast peer may be behind a router, as with keepalived.
    let group = match &instance.transport {
        Transport::Multicast(group) => Some(*group),
        Transport::Unicast { .. } => None,
    };
    require(group.is_none() || received.ttl == 255, Reject::Ttl)?;
    require(advert.version == instance.version.number(), Reject::Version)?;
    match instance.version {
        Version::V2 => {
            authenticate(received, instance)?;
            require(advert.interval == instance.advert_interval, Reject::Interval)?;
        }
        // Another interval than ours is followed (RFC 9568 section 6.4.2), none and no addresses are refused (7.1).
        Version::V3 => {
            require(!advert.interval.is_zero(), Reject::Interval)?;
            require(!advert.addresses.is_empty(), Reject::Count)?;
        }
    }
    require(advert.kind == 1, Reject::Type)?;
    require(advert.checksum == Checksum::Right, Reject::Checksum)?;
    let fits = group.map_or(!received.destination.is_multicast(), |group| received.destination == group);
    require(fits, Reject::Destination)?;
    let peer = config.peers_of(instance).iter().find(|peer| peer.address == received.source);
    let known = instance.source_check == SourceCheck::Any || group.is_some() || peer.is_some();
    require(known, Reject::Source)?;
    let fits = |ttls: Ttls| (ttls.min..=ttls.max).contains(&received.ttl);
    require(peer.and_then(|peer| peer.ttls).is_none_or(fits), Reject::TtlRange)?;
    require(received.source != ours, Reject::Own)?;
    // Last, so that a packet refused for another reason does not move the count (RFC 2402 section 3.4.3).
    require(received.seal.is_none_or(|seal| seal.sequence > last), Reject::Replay)?;
    Ok(*received)
}

/// RFC 2338 section 5.3.6.
fn authenticate(received: &Received<'_>, instance: &Instance) -> Result<(), Reject> {
    let Received { advert, seal, .. } = received;
    require(advert.auth_type <= 2, Reject::AuthType)?;
    let same = advert.auth_type == instance.authentication.number();
    match (instance.authentication, seal) {
        (Authentication::None, None) => require(same, Reject::AuthMismatch),
        (Authentication::Pass(password), None) => {
            require(same, Reject::AuthMismatch)?;
            require(advert.auth_data == password, Reject::Password)
        }
        (Authentication::Ah(key), Some(seal)) => {
            require(same, Reject::AuthMismatch)?;
            // keepalived's index is the sender's address.
            require(seal.is_made_with(&key) && IpAddr::V4(seal.spi) == received.source, Reject::Password)
        }
        (Authentication::Ah(_), None) | (Authentication::None | Authentication::Pass(_), Some(_)) => {
            Err(Reject::AuthMismatch)
        }
    }
}

fn require(holds: bool, otherwise: Reject) -> Result<(), Reject> {
    if holds { Ok(()) } else { Err(otherwise) }
}
