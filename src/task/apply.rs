//! Carries out the director's actions, and decides nothing: each goes to the file that owns its socket.
//!
//! One poll takes at most 64 actions, and of each kind as many as its socket takes now: netlink batches follow the
//! time of the last send (`batch`). Adverts come first because the director lists them first.

use std::rc::Rc;

use super::meter::Work;
use super::shell::Shell;
use super::{adverts, answers, ipvs, nftables, route, slots};
use crate::director::action::{Action, Actions, Budget, Dump};
use crate::kernel::{clock, sysctl};
use crate::limits::MAX_BATCH;

/// Polls the director once. True if there was anything to do.
pub(super) fn poll(shell: &Rc<Shell>) -> bool {
    let (ipvs, slots) = (shell.ipvs.borrow(), shell.slots.borrow());
    let budget = Budget {
        route: shell.route.borrow().room(),
        ipvs: ipvs.room(),
        announcements: MAX_BATCH,
        probes: slots.room(!ipvs.outstanding.is_empty()),
        probes_meanwhile: slots.room(true),
    };
    drop((ipvs, slots));
    let mut actions = Actions::new();
    shell.director.borrow_mut().poll_actions(clock::now(), budget, &mut actions);
    let (mut to_route, mut to_ipvs) = (Actions::new(), Actions::new());
    for action in &actions {
        // Neither can overflow: each holds a part of `actions`, which has the same capacity.
        let _ = match kind(*action) {
            Kind::Frame => {
                shell.meter.measure(Work::Adverts, || send(shell, *action));
                Ok(())
            }
            Kind::Route => {
                promote(shell, *action);
                to_route.push(*action)
            }
            Kind::Ipvs => to_ipvs.push(*action),
            Kind::Other => {
                start(shell, *action);
                Ok(())
            }
        };
    }
    answers::send(shell, &route::CHANNEL, &to_route);
    answers::send(shell, &ipvs::CHANNEL, &to_ipvs);
    !actions.is_empty()
}

/// Sends the adverts that are due and nothing else: the farewells before a reload.
pub(super) fn departures(shell: &Shell) {
    let nothing = Budget { route: 0, ipvs: 0, announcements: 0, probes: 0, probes_meanwhile: 0 };
    let mut actions = Actions::new();
    loop {
        actions.clear();
        shell.director.borrow_mut().poll_actions(clock::now(), nothing, &mut actions);
        let adverts = actions.iter().filter(|action| kind(**action) == Kind::Frame);
        adverts.for_each(|action| send(shell, *action));
        if !actions.is_full() {
            return;
        }
    }
}

/// Which way an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frame,
    Route,
    Ipvs,
    Other,
}

const fn kind(action: Action) -> Kind {
    match action {
        Action::SendAdvert { .. } | Action::Announce { .. } => Kind::Frame,
        Action::AddAddress { .. } | Action::RemoveAddress { .. } | Action::Routing { .. } => Kind::Route,
        Action::FindIpvs { .. }
        | Action::SetTimeouts { .. }
        | Action::FlushIpvs { .. }
        | Action::ReadTimeouts { .. }
        | Action::Daemon { .. }
        | Action::Service { .. }
        | Action::Destination { .. } => Kind::Ipvs,
        Action::OpenSocket { .. }
        | Action::CloseSocket { .. }
        | Action::Dump { .. }
        | Action::Probe { .. }
        | Action::AbortProbe { .. }
        | Action::Filter { .. }
        | Action::Firewall { .. } => Kind::Other,
    }
}

/// `promote_secondaries`: without it the kernel removes all addresses of a network with its first one
/// (`__inet_del_ifa` in net/ipv4/devinet.c). Once for many addresses of one interface.
fn promote(shell: &Shell, action: Action) {
    let Some((index, name)) = shell.director.borrow().promotes(action) else { return };
    if shell.promoted.replace(index) == index {
        return;
    }
    if let Err(error) = sysctl::set(&format!("net/ipv4/conf/{name}/promote_secondaries"), "1") {
        log::warn!("{error}: an address that the kernel drops is put back");
    }
}

fn send(shell: &Shell, action: Action) {
    if let Action::Announce { address } = action {
        adverts::announce(shell, action, address);
    } else {
        adverts::send(shell, action);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "`kind` sends the rest another way")]
fn start(shell: &Rc<Shell>, action: Action) {
    match action {
        Action::OpenSocket { link, channel, .. } => {
            shell.meter.measure(Work::Adverts, || adverts::open(shell, action, link, channel));
        }
        Action::CloseSocket { link, channel } => adverts::close(shell, link, channel),
        Action::Dump { what: Dump::Links | Dump::Addresses | Dump::Routes | Dump::Rules, .. } => {
            answers::dump(shell, &route::CHANNEL, action)
        }
        Action::Dump { what: Dump::Services | Dump::Destinations(_) | Dump::Daemons, .. } => {
            answers::dump(shell, &ipvs::CHANNEL, action);
        }
        Action::Probe { epoch, slot, probe, step } => {
            slots::begin(shell, slot, slots::Job { epoch, probe, step });
        }
        Action::AbortProbe { slot } => slots::abort(shell, slot),
        Action::Filter { step, .. } => nftables::apply(shell, action, step),
        Action::Firewall { part, step, .. } => nftables::apply_firewall(shell, action, (part, step)),
        _ => {}
    }
}
