//! The own part of a check through a virtual address (`via_vip`): where it comes from, and which failures are ours.
//!
//! Nothing is kept: what is asked of the kernel is asked for each check, since addresses come and go.

use core::net::SocketAddr;

use rustix::io::Errno as Code;

use crate::check::{Failure, Verdict};
use crate::config::Config;
use crate::config::model::{Probe, VirtualAddress};
use crate::kernel::error::number;
use crate::kernel::sysctl;
use crate::kernel::via::{any, dropping_link, is_local, source_towards};
use crate::wire::errno::{BACKUP_ONLY, ONLY_VIRTUAL, REPLIES_DROPPED};
use crate::wire::link::LinkName;

/// The address and port that a probe is to come from; nothing if the kernel may choose. To a virtual address that is
/// here it would speak from that same one or from any of its interface, so it is asked for the way to the real server.
pub(super) fn source(probe: &Probe, config: &Config) -> Result<Option<SocketAddr>, Verdict> {
    let Some(bind) = &probe.bind else { return Ok(None) };
    let (Some(via), given) = (bind.via, bind.source) else { return Ok(bind.source) };
    // With a sync daemon the packet would pass IPVS by, and the MASTER would balance it (`sysctl_backup_only`).
    if sysctl::is_set("net.ipv4.vs.backup_only") && !is_local(probe.address) {
        return Err(Verdict::Local { errno: BACKUP_ONLY });
    }
    let (ip, port) = given.map_or((any(via.server), 0), |given| (given.ip(), given.port()));
    if !ip.is_unspecified() {
        return Ok(given);
    }
    let own = source_towards(via.server).map_err(|code| Verdict::Local { errno: number(code) })?;
    let virtual_one = |one: &VirtualAddress| one.instance.is_some() && one.address == own;
    if own == probe.address || config.addresses.iter().any(virtual_one) {
        return Err(Verdict::Local { errno: ONLY_VIRTUAL });
    }
    Ok(Some(SocketAddr::new(own, port)))
}

/// The verdict on the real server: without a route to the virtual address, or where the kernel drops what comes from
/// it, it is not the server that failed.
pub(super) fn judge(probe: &Probe, verdict: Verdict) -> Verdict {
    const UNREACHABLE: u16 = 101;
    let Some(via) = probe.bind.as_ref().and_then(|bind| bind.via) else { return verdict };
    debug_assert_eq!(number(Code::NETUNREACH), UNREACHABLE);
    match verdict {
        Verdict::Fail(Failure::Connect { errno: UNREACHABLE }) => Verdict::Local { errno: UNREACHABLE },
        Verdict::Fail(Failure::ConnectTimeout)
            if is_local(probe.address) && dropping_link(via.server).is_some() =>
        {
            Verdict::Local { errno: REPLIES_DROPPED }
        }
        Verdict::Pass { .. } | Verdict::Fail(_) | Verdict::Local { .. } => verdict,
    }
}

/// Servers looked at before there is a failure: they are in few networks, and each costs some system calls.
const SOME: usize = 32;

/// Names the interfaces that would drop the replies to such checks, before a takeover shows it.
pub(super) fn warn(config: &Config) {
    let mut told: Vec<LinkName> = Vec::new();
    let hidden = config.destinations.iter().skip(config.written_destinations().len());
    for destination in hidden.take(SOME) {
        let Some(link) = dropping_link(destination.key.address).filter(|link| !told.contains(link)) else {
            continue;
        };
        told.push(link);
        log::warn!(
            "via_vip: as MASTER no check gets its reply on {link}: set net.ipv4.conf.{link}.accept_local to 1 and \
             rp_filter, of `all` too, to 0"
        );
    }
}
