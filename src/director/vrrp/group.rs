//! A virtual router in a sync group: it takes part only if all members can, wants to be MASTER until all want it, and
//! goes where its group goes. What the group decides is in `director/groups.rs`; the rules are keepalived's.

use super::{Condition, Fault, OWNER, State, Vrrp};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId};
use crate::config::model::Instance;
use crate::director::bus::{Bus, Timer};
use crate::director::groups::{Groups, Standing};
use crate::director::journal::{Entry, Reason};
use crate::time::Instant;

/// Whether an instance could take part if it were in no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Not known yet.
    Unknown,
    /// Its interfaces, its address and its socket are there.
    Able,
    /// Something is missing.
    Unable,
}

impl Vrrp {
    /// True once the box stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// What an instance's own condition comes to in its group.
    pub(super) fn join_group(
        &mut self,
        id: InstanceId,
        own: Condition,
        groups: &Groups,
        bus: &mut Bus,
    ) -> Condition {
        let Some(router) = self.table.get_mut(id.index()) else { return own };
        let Some(group) = router.group else { return own };
        let ability = match own {
            Condition::Good => Ability::Able,
            Condition::Bad(_) => Ability::Unable,
            // A socket that is opened anew, say, changes nothing by itself.
            Condition::Pending => router.ability,
        };
        if core::mem::replace(&mut router.ability, ability) != ability {
            bus.group_changed(group);
        }
        match own {
            // What the group makes of it comes next, and then this is asked again.
            Condition::Good if bus.groups.contains(group.index()) => Condition::Pending,
            Condition::Good => match groups.get(group).standing {
                Standing::Init => Condition::Pending,
                Standing::Fault(member) => Condition::Bad(Fault::Group(member)),
                Standing::Backup | Standing::Master => Condition::Good,
            },
            Condition::Bad(_) | Condition::Pending => own,
        }
    }

    /// The own fault is over, that of another member is not: no change of state.
    pub(super) fn blame(&mut self, id: InstanceId, fault: Fault) {
        if let Some(router) = self.table.get_mut(id.index()) {
            router.state = State::Fault(fault);
            router.why = Some(Reason::EnteredFault(id, fault));
        }
    }

    /// The master-down time of a BACKUP is over: true if it has to wait for the others of its group, which keeps two
    /// routers from being MASTER of one half each.
    pub(super) fn waits_for_group(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        bus: &mut Bus,
    ) -> bool {
        let Some(router) = self.table.get_mut(id.index()) else { return false };
        let Some(group) = router.group else { return false };
        bus.set(Timer::Protocol(id), now + router.master_down_interval(instance));
        if !core::mem::replace(&mut router.wants, true) {
            bus.record(now, Reason::MasterSilent(id));
            bus.group_changed(group);
        }
        true
    }

    /// A new BACKUP that waits for nobody but its group: the owner of the addresses, and an instance that a reload adds
    /// to a group that is MASTER.
    pub(super) fn stand(&mut self, id: InstanceId, before: State, groups: &Groups, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        let Some(group) = router.group else { return };
        let is_new = matches!(before, State::Init | State::Fault(_)) && router.state == State::Backup;
        if is_new && (router.priority == OWNER || groups.get(group).standing == Standing::Master) {
            router.wants = true;
            bus.group_changed(group);
        }
    }

    /// The group went to another state than the member's: the member goes there at once. Whoever leaves MASTER because
    /// of another member says no farewell, as with keepalived: the better router has taken over the whole group.
    pub(crate) fn follow_group(
        &mut self,
        now: Instant,
        id: InstanceId,
        (config, groups): (&Config, &Groups),
        bus: &mut Bus,
    ) {
        let Some(instance) = config.instances.get(id.index()).filter(|_| !self.stopping) else { return };
        let Some(router) = self.get(id) else { return };
        let Some(group) = router.group else { return };
        match (router.state, groups.get(group).standing) {
            (State::Backup, Standing::Master) => {
                let silent = router.wants && router.priority != OWNER;
                let why = if silent {
                    Reason::MasterSilent(id)
                } else {
                    Reason::GroupSynced(group, Standing::Master)
                };
                self.become_master(now, id, instance, why, bus);
            }
            (State::Master, Standing::Backup) => {
                let why = Reason::GroupSynced(group, Standing::Backup);
                self.become_backup(now, id, instance, (Entry::Defeated, why), bus);
                self.release(now, id, bus);
            }
            (State::Init | State::Fault(_) | State::Backup | State::Master, _) => {}
        }
    }
}
