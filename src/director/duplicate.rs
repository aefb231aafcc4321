//! Somebody else speaks for an address that we hold: an alarm that stays until we hold it no longer.
//!
//! Two hosts with one address are what VRRP is there to prevent, and what it does not see: a host that was given the
//! address by hand, a router of another VRID, two halves of a segment that lose adverts only. ARP (RFC 826) and
//! neighbour advertisements (RFC 4861) tell. Nothing here changes a state: a takeover waits for nobody.

use core::net::IpAddr;

use super::bus::Bus;
use super::journal::Reason;
use super::links::Links;
use super::vrrp::Vrrp;
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId, LinkId};
use crate::limits::MAX_DUPLICATES;
use crate::time::{Duration, Instant};
use crate::wire::link::{LinkIndex, MacAddress};

/// A router that was MASTER until now may still answer for its addresses: its removal of them takes a moment.
const GRACE: Duration = Duration::from_secs(1);

/// "This address is at this hardware address", as heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The interface that heard it.
    pub link: LinkIndex,
    /// Who.
    pub mac: MacAddress,
    /// What.
    pub address: IpAddr,
}

/// An address of ours that somebody else speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// Which.
    pub address: AddressId,
    /// Who did last.
    pub mac: MacAddress,
    /// When last.
    pub at: Instant,
    /// How often since the alarm was raised.
    pub total: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Duplicates {
    rows: heapless::Vec<Duplicate, MAX_DUPLICATES>,
    /// Claims of addresses for which there was no room.
    unlisted_total: u64,
}

impl Duplicates {
    /// In the order in which they were noticed.
    pub fn iter(&self) -> impl Iterator<Item = &Duplicate> + Clone {
        self.rows.iter()
    }

    /// The one of an address.
    pub fn get(&self, id: AddressId) -> Option<&Duplicate> {
        self.rows.iter().find(|row| row.address == id)
    }

    /// Claims of further addresses, which are counted only.
    pub const fn unlisted_total(&self) -> u64 {
        self.unlisted_total
    }

    /// Somebody spoke for an address.
    pub(crate) fn handle_claim(
        &mut self,
        now: Instant,
        claim: Claim,
        (config, links, vrrp): (&Config, &Links, &Vrrp),
        bus: &mut Bus,
    ) {
        // Our own announcement may come back by another interface on the same segment.
        let mut ids = (0..config.links.len()).map(LinkId::from_index);
        if ids.any(|id| links.get(id).mac == claim.mac) {
            return;
        }
        let is_it = |one: &crate::config::model::VirtualAddress| {
            one.address == claim.address && links.get(one.link).index == claim.link
        };
        let Some(row) = config.addresses.iter().position(is_it) else { return };
        let Some(instance) = config.addresses.get(row).and_then(|one| one.instance) else { return };
        let Some(router) = vrrp.get(instance) else { return };
        if !vrrp.is_master(instance) || now.since(router.since) < GRACE {
            return;
        }
        let id = AddressId::from_index(row);
        let fresh = Duplicate { address: id, mac: claim.mac, at: now, total: 0 };
        let place = match self.rows.iter().position(|one| one.address == id) {
            Some(place) => place,
            None if self.rows.push(fresh).is_ok() => {
                bus.record(now, Reason::AddressDuplicate(id, claim.mac));
                self.rows.len() - 1
            }
            None => {
                self.unlisted_total += 1;
                return;
            }
        };
        if let Some(one) = self.rows.get_mut(place) {
            *one = Duplicate { total: one.total + 1, ..fresh };
        }
    }

    /// The operator has seen them: how many are forgotten. Whoever still speaks for an address is an alarm again.
    pub(crate) fn clear(&mut self) -> u32 {
        let listed = u32::try_from(self.rows.len()).unwrap_or(0);
        *self = Self::default();
        listed
    }

    /// An instance changed its state: who is no MASTER holds no address.
    pub(crate) fn instance_changed(&mut self, id: InstanceId, config: &Config, vrrp: &Vrrp) {
        if !vrrp.is_master(id) {
            let of = |row: &Duplicate| config.addresses.get(row.address.index()).and_then(|one| one.instance);
            self.rows.retain(|row| of(row) != Some(id));
            if self.rows.is_empty() {
                self.unlisted_total = 0;
            }
        }
    }

    /// A reload: alarms of addresses that both configurations have stay.
    pub(crate) fn adopt(&mut self, old: &Self, before: &Config, config: &Config) {
        self.unlisted_total = old.unlisted_total;
        for row in &old.rows {
            let Some(was) = before.addresses.get(row.address.index()) else { continue };
            let same = config.addresses.iter().position(|one| {
                // An alarm ends with the mastership, which a static address has none of.
                one.instance.is_some()
                    && one.address == was.address
                    && config.link_name(one.link) == before.link_name(was.link)
            });
            if let Some(now) = same {
                // There were as many before.
                let _ = self.rows.push(Duplicate { address: AddressId::from_index(now), ..*row });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::director::event::{Event, Keep};
    use crate::director::testing::{Builder, Node, Vr};

    const STRANGER: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x66]);

    fn master() -> Node {
        let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
        node.run_millis(4_000);
        assert!(node.is_master(0));
        node.take_records();
        node
    }

    fn claim(node: &mut Node, mac: MacAddress) {
        let config = node.director.config();
        let one = &config.addresses[0];
        let (address, link) = (one.address, node.director.links().get(one.link).index);
        node.handle(Event::Claim(Claim { link, mac, address }));
    }

    fn said(node: &mut Node) -> usize {
        let is_one = |one: &Reason| matches!(one, Reason::AddressDuplicate(..));
        node.take_records().iter().filter(|one| is_one(one)).count()
    }

    #[test]
    fn a_stranger_that_speaks_for_an_address_we_hold_is_said_once_and_stays_an_alarm() {
        let mut node = master();
        node.run_millis(1_100);
        for _ in 0..3 {
            claim(&mut node, STRANGER);
        }
        assert_eq!(said(&mut node), 1);
        let row = *node.director.duplicates().get(AddressId(0)).unwrap();
        assert_eq!((row.mac, row.total), (STRANGER, 3));
        node.run_millis(60_000);
        assert!(node.is_master(0) && node.director.duplicates().get(AddressId(0)).is_some());
        node.handle(Event::Stop { keep: Keep::default() });
        assert!(node.director.duplicates().get(AddressId(0)).is_none(), "who holds nothing has no alarm");
    }

    #[test]
    fn cleared_alarms_are_counted_and_come_back_if_the_reason_is_still_there() {
        let mut node = master();
        node.run_millis(1_100);
        claim(&mut node, STRANGER);
        node.take_records();
        node.handle(Event::ClearAlarms);
        assert!(node.take_records().contains(&Reason::AlarmsCleared(1)));
        assert_eq!(node.director.duplicates().iter().count(), 0);
        claim(&mut node, STRANGER);
        assert_eq!((said(&mut node), node.director.duplicates().iter().count()), (1, 1));
    }

    #[test]
    fn a_reload_that_makes_the_address_static_ends_the_alarm() {
        let mut node = master();
        node.run_millis(1_100);
        claim(&mut node, STRANGER);
        node.reload(Builder::new().instance(Vr::default()).build());
        assert_eq!(node.director.duplicates().iter().count(), 1, "the address is still ours to fight for");
        let text = "static_ipaddress {\n 192.0.2.100/24 dev eth0\n}\n";
        node.reload(crate::config::load(text, "test").config.unwrap());
        assert_eq!(node.director.duplicates().iter().count(), 0);
    }

    #[test]
    fn our_own_voice_another_link_and_a_former_master_are_no_strangers() {
        let mut node = master();
        claim(&mut node, STRANGER);
        node.run_millis(1_100);
        let mac = node.director.links().get(LinkId(0)).mac;
        claim(&mut node, mac);
        let address = node.director.config().addresses[0].address;
        node.handle(Event::Claim(Claim { link: LinkIndex(999), mac: STRANGER, address }));
        assert_eq!(said(&mut node), 0);
        assert_eq!(node.director.duplicates().iter().count(), 0);
    }

    #[test]
    fn a_backup_hears_the_active_router_announce_its_addresses() {
        let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
        node.run_millis(2_000);
        assert!(!node.is_master(0));
        claim(&mut node, STRANGER);
        assert_eq!(said(&mut node), 0);
    }
}
