//! Lines about IPVS as a whole, and about the kernel's sync daemons, for which keepalived has none.

use super::{Reason, Severity, Teller, Text};
use crate::director::action::Change;
use crate::director::event::Errno;
use crate::wire::genl_ipvs::DaemonRole;

/// `EINVAL`: besides nonsense, what the kernel says of services with real servers of the other family
/// (`ip_vs_genl_new_daemon`).
const MIXED: Errno = Errno::EINVAL;

#[expect(clippy::wildcard_enum_match_arm, reason = "`tell` of the whole sends only these here")]
pub(super) fn tell(teller: &mut Teller<'_>, reason: &Reason) {
    let config = teller.names.0.global.sync_daemon;
    match *reason {
        Reason::IpvsAbsent(errno) => absent(teller, errno),
        Reason::IpvsFound => {
            let line = format_args!("IPVS is there: comparing its table with the configuration");
            teller.say(Severity::Info, line);
        }
        Reason::IpvsSetupFailed(errno) => {
            let line = format_args!("IPVS timeouts or flush: {}; going on without", Text(errno.0));
            teller.say(Severity::Error, line);
        }
        Reason::DaemonChanged(role, Change::Remove) => {
            teller.say(Severity::Info, format_args!("IPVS sync daemon: {} stopped", role.name()));
        }
        Reason::DaemonChanged(role, _) => {
            let (Some(daemon), role) = (config, role.name()) else { return };
            let (link, id) = (daemon.spec.link, daemon.spec.id);
            teller.say(Severity::Info, format_args!("IPVS sync daemon: {role} started on {link}, id {id}"));
        }
        Reason::DaemonFailed(role, change, errno) => failed(teller, role, change, errno),
        Reason::DaemonMissing(role) => {
            let line = format_args!("IPVS sync daemon: {} was stopped by somebody", role.name());
            teller.say(Severity::Warning, format_args!("{line}: setting it right"));
        }
        Reason::DaemonDiffers(role) => {
            let line = format_args!("IPVS sync daemon: {} runs otherwise than configured", role.name());
            teller.say(Severity::Warning, format_args!("{line}: setting it right"));
        }
        _ => {}
    }
}

fn absent(teller: &mut Teller<'_>, errno: Errno) {
    let line = format_args!("IPVS is not available: {} (is the module ip_vs loaded?)", Text(errno.0));
    teller.say(Severity::Error, line);
    teller.say(
        Severity::Error,
        format_args!("No virtual server is installed until it is; VRRP goes on, next look in 5 s"),
    );
}

fn failed(teller: &mut Teller<'_>, role: DaemonRole, change: Change, errno: Errno) {
    let verb = if change == Change::Remove { "stop" } else { "start" };
    let line = format_args!("{verb} IPVS sync daemon ({}): {}; tried again", role.name(), Text(errno.0));
    teller.say(Severity::Error, line);
    if errno == MIXED {
        let why = "real servers of another family than their service";
        teller.say(Severity::Error, format_args!("The kernel has no sync daemon beside {why}"));
    }
}
