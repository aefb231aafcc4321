//! Services and instances that do not go together: directors that send each other's packets in circles, checks that
//! wait for an address whose instance waits for the checks.

use core::net::IpAddr;

use super::build::Tables;
use super::codes::{LOOP, SUSPEND};
use super::ids::Id;
use super::instance::InstanceDraft;
use super::model::{Instance, TrackTarget, Transport};
use crate::syntax::{Context, Position};
use crate::wire::genl_ipvs::ServiceKey;

/// Looks at an instance, all services being known.
pub(super) fn look(instance: &Instance, draft: &InstanceDraft, tables: &Tables, cx: &mut Context<'_>) {
    if matches!(instance.transport, Transport::Unicast { .. }) {
        for peer in &draft.peers {
            circle("the peer", peer.address.value, peer.address.at, tables, cx);
        }
    }
    if let Some(own) = draft.source {
        circle("this director", own.value, own.at, tables, cx);
    }
    for address in draft.addresses.iter().chain(&draft.excluded) {
        circle("the virtual address", address.address, address.at, tables, cx);
    }
    let trackers = tables.trackers.get(instance.trackers.start as usize..).unwrap_or(&[]);
    for tracker in trackers {
        let TrackTarget::Service(id) = tracker.target else { continue };
        let Some(service) = tables.services.get(id.index()).filter(|service| service.suspend) else {
            continue;
        };
        let ServiceKey::Address { address, .. } = service.key else { continue };
        if draft.addresses.iter().chain(&draft.excluded).any(|one| one.address == address) {
            cx.warn(
                SUSPEND,
                draft.at,
                format_args!("VS {} has ha_suspend and is tracked by the instance of its address", service.key),
                format_args!(
                    "when it is lost here its checks rest with the address: it never returns; drop one of the two"
                ),
            );
        }
    }
}

/// A director that is a real server in DR or TUN and has the service itself balances the packet once more.
fn circle(who: &str, address: IpAddr, at: Position, tables: &Tables, cx: &mut Context<'_>) {
    let Some(service) = tables.direct.get(&address).and_then(|(_, id)| tables.services.get(id.index()))
    else {
        return;
    };
    cx.warn(
        LOOP,
        at,
        format_args!("{who} is a real server of VS {} in DR or TUN: packets may circle", service.key),
        format_args!(
            "set net.ipv4.vs.backup_only 1 with a sync daemon (PID 1 does), or balance to other hosts"
        ),
    );
}
