//! What a user sees of a box: who is MASTER, what its kernel has, what was recorded and done.

use std::collections::BTreeMap;

use core::net::IpAddr;
use lvsbox::config::ids::{AddressId, Id, InstanceId};
use lvsbox::director::action::Action;
use lvsbox::director::journal::Reason;
use lvsbox::director::vrrp::State;

use super::Node;

impl Node {
    pub(crate) fn state(&self, instance: u32) -> State {
        self.director.vrrp().get(InstanceId(instance)).unwrap().state
    }

    pub(crate) fn is_master(&self, instance: u32) -> bool {
        self.state(instance) == State::Master
    }

    /// Which of the configured addresses the kernel has.
    pub(crate) fn vips(&self) -> Vec<IpAddr> {
        let vips = self.director.config().addresses.iter().map(|one| one.address);
        vips.filter(|address| self.kernel.has(*address)).collect()
    }

    pub(crate) fn has_vip(&self, address: &str) -> bool {
        self.kernel.has(address.parse().unwrap())
    }

    /// Takes the records written since the last time.
    pub(crate) fn take_records(&mut self) -> Vec<Reason> {
        core::mem::take(&mut self.records).into_iter().map(|record| record.reason).collect()
    }

    /// Takes the actions of the last time, but for dumps and probes.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        let all = core::mem::take(&mut self.actions).into_iter().map(|(_, action)| action);
        all.filter(|one| !matches!(one, Action::Dump { .. } | Action::Probe { .. })).collect()
    }

    /// The kernel's table is what the configuration and the checks want.
    pub(crate) fn assert_table_as_wished(&self) {
        let (config, services) = (self.director.config(), self.director.services());
        let Some(table) = &self.kernel.ipvs else { return };
        for service in &config.services {
            let (spec, pool) =
                table.get(&service.key).unwrap_or_else(|| panic!("{} is missing", service.key));
            assert_eq!(*spec, service.spec);
            let mut wished = BTreeMap::new();
            for id in service.destinations.iter() {
                let key = config.destinations[id.index()].key;
                if let Some(weight) = lvsbox::director::services::wish(config, services, id) {
                    wished.insert(key, weight);
                }
            }
            let found: BTreeMap<_, _> = pool.iter().map(|(key, spec)| (*key, spec.weight)).collect();
            assert_eq!(found, wished, "of {} at {:?}", service.key, self.now);
        }
    }

    /// The kernel has the addresses of instances that are MASTER and no others.
    pub(crate) fn assert_addresses_as_wished(&self) {
        for (row, address) in self.director.config().addresses.iter().enumerate() {
            let exists = self.director.links().get(address.link).exists();
            let owner = address.instance;
            let wished = exists && owner.is_none_or(|id| self.director.vrrp().is_master(id));
            assert_eq!(self.kernel.has(address.address), wished, "{}", address.address);
            assert_eq!(self.director.net_plan().is_present(AddressId::from_index(row)), wished);
        }
    }
}
