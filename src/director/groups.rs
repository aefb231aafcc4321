//! Sync groups (keepalived's `vrrp_sync_group`): instances that are MASTER, BACKUP or in FAULT together.
//!
//! A group is in FAULT as long as one member cannot take part. It is MASTER when all members are or want to be: one
//! that heard a better router holds the others back, which prefers BACKUP to thrashing. It leaves MASTER when one
//! member does. Members tell that they changed (`Bus::groups`); what a group comes to, they read here
//! (`vrrp/group.rs`).

use super::bus::Bus;
use super::journal::Reason;
use super::vrrp::{Ability, Fault, State, VirtualRouter, Vrrp};
use crate::config::Config;
use crate::config::ids::{GroupId, Id, InstanceId};
use crate::time::Instant;

/// What a group has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Not all members are known yet.
    #[default]
    Init,
    /// All members are BACKUP.
    Backup,
    /// All members are MASTER.
    Master,
    /// All members are in FAULT, this one for a reason of its own.
    Fault(InstanceId),
}

/// One group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupState {
    /// What it has come to.
    pub standing: Standing,
    /// Since when.
    pub since: Instant,
}

/// All groups.
#[derive(Debug)]
pub struct Groups {
    table: Box<[GroupState]>,
}

impl Groups {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let blank = GroupState { standing: Standing::Init, since: now };
        Self { table: vec![blank; config.groups.len()].into_boxed_slice() }
    }

    /// The group; one of which nothing is known for an id of another configuration.
    pub fn get(&self, id: GroupId) -> GroupState {
        let blank = GroupState { standing: Standing::Init, since: Instant::ZERO };
        self.table.get(id.index()).copied().unwrap_or(blank)
    }

    /// A member changed: the group is weighed again, and whoever is not where it goes is told.
    pub(crate) fn member_changed(
        &mut self,
        now: Instant,
        id: GroupId,
        (config, vrrp): (&Config, &Vrrp),
        bus: &mut Bus,
    ) {
        let members = config.groups.get(id.index()).map(|group| config.members_of(group)).unwrap_or_default();
        let Some(group) = self.table.get_mut(id.index()).filter(|_| !vrrp.is_stopping()) else { return };
        let standing = weigh(members, group.standing, vrrp);
        let changed = standing != group.standing;
        if changed {
            // A second member in FAULT is no news.
            let same = matches!((group.standing, standing), (Standing::Fault(_), Standing::Fault(_)));
            if !same && standing != Standing::Init {
                bus.record(now, Reason::GroupSynced(id, standing));
                group.since = now;
            }
            group.standing = standing;
        }
        for member in members {
            let router = vrrp.get(*member);
            // Its own fault is over: from now on it is there because of another one's.
            let freed = router.is_some_and(|it| {
                it.ability == Ability::Able && !matches!(it.state, State::Fault(Fault::Group(_)))
            });
            match (router.map(|router| router.state), standing) {
                (Some(State::Backup), Standing::Master) | (Some(State::Master), Standing::Backup) => {
                    bus.followers.insert(member.index());
                }
                (Some(State::Backup), Standing::Backup) | (Some(State::Master), Standing::Master) => {}
                (Some(State::Fault(_)), Standing::Fault(_)) if !changed && !freed => {}
                (Some(_), Standing::Init) if !changed => {}
                _ => bus.tracks.insert(member.index()),
            }
        }
    }

    /// Takes over what groups of the same name have come to. A new group of instances that are all MASTER is
    /// MASTER; an instance that is new in a group that is MASTER becomes it, too.
    pub(crate) fn adopt(
        &mut self,
        old: &Self,
        (before, config): (&Config, &Config),
        vrrp: &Vrrp,
        bus: &mut Bus,
    ) {
        for (row, (group, state)) in config.groups.iter().zip(&mut self.table).enumerate() {
            let id = GroupId::from_index(row);
            let name = config.texts.get(group.name);
            let known = before.groups.iter().position(|one| before.texts.get(one.name) == name);
            if let Some(known) = known.and_then(|known| old.table.get(known)) {
                *state = *known;
            }
            let states = || config.members_of(group).iter().filter_map(|id| Some(vrrp.get(*id)?.state));
            let masters = states().all(|state| state == State::Master)
                || state.standing == Standing::Master
                    && states().all(|state| matches!(state, State::Master | State::Init));
            state.standing = match state.standing {
                _ if masters => Standing::Master,
                Standing::Fault(_) | Standing::Init => Standing::Init,
                Standing::Backup | Standing::Master => Standing::Backup,
            };
            bus.group_changed(id);
        }
    }
}

/// What the members come to together.
fn weigh(members: &[InstanceId], before: Standing, vrrp: &Vrrp) -> Standing {
    let routers = || members.iter().filter_map(|id| vrrp.get(*id));
    let is =
        |ability: Ability| move |id: &&InstanceId| vrrp.get(**id).is_some_and(|it| it.ability == ability);
    if let Some(member) = members.iter().find(is(Ability::Unable)) {
        return Standing::Fault(*member);
    }
    // An instance that a reload added to a group that is MASTER holds nobody up.
    if before != Standing::Master && members.iter().any(|id| is(Ability::Unknown)(&id)) {
        return Standing::Init;
    }
    let gave_way = |router: &VirtualRouter| router.state == State::Backup && !router.wants;
    let stays = before == Standing::Master && !routers().any(gave_way);
    let could = |router: &VirtualRouter| router.state == State::Master || router.wants;
    if stays || routers().all(could) { Standing::Master } else { Standing::Backup }
}

#[cfg(test)]
mod tests;
