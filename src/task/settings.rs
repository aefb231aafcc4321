//! Kernel settings that a `real_server_role` needs, in either way to run: they are set before its addresses come, at start
//! and at a reload, and are not put back, since the machine may need them for other reasons by then.
//!
//! What `sysctl` of the configuration says wins. All other settings are the appliance's (`boot`).

use crate::config::Config;
use crate::kernel::sysctl;

/// The host must neither answer for an address that it has on lo only, nor ask from it: the director alone speaks for it
/// (`arp_ignore`, `arp_announce` in the kernel's networking/ip-sysctl). The larger one of `all` and the interface counts.
const SILENT: [(&str, &str); 2] =
    [("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2")];

/// Sets what `config` needs.
pub(super) fn set(config: &Config) {
    if config.role.is_none() {
        return;
    }
    for (name, value) in SILENT {
        let own = config.appliance.sysctls.iter().any(|(own, _)| &**own == name);
        if own || sysctl::has(name, value) {
            continue;
        }
        match sysctl::set(name, value) {
            Ok(()) => log::info!("{name} is set to {value} for real_server_role"),
            Err(error) => log::error!("{error}: other hosts may send to this one what is the director's"),
        }
    }
}
