//! The kernel's sync daemons: without an instance both run, with one the master daemon runs while it is MASTER and the
//! backup daemon otherwise. Of the two rows the one that goes is stopped before the other is started; the kernel cannot
//! change a daemon in place, so that one with other parameters is stopped first, whoever started it.
//!
//! As long as no `lvs_sync_daemon` is configured, daemons are nobody's business here.

use super::IpvsPlan;
use crate::config::Config;
use crate::config::ids::{InstanceId, LinkId};
use crate::config::model::SyncDaemon;
use crate::director::action::{Action, Change, Epoch};
use crate::director::bus::Bus;
use crate::director::event::Errno;
use crate::director::journal::Reason;
use crate::director::ledger::{Gravity, Ledger, Settled, Stage};
use crate::director::links::Links;
use crate::director::vrrp::{State, Vrrp};
use crate::time::Instant;
use crate::wire::genl_ipvs::{DaemonEntry, DaemonRole, DaemonSpec, Request};

/// What decides whether a daemon is to run.
pub(crate) type Views<'a> = (&'a Vrrp, &'a Links);

/// One row for each role, in the order of [`DaemonRole::ALL`].
#[derive(Debug)]
pub(super) struct Daemons {
    pub(super) ledger: Ledger,
    pub(super) mirror: [Option<DaemonSpec>; 2],
    pub(super) configured: Option<SyncDaemon>,
}

impl Daemons {
    pub(super) fn new(config: &Config) -> Self {
        Self { ledger: Ledger::new(2), mirror: [None; 2], configured: config.global.sync_daemon }
    }

    /// True if daemons are to be looked at: ours run, or shall.
    pub(super) fn concern_us(&self) -> bool {
        self.configured.is_some() || self.mirror.iter().any(Option::is_some)
    }

    pub(super) fn has_work(&self) -> bool {
        !self.ledger.dirty.is_empty()
    }

    fn known(&self, role: DaemonRole) -> Option<DaemonSpec> {
        self.mirror.get(row(role)).copied().flatten()
    }

    fn know(&mut self, role: DaemonRole, spec: Option<DaemonSpec>) {
        if let Some(known) = self.mirror.get_mut(row(role)) {
            *known = spec;
        }
    }
}

/// Which roles run while the instance is in this state.
fn runs(role: DaemonRole, state: Option<State>) -> bool {
    match role {
        DaemonRole::Master => state == Some(State::Master),
        DaemonRole::Backup => state != Some(State::Master),
    }
}

pub(super) const fn row(role: DaemonRole) -> usize {
    match role {
        DaemonRole::Master => 0,
        DaemonRole::Backup => 1,
    }
}

impl IpvsPlan {
    /// What the kernel runs in a role, as far as we know.
    pub fn daemon(&self, role: DaemonRole) -> Option<DaemonSpec> {
        self.daemons.known(role)
    }

    /// The kernel's last error for a role.
    pub fn daemon_error(&self, role: DaemonRole) -> Option<Errno> {
        self.daemons.ledger.error(row(role))
    }

    /// What shall run in a role now: nothing while the interface is not there.
    pub(crate) fn daemon_wish(&self, role: DaemonRole, (vrrp, links): Views<'_>) -> Option<DaemonSpec> {
        let daemon = self.daemons.configured.filter(|_| !self.stopping)?;
        let wanted = daemon.instance.is_none_or(|id| runs(role, vrrp.get(id).map(|router| router.state)));
        (wanted && links.get(daemon.link).exists()).then_some(daemon.spec)
    }

    /// An instance changed its state.
    pub(crate) fn instance_changed(&mut self, id: InstanceId) {
        if self.daemons.configured.is_some_and(|daemon| daemon.instance == Some(id)) {
            self.daemons.ledger.mark_all();
        }
    }

    /// An interface came, went, or came up.
    pub(crate) fn link_changed(&mut self, id: LinkId) {
        if self.daemons.configured.is_some_and(|daemon| daemon.link == id) {
            self.daemons.ledger.mark_all();
        }
    }

    /// The next request: stops come first, and the kernel carries requests out in their order.
    pub(super) fn poll_daemon(&mut self, views: Views<'_>, bus: &Bus) -> Option<Action> {
        if !self.daemons.has_work() {
            return None;
        }
        let mut start = None;
        for role in DaemonRole::ALL {
            if self.daemons.ledger.stage(row(role)) != Stage::Ready {
                continue;
            }
            match (self.daemon_wish(role, views), self.daemons.known(role)) {
                (Some(wish), Some(known)) if wish.is_met_by(role, &known) => {}
                (_, Some(_)) => return Some(self.ask_daemon(role, Change::Remove, bus)),
                (Some(wish), None) => start = start.or(Some((role, wish))),
                (None, None) => {}
            }
        }
        if let Some((role, wish)) = start {
            self.daemons.know(role, Some(wish));
            return Some(self.ask_daemon(role, Change::Add, bus));
        }
        while self.daemons.ledger.dirty.pop().is_some() {}
        None
    }

    fn ask_daemon(&mut self, role: DaemonRole, change: Change, bus: &Bus) -> Action {
        self.daemons.ledger.sent(row(role), bus.epoch);
        Action::Daemon { epoch: bus.epoch, role, change }
    }

    pub(super) fn daemon_request(&self, role: DaemonRole, change: Change) -> Option<Request> {
        match change {
            Change::Remove => Some(Request::DelDaemon(role)),
            Change::Add | Change::Set => Some(Request::NewDaemon(role, self.daemons.known(role)?)),
        }
    }

    pub(super) fn daemon_answered(
        &mut self,
        now: Instant,
        role: DaemonRole,
        (change, epoch): (Change, Epoch),
        result: Result<(), Errno>,
        bus: &mut Bus,
    ) -> Settled {
        let asked = self.daemons.known(role);
        let (outcome, mirror) = match (change, result) {
            (Change::Remove, Ok(()) | Err(Errno::ESRCH)) => (Ok(()), None),
            (Change::Add | Change::Set, Ok(())) => (Ok(()), asked),
            // One that we do not know is in the way: it is stopped, and ours is started.
            (Change::Add, Err(Errno::EEXIST | Errno::LOST)) => (Ok(()), asked.map(unlike)),
            (Change::Set | Change::Remove, Err(Errno::LOST)) => (Ok(()), asked.map(unlike)),
            (Change::Add, Err(errno)) => (Err((errno, Gravity::Transient)), None),
            (Change::Set | Change::Remove, Err(errno)) => (Err((errno, Gravity::Transient)), asked),
        };
        let first = self.daemon_error(role) != result.err();
        let settled = self.daemons.ledger.answered(row(role), epoch, outcome);
        if settled == Settled::Stale {
            bus.stale_total += 1;
            return settled;
        }
        self.daemons.know(role, mirror);
        // What is stopped makes room for what is started.
        self.daemons.ledger.mark(row(other(role)));
        match (outcome, result) {
            (Err((errno, _)), _) if first => bus.record(now, Reason::DaemonFailed(role, change, errno)),
            (Ok(()), Ok(())) => bus.record(now, Reason::DaemonChanged(role, change)),
            _ => {}
        }
        settled
    }

    /// A dump shows a daemon.
    pub(crate) fn handle_daemon(
        &mut self,
        now: Instant,
        entry: &DaemonEntry,
        config: &Config,
        bus: &mut Bus,
    ) {
        let row = row(entry.role);
        if !self.daemons.ledger.see(row) || matches!(self.daemons.ledger.stage(row), Stage::InFlight(_)) {
            return;
        }
        let (known, spec) = (self.daemons.known(entry.role), Some(entry.spec));
        self.daemons.know(entry.role, spec);
        // What was asked for leaves the length to the kernel.
        if known.is_some_and(|known| known.is_met_by(entry.role, &entry.spec)) {
            return;
        }
        if !self.audit.first_pass_pending() {
            self.drift(now, Reason::DaemonDiffers(entry.role), config, bus);
        }
        self.allow_daemon(row);
    }

    /// The dump of daemons ended.
    pub(super) fn end_daemons(&mut self, now: Instant, config: &Config, bus: &mut Bus) {
        for role in DaemonRole::ALL {
            if self.daemons.known(role).is_some() && self.daemons.ledger.proven_absent(row(role)) {
                self.daemons.know(role, None);
                if !self.audit.first_pass_pending() {
                    self.drift(now, Reason::DaemonMissing(role), config, bus);
                }
                self.allow_daemon(row(role));
            }
        }
    }
}

fn other(role: DaemonRole) -> DaemonRole {
    match role {
        DaemonRole::Master => DaemonRole::Backup,
        DaemonRole::Backup => DaemonRole::Master,
    }
}

/// No daemon has this port: one that runs with unknown parameters differs from every wish.
fn unlike(spec: DaemonSpec) -> DaemonSpec {
    DaemonSpec { port: 0, ..spec }
}

#[cfg(test)]
mod tests;
