//! Source addresses that an instance cannot do without (`track_src_ip`): whether their interface has them.

use core::net::IpAddr;

use super::Links;
use crate::config::Config;
use crate::config::ids::LinkId;
use crate::director::bus::Bus;

/// An address on an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    link: LinkId,
    address: IpAddr,
    /// `None` until the kernel has listed its addresses.
    present: Option<bool>,
    /// The running dump has shown it.
    shown: bool,
}

/// What is to be watched, each address once.
pub(super) fn watched(config: &Config) -> Box<[Watched]> {
    let mut found: Vec<Watched> = Vec::new();
    for instance in config.instances.iter().filter(|one| one.manners.track_source) {
        let Some(address) = instance.source else { continue };
        if !found.iter().any(|one| (one.link, one.address) == (instance.link, address)) {
            found.push(Watched { link: instance.link, address, present: None, shown: false });
        }
    }
    found.into()
}

impl Links {
    /// Whether the interface has an address that is watched; `None` as long as nobody knows.
    pub(crate) fn has_source(&self, link: LinkId, address: IpAddr) -> Option<bool> {
        self.watched.iter().find(|one| (one.link, one.address) == (link, address))?.present
    }

    /// An address came or went.
    pub(super) fn watch(&mut self, link: LinkId, address: IpAddr, present: bool, bus: &mut Bus) {
        for one in self.watched.iter_mut().filter(|one| (one.link, one.address) == (link, address)) {
            one.shown = present;
            if one.present != Some(present) && (self.known || one.present.is_some()) {
                one.present = Some(present);
                bus.link_changed(link);
            }
        }
    }

    /// An interface is gone, and its addresses with it.
    pub(super) fn watch_gone(&mut self, link: LinkId) {
        for one in self.watched.iter_mut().filter(|one| one.link == link) {
            (one.present, one.shown) = (one.present.map(|_| false), false);
        }
    }

    pub(super) fn begin_watch_dump(&mut self) {
        self.watched.iter_mut().for_each(|one| one.shown = false);
    }

    pub(super) fn end_watch_dump(&mut self, bus: &mut Bus) {
        for one in &mut self.watched {
            if one.present.replace(one.shown) != Some(one.shown) {
                bus.link_changed(one.link);
            }
        }
    }

    /// Takes over what is known of the addresses that both configurations watch; `link_of`: their interface's old id.
    pub(super) fn adopt_watched(&mut self, old: &Self, link_of: impl Fn(LinkId) -> Option<LinkId>) {
        for one in &mut self.watched {
            one.present = link_of(one.link).and_then(|link| old.has_source(link, one.address));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::config::ids::LinkId;
    use crate::config::model::Manners;
    use crate::director::testing::{Builder, Node, Vr, at};
    use crate::director::vrrp::{Fault, State};

    fn config() -> Config {
        let manners = Manners { track_source: true, ..Manners::default() };
        let mut config = Builder::new().instance(Vr { manners, ..Vr::default() }).build();
        config.instances[0].source = Some("192.0.2.50".parse().unwrap());
        config
    }

    #[test]
    fn without_its_source_address_an_instance_is_in_fault_until_it_is_there() {
        let fault = State::Fault(Fault::NoSource(LinkId(0), "192.0.2.50".parse().unwrap()));
        let mut node = Node::new(config(), "192.0.2.11");
        node.run_until(at(5_000));
        assert_eq!(node.state(0), fault);
        node.add_by_hand("192.0.2.50");
        node.run_millis(4_000);
        assert!(node.is_master(0));
        node.reload(config());
        node.run_millis(100);
        assert!(node.is_master(0), "a reload knows what was known");
        node.delete_by_hand("192.0.2.50");
        node.run_millis(10);
        assert_eq!(node.state(0), fault);
        assert!(!node.has_vip("192.0.2.100"));
    }
}
