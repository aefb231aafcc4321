//! A record as log lines. What operators grep for is keepalived's word for word; what keepalived has no line for names
//! the object, the place, the reason and what happens next. Reasons of ours stand behind keepalived's words.
//!
//! A record may give several lines; each is handed to a callback as `fmt::Arguments`, so that nothing is allocated.
//! Ids belong to the configuration in force: read the journal before a reload swaps it.

mod filter;
mod ipvs;
mod names;
mod pools;
mod refusals;
mod routing;
mod tracked;
mod weights;
pub mod why;

use core::fmt;
use core::net::IpAddr;

use crate::check::Failure;
use crate::config::ids::{AddressId, DestinationId, GroupId, Id, InstanceId, LinkId, ProbeId, ServiceId};
use crate::config::model::OnFailure;
use crate::director::Director;
use crate::director::action::Change;
use crate::director::event::{DumpError, Errno};
use crate::director::groups::Standing;
use crate::director::journal::{Entry, Family, Reason, Record, Rival};
use crate::wire::errno::Text;
use crate::wire::genl_ipvs::DestinationKey;
use crate::wire::link::MacAddress;
pub(super) use names::{Cause, Names, RealServer, Target};
pub(super) use routing::Routing;
use why::Why;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is the way things go.
    Info,
    /// Something outside is not as it should be; we cope.
    Warning,
    /// Something does not work until somebody does something.
    Error,
}

use Severity::{Error, Info, Warning};

/// True for what an operator at a terminal wants to be told at once: a change of state of something that serves.
pub const fn is_change(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::EnteredBackup(..)
            | Reason::EnteredMaster(_)
            | Reason::EnteredFault(..)
            | Reason::DestinationDown(_)
            | Reason::DestinationUp(_)
            | Reason::QuorumGained(..)
            | Reason::QuorumLost(..)
            | Reason::QuorumAbsent(..)
            | Reason::Overridden(..)
            | Reason::DrainStarted(..)
            | Reason::DrainEnded(..)
    )
}

/// Gives the lines of `record` to `say`, one call each, without a newline.
pub fn tell(director: &Director, record: &Record, say: &mut dyn FnMut(Severity, fmt::Arguments<'_>)) {
    let first = record.at == director.services().began();
    Teller { director, names: Names(director.config()), first, say }.tell(record.reason);
}

struct Teller<'a> {
    director: &'a Director,
    names: Names<'a>,
    /// The record is of the moment when the services were first weighed: nothing served before it.
    first: bool,
    say: &'a mut dyn FnMut(Severity, fmt::Arguments<'_>),
}

impl<'a> Teller<'a> {
    #[rustfmt::skip]
    #[allow(clippy::too_many_lines, reason = "one line for each reason")]
    fn tell(&mut self, reason: Reason) {
        let names = self.names;
        match reason {
            Reason::LinkUp(link) => self.say(Info, format_args!("Netlink reports {} up", names.link(link))),
            Reason::LinkDown(link) => self.say(Warning, format_args!("Netlink reports {} down", names.link(link))),
            Reason::LinkAbsent(link) => self.say(Warning, format_args!("There is no interface {}: waiting for it", names.link(link))),
            Reason::LinkUnsettled(link, up, delay) => self.say(Warning, format_args!("Netlink reports {} {}: it counts if it lasts {delay} s", names.link(link), if up { "up" } else { "down" })),
            Reason::SocketFailed(link, errno) => self.socket_failed(link, errno),
            Reason::EnteredBackup(id, Entry::Initial) => self.about(Info, id, format_args!("Entering BACKUP STATE (init)")),
            Reason::EnteredBackup(id, Entry::Defeated | Entry::Recovered) => self.about(Info, id, format_args!("Entering BACKUP STATE")),
            Reason::EnteredMaster(id) => self.about(Info, id, format_args!("Entering MASTER STATE")),
            Reason::EnteredFault(id, fault) => self.about(Error, id, format_args!("Entering FAULT STATE ({})", Why::of_fault(names, fault))),
            Reason::GroupSynced(id, standing) => self.group_synced(id, standing),
            Reason::MasterSilent(id) => self.about(Info, id, format_args!("Receive advertisement timeout")),
            Reason::SettingAddresses(id) => self.about(Info, id, format_args!("setting VIPs.")),
            Reason::RemovingAddresses(id) => self.about(Info, id, format_args!("removing VIPs.")),
            Reason::LeavingAddresses(id) => self.about(Info, id, format_args!("leaving VIPs for the next start.")),
            Reason::Resuming(id) => self.about(Info, id, format_args!("VIPs are still here: going on as MASTER unless another one is heard")),
            Reason::SentFarewell(id) => self.about(Info, id, format_args!("sent 0 priority")),
            Reason::ReceivedFarewell(id, _) => self.about(Info, id, format_args!("Backup received priority 0 advertisement")),
            Reason::HigherAdvert(id, rival) => self.higher(id, rival),
            Reason::EqualAdvert(id, rival) => self.equal(id, rival),
            Reason::LowerDiscarded(id, Rival { from, theirs, .. }) => self.about(Info, id, format_args!("received lower priority ({theirs}) advert from {from} - discarding")),
            Reason::LowerAnswered(id, rival) => self.lower(id, rival),
            Reason::PriorityChanged(id, from, to) => self.about(Info, id, format_args!("Changing effective priority from {from} to {to}")),
            Reason::Rejected(id, reject, from, seen) => refusals::tell(self, id, (reject, seen), from),
            Reason::PeerMended(id, from) => self.about(Info, id, format_args!("adverts from {from} agree with our configuration again")),
            Reason::AddressListDiffers(id, from, count) => self.list_differs(id, from, count),
            Reason::IntervalAdopted(id, from, to) => self.about(Info, id, format_args!("advertisement interval updated from {from}0ms to {to}0ms by master")),
            Reason::IntervalRestored(id, from, to) => self.about(Info, id, format_args!("changing advert interval from {from}0ms to locally configured {to}0ms")),
            Reason::TwoOwners(id, from) => self.about(Error, id, format_args!("CONFIGURATION ERROR: local instance and {from} are both configured as address owner")),
            Reason::OwnerDemoted(id) => self.about(Error, id, format_args!("CONFIGURATION ERROR: the other address owner stays MASTER, please fix - reducing local priority")),
            Reason::PreemptDelayStarted(id, delay) => self.about(Info, id, format_args!("start preempt delay ({}.{:06})", delay.as_secs(), delay.as_micros() % 1_000_000)),
            Reason::PreemptDelayStopped(id) => self.about(Info, id, format_args!("stop preempt delay")),
            Reason::StartDelayed(delay) => self.say(Info, format_args!("Delaying startup for {delay} seconds")),
            Reason::AdvertFailed(id, errno) => self.advert_failed(id, errno),
            Reason::Announcing(address) => self.announcing(address),
            Reason::AnnounceFailed(address, errno) => self.announce_failed(address, errno),
            Reason::AddressMissing(address) => self.address_missing(address),
            Reason::AddressDuplicate(address, mac) => self.duplicate(address, mac),
            Reason::AddressUnwanted(address) => self.address_unwanted(address),
            Reason::AddressFailed(address, change, errno) => self.address_failed(address, change, errno),
            Reason::DropRule(..) | Reason::FilterFailed(_) | Reason::FilterBuilt | Reason::FilterDiffers | Reason::FirewallFailed(..) | Reason::FirewallBuilt(_) | Reason::FirewallDiffers(_) | Reason::TableLeft(..) => filter::tell(self, reason),
            Reason::RoutingMissing(object) => routing::missing(self, object),
            Reason::RoutingUnwanted(object) => routing::unwanted(self, object),
            Reason::RoutingFailed(object, change, errno) => routing::failed(self, object, change, errno),
            Reason::RepairsHeld(family) => self.say(Error, format_args!("Somebody keeps changing {}: repairs wait up to 10 s each", family_name(family))),
            Reason::ServiceMissing(id) => self.say(Warning, format_args!("VS {} was removed by somebody: adding it again", names.service(id))),
            Reason::ServiceDiffers(id) => self.say(Warning, format_args!("VS {} was changed by somebody: setting it back", names.service(id))),
            Reason::ServiceFailed(id, change, errno) => self.service_failed(id, change, errno),
            Reason::DestinationMissing(id) | Reason::DestinationDiffers(id, _) => self.drift(id, reason),
            Reason::DestinationStrange(service, key) => self.stranger(service, key),
            Reason::DestinationFailed(id, change, errno) => self.destination_failed(id, change, errno),
            Reason::DumpFailed(family, error) => self.dump_failed(family, error),
            Reason::ProbeDown(probe, failure, retries) => self.probe_down(probe, failure, retries),
            Reason::ProbeUp(probe) => self.probe_up(probe),
            Reason::ProbeHindered(..) | Reason::ProbesResumed => self.hindrance(reason),
            Reason::DestinationDown(id) => self.destination_moved(id, ["Removing", "Disabling"], ["from", "of"]),
            Reason::DestinationUp(id) => self.destination_moved(id, ["Adding", "Enabling"], ["to", "of"]),
            Reason::QuorumGained(id, weight) => self.quorum_gained(id, weight),
            Reason::QuorumLost(id, weight) => self.quorum_lost(id, weight),
            Reason::QuorumAbsent(id, weight) => self.quorum_absent(id, weight),
            Reason::Reloaded => self.say(Info, format_args!("Reload complete")),
            Reason::ServiceRetired => self.say(Info, format_args!("Removing a virtual server that is no longer configured")),
            Reason::IpvsAbsent(_) | Reason::IpvsFound | Reason::IpvsSetupFailed(_) | Reason::DaemonChanged(..) | Reason::DaemonFailed(..) | Reason::DaemonMissing(_) | Reason::DaemonDiffers(_) => ipvs::tell(self, &reason),
            Reason::Stopping => self.say(Info, format_args!("Stopping")),
            Reason::VariableSet(..) | Reason::WokeLate(..) | Reason::AlarmsCleared(_) | Reason::RouteTracked(..) => tracked::tell(self, reason),
            Reason::Overridden(..) | Reason::RiseStarted(_) | Reason::DrainStarted(..) | Reason::DrainEnded(..) => weights::tell(self, reason),
            Reason::ReliefChanged(..) | Reason::ChecksSuspended(_) | Reason::ChecksResumed(_) => pools::tell(self, reason),
        }
    }

    fn say(&mut self, severity: Severity, line: fmt::Arguments<'_>) {
        (self.say)(severity, line);
    }

    /// keepalived's form of a line about an instance.
    fn about(&mut self, severity: Severity, id: InstanceId, line: fmt::Arguments<'_>) {
        let names = self.names;
        self.say(severity, format_args!("({}) {line}", names.instance(id)));
    }

    fn group_synced(&mut self, id: GroupId, standing: Standing) {
        let state = match standing {
            Standing::Init => "INIT",
            Standing::Backup => "BACKUP",
            Standing::Master => "MASTER",
            Standing::Fault(_) => "FAULT",
        };
        let names = self.names;
        self.say(Info, format_args!("VRRP_Group({}) Syncing instances to {state} state", names.group(id)));
    }

    /// A line about what an instance owns, or what is static.
    fn of(&mut self, severity: Severity, owner: Option<InstanceId>, line: fmt::Arguments<'_>) {
        match owner {
            Some(id) => self.about(severity, id, line),
            None => self.say(severity, format_args!("(static) {line}")),
        }
    }

    fn higher(&mut self, id: InstanceId, Rival { from, theirs, ours }: Rival) {
        let line =
            format_args!("Master received advert from {from} with higher priority {theirs}, ours {ours}");
        self.about(Info, id, line);
    }

    fn equal(&mut self, id: InstanceId, Rival { from, theirs, .. }: Rival) {
        let tail = "but higher IP address than ours";
        let line = format_args!("Master received advert from {from} with same priority {theirs} {tail}");
        self.about(Info, id, line);
    }

    fn lower(&mut self, id: InstanceId, Rival { from, theirs, ours }: Rival) {
        let silent = self.names.0.instances.get(id.index()).is_some_and(|one| !one.manners.answers_lesser);
        let end = if silent { "" } else { ", forcing new election" };
        let tail = format_args!("with lower priority {theirs}, ours {ours}{end}");
        self.about(Info, id, format_args!("Received advert from {from} {tail}"));
    }

    fn socket_failed(&mut self, link: LinkId, errno: Errno) {
        let line =
            format_args!("VRRP socket on {}: {}; next try in 5 s", self.names.link(link), Text(errno.0));
        self.say(Error, line);
    }

    fn list_differs(&mut self, id: InstanceId, from: IpAddr, theirs: u8) {
        let Some(instance) = self.names.0.instances.get(id.index()) else { return };
        let (ours, vrid) = (instance.advertised, instance.vrid);
        if ours == theirs {
            let head = format_args!("ip address associated with VRID {vrid} not present in advert");
            self.about(Warning, id, format_args!("{head} from {from}"));
        } else {
            self.about(Warning, id, format_args!("expected {ours} VIPs but received {theirs} from {from}"));
        }
        let line =
            format_args!("the advert counts nevertheless: make virtual_ipaddress equal on {from} and here");
        self.about(Warning, id, line);
    }

    fn advert_failed(&mut self, id: InstanceId, errno: Errno) {
        let names = self.names;
        let link = names.0.instances.get(id.index()).map(|instance| names.link(instance.link));
        let line = format_args!("advert on {} not sent: {}", link.unwrap_or("?"), Text(errno.0));
        self.about(Error, id, format_args!("{line}; the next one is tried in time"));
    }

    fn announcing(&mut self, id: AddressId) {
        let Some(address) = self.names.address(id) else { return };
        let (link, kind) = (self.names.link(address.link), announcement(address.address, "s"));
        let line = format_args!("Sending/queueing {kind} on {link} for {}", address.address);
        self.of(Info, address.instance, line);
    }

    fn announce_failed(&mut self, id: AddressId, errno: Errno) {
        let Some(address) = self.names.address(id) else { return };
        let (link, kind) = (self.names.link(address.link), announcement(address.address, ""));
        let line = format_args!("{kind} on {link} for {} not sent: {}", address.address, Text(errno.0));
        self.of(Warning, address.instance, line);
    }

    fn address_missing(&mut self, id: AddressId) {
        let Some(address) = self.names.address(id) else { return };
        self.say(Warning, format_args!("Netlink reflector reports IP {} removed", address.address));
        let (link, prefix) = (self.names.link(address.link), address.prefix);
        let line = format_args!("adding {}/{prefix} on {link} again", address.address);
        self.of(Warning, address.instance, line);
    }

    fn duplicate(&mut self, id: AddressId, mac: MacAddress) {
        let Some(address) = self.names.address(id) else { return };
        let line =
            format_args!("{} on {} is used by {mac}, too", address.address, self.names.link(address.link));
        self.of(Error, address.instance, line);
    }

    fn address_unwanted(&mut self, id: AddressId) {
        let Some(address) = self.names.address(id) else { return };
        let (link, prefix) = (self.names.link(address.link), address.prefix);
        let line = format_args!("{}/{prefix} is on {link} though we are not MASTER", address.address);
        self.of(Warning, address.instance, format_args!("{line}: removing it"));
    }

    fn address_failed(&mut self, id: AddressId, change: Change, errno: Errno) {
        let Some(address) = self.names.address(id) else { return };
        let (link, prefix) = (self.names.link(address.link), address.prefix);
        let next = next_try(self.director.net_plan().is_parked(id));
        let what = verb(change);
        let object = format_args!("{what} address {}/{prefix} on {link}", address.address);
        self.of(Error, address.instance, format_args!("{object}: {}; {next}", Text(errno.0)));
    }

    fn service_failed(&mut self, id: ServiceId, change: Change, errno: Errno) {
        let next = next_try(self.director.ipvs_plan().is_service_parked(id));
        let names = self.names;
        let cause = Cause { errno, spec: names.spec(id) };
        self.say(Error, format_args!("{} VS {}: {cause}; {next}", verb(change), names.service(id)));
    }

    fn drift(&mut self, id: DestinationId, reason: Reason) {
        let (server, service) = (self.names.server(id), self.names.service_of(id));
        let head = format_args!("Service {server} of VS {service} was");
        if let Reason::DestinationDiffers(_, weight) = reason {
            self.say(Warning, format_args!("{head} changed by somebody (weight {weight}): setting it back"));
        } else {
            self.say(Warning, format_args!("{head} removed by somebody: adding it again"));
        }
    }

    fn stranger(&mut self, service: ServiceId, key: DestinationKey) {
        let server = RealServer { key, protocol: self.names.protocol(service) };
        let vs = self.names.service(service);
        self.say(Warning, format_args!("Service {server} of VS {vs} is not configured: removing it"));
    }

    fn destination_failed(&mut self, id: DestinationId, change: Change, errno: Errno) {
        let next = next_try(self.director.ipvs_plan().is_destination_parked(id));
        let (server, service) = (self.names.server(id), self.names.service_of(id));
        let object = format_args!("{} service {server} of VS {service}", verb(change));
        self.say(Error, format_args!("{object}: {}; {next}", Text(errno.0)));
    }

    fn dump_failed(&mut self, family: Family, error: DumpError) {
        let what = family_name(family);
        match error {
            DumpError::Interrupted => {
                self.say(Info, format_args!("Listing {what}: changed meanwhile; listing again"));
            }
            DumpError::Failed(errno) => {
                self.say(Error, format_args!("Listing {what}: {}; listing again", Text(errno.0)));
            }
        }
    }

    fn probe_down(&mut self, id: ProbeId, failure: Failure, retries: u32) {
        let target = self.target(id);
        let (name, why) = (target.checker_name(), Why::of_failure(failure));
        if retries == 0 {
            self.say(Warning, format_args!("{name} on service {target} failed. ({why})"));
        } else {
            let line = format_args!("{name} on service {target} failed after {retries} retries. ({why})");
            self.say(Warning, line);
        }
    }

    fn probe_up(&mut self, id: ProbeId) {
        let target = self.target(id);
        let (before, behind) = target.checker().map_or(("", ""), |checker| checker.form().success);
        self.say(Info, format_args!("{before}{target}{behind}"));
    }

    fn hindrance(&mut self, reason: Reason) {
        let Reason::ProbeHindered(id, errno) = reason else {
            return self.say(Info, format_args!("Every check can be made again"));
        };
        let target = self.target(id);
        let name = target.checker_name();
        self.say(Error, format_args!("{name} on service {target} not made: {} on this side", Text(errno.0)));
        self.say(
            Error,
            format_args!(
                "Servers that cannot be checked stay as they are; tried again every second (status)"
            ),
        );
    }

    /// `words` and `links`: for a server that is taken out, and for one that is kept at weight 0.
    fn destination_moved(&mut self, id: DestinationId, words: [&str; 2], links: [&str; 2]) {
        let Some(destination) = self.names.0.destinations.get(id.index()) else { return };
        let ([removed, inhibited], [from, of]) = (words, links);
        let (word, link) = match destination.on_failure {
            OnFailure::Remove => (removed, from),
            OnFailure::Inhibit => (inhibited, of),
        };
        let (server, service) = (self.names.server(id), self.names.service_of(id));
        let kind = if self.names.0.is_sorry(id) { "sorry server" } else { "service" };
        self.say(Info, format_args!("{word} {kind} {server} {link} VS {service}"));
    }

    fn quorum_gained(&mut self, id: ServiceId, weight: u32) {
        let Some(service) = self.names.0.services.get(id.index()) else { return };
        let (quorum, hysteresis, key) = (service.quorum, service.hysteresis, service.key);
        let sum = quorum.saturating_add(hysteresis);
        self.say(Info, format_args!("Gained quorum {quorum}+{hysteresis}={sum} <= {weight} for VS {key}"));
        if self.has_relief(id) && !self.first {
            self.sorry_moved(id, ["Removing", "Disabling"], ["from", "of"]);
            self.say(Info, format_args!("Adding alive servers to the pool for VS {key}"));
        }
    }

    fn quorum_lost(&mut self, id: ServiceId, weight: u32) {
        let Some(service) = self.names.0.services.get(id.index()) else { return };
        let (quorum, hysteresis, key) = (service.quorum, service.hysteresis, service.key);
        let rest = quorum.saturating_sub(hysteresis);
        let line = format_args!("Lost quorum {quorum}-{hysteresis}={rest} > {weight} for VS {key}");
        self.say(Warning, line);
        self.instead(id);
    }

    fn quorum_absent(&mut self, id: ServiceId, weight: u32) {
        let Some(service) = self.names.0.services.get(id.index()) else { return };
        let needed = service.quorum.saturating_add(service.hysteresis);
        let key = service.key;
        let line = format_args!("Starting with quorum down for VS {key} (weight {weight}, needs {needed})");
        self.say(Warning, line);
        self.instead(id);
    }

    /// What serves while the quorum is lost.
    fn instead(&mut self, id: ServiceId) {
        let Some(service) = self.names.0.services.get(id.index()) else { return };
        if self.has_relief(id) {
            self.sorry_moved(id, ["Adding", "Enabling"], ["to", "of"]);
            self.say(Info, format_args!("Removing alive servers from the pool for VS {}", service.key));
        }
    }

    fn sorry_moved(&mut self, id: ServiceId, words: [&str; 2], links: [&str; 2]) {
        let sorry = self.names.0.services.get(id.index()).map(|service| service.sorry).unwrap_or_default();
        for id in sorry.iter().filter(|id| self.director.services().is_alive(*id)) {
            self.destination_moved(id, words, links);
        }
    }

    fn target(&self, id: ProbeId) -> Target<'a> {
        self.names.target(id, self.director.services().users(id))
    }
}

/// What announces an address: `ending` makes it plural.
fn announcement(address: IpAddr, ending: &'static str) -> impl fmt::Display {
    let kind = match address {
        IpAddr::V4(_) => "gratuitous ARP",
        IpAddr::V6(_) => "unsolicited Neighbour Advert",
    };
    fmt::from_fn(move |f| write!(f, "{kind}{ending}"))
}

fn verb(change: Change) -> &'static str {
    match change {
        Change::Add => "add",
        Change::Set => "change",
        Change::Remove => "remove",
    }
}

/// Whether a refused object is tried again.
fn next_try(parked: bool) -> &'static str {
    if parked { "not tried again before a reload or a change of state" } else { "tried again later" }
}

pub(super) fn family_name(family: Family) -> &'static str {
    match family {
        Family::Links => "interfaces",
        Family::Addresses => "addresses",
        Family::Routes => "routes or rules",
        Family::Ipvs => "the IPVS table",
        Family::Filter => "our nf_tables tables",
    }
}

#[cfg(test)]
mod tests;
