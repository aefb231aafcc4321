//! What an operator may do to a box by hand: to its cables, interfaces and addresses.

use core::net::IpAddr;
use lvsbox::director::event::{Event, Source};

use super::{Coming, Node};

impl Node {
    pub(crate) fn set_carrier(&mut self, name: &str, running: bool) {
        let Some(link) = self.kernel.links.iter_mut().find(|link| link.name.as_str() == name) else { return };
        link.running = running;
        let link = *link;
        self.news.push_back((self.now + self.delay, Coming::Link(link)));
    }

    pub(crate) fn remove_link(&mut self, name: &str) {
        let (link, gone) = self.kernel.remove_link(name);
        let when = self.now + self.delay;
        for entry in gone {
            self.news.push_back((when, Coming::Address(entry, false, Source::Foreign)));
        }
        self.news.push_back((when, Coming::LinkGone(link)));
    }

    pub(crate) fn add_link(&mut self, name: &str, primary: IpAddr) {
        let link = self.kernel.add_link(name);
        let address = self.kernel.add_address(name, primary, 24);
        let when = self.now + self.delay;
        self.news.push_back((when, Coming::Link(link)));
        self.news.push_back((when, Coming::Address(address, true, Source::Foreign)));
    }

    pub(crate) fn delete_by_hand(&mut self, address: &str) {
        if let Some(entry) = self.kernel.remove_address(address.parse().unwrap()) {
            self.news.push_back((self.now + self.delay, Coming::Address(entry, false, Source::Foreign)));
        }
    }

    pub(crate) fn add_by_hand(&mut self, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        if !self.kernel.has(address) {
            let entry = self.kernel.add_address("eth0", address, 24);
            self.news.push_back((self.now + self.delay, Coming::Address(entry, true, Source::Foreign)));
        }
    }

    /// The monitoring socket overran: what it would have said is lost.
    pub(crate) fn overrun(&mut self) {
        self.news.clear();
        self.handle(Event::Overrun);
    }
}
