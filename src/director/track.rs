//! Tracked interfaces: for each instance how many that must be up are down, and what the others add to its priority.

use super::bus::Bus;
use super::links::Links;
use crate::config::Config;
use crate::config::ids::{Id, InstanceId, LinkId};

/// What the tracked interfaces say of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Track {
    /// The first interface that must be up and is down or absent.
    pub down: Option<LinkId>,
    /// Added to the base priority.
    pub delta: i32,
}

/// All instances.
#[derive(Debug)]
pub struct Tracks {
    table: Box<[Track]>,
}

impl Tracks {
    pub(crate) fn new(config: &Config) -> Self {
        Self { table: vec![Track::default(); config.instances.len()].into_boxed_slice() }
    }

    /// What is known for an instance.
    pub fn get(&self, id: InstanceId) -> Track {
        self.table.get(id.index()).copied().unwrap_or_default()
    }

    /// An interface changed: whoever tracks it is looked at again. A change of an instance's own interface (its
    /// address, its socket) concerns it even if the track stays the same.
    pub(crate) fn link_changed(&mut self, link: LinkId, config: &Config, links: &Links, bus: &mut Bus) {
        for (id, instance) in config.instances.iter().enumerate() {
            if config.trackers_of(instance).iter().any(|tracker| tracker.link == link) {
                self.weigh(id, config, links, bus);
            }
        }
    }

    /// Looks at every instance, after a reload.
    pub(crate) fn take_stock(&mut self, config: &Config, links: &Links, bus: &mut Bus) {
        (0..config.instances.len()).for_each(|id| self.weigh(id, config, links, bus));
    }

    fn weigh(&mut self, id: usize, config: &Config, links: &Links, bus: &mut Bus) {
        let trackers =
            config.instances.get(id).map(|instance| config.trackers_of(instance)).unwrap_or_default();
        let up = |link: LinkId| links.get(link).running;
        // The first one is the interface of the adverts.
        let quiet = config.instances.get(id).is_some_and(|instance| !instance.manners.track_primary);
        let down =
            trackers.iter().skip(usize::from(quiet)).find(|tracker| tracker.weight == 0 && !up(tracker.link));
        let share = |weight: i16, up: bool| if (weight > 0) == up { i32::from(weight) } else { 0 };
        let delta = trackers.iter().map(|tracker| share(tracker.weight, up(tracker.link))).sum();
        if let Some(track) = self.table.get_mut(id) {
            *track = Track { down: down.map(|tracker| tracker.link), delta };
        }
        bus.tracks.insert(id);
    }
}
