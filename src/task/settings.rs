//! Kernel settings and tunnels that a `real_server_role` needs, in either way to run: they are set before its addresses
//! come, at start and at a reload, and are not put back, since the machine may need them for other reasons by then.
//!
//! What `sysctl` of the configuration says wins. All other settings are the appliance's (`boot`).

use crate::config::Config;
use crate::kernel::link::Links;
use crate::kernel::sysctl;
use crate::wire::link::LinkName;

/// The host must neither answer for an address that it has on lo only, nor ask from it: the director alone speaks for it
/// (`arp_ignore`, `arp_announce` in the kernel's networking/ip-sysctl). The larger one of `all` and the interface counts.
const SILENT: [(&str, &str); 2] =
    [("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2")];

const TUNL0: &str = "tunl0";
/// What comes out of the tunnel is the client's, who is reached another way: a strict filter of the whole host would drop
/// it, and the larger one of `all` and the interface counts. Even the loose one drops all that comes by an interface without
/// an address (`__fib_validate_source` in net/ipv4/fib_frontend.c), which is why the addresses stand on the tunnel.
const LOOSE: &str = "net.ipv4.conf.tunl0.rp_filter";

fn module(device: &str) -> &'static str {
    if device == TUNL0 { "ipip" } else { "ip6_tunnel" }
}

/// Sets what `config` needs.
pub(super) fn set(config: &Config) {
    if config.role.is_none() {
        return;
    }
    for (name, value) in SILENT {
        put(config, name, value);
    }
    for device in config.tunnels() {
        if device == TUNL0 {
            put(config, LOOSE, "2");
        }
        let name = LinkName::new(device).unwrap_or_default();
        match Links::open().and_then(|mut links| links.set_up(name)) {
            Ok(()) => log::info!("{device} is set up for real_server_role"),
            Err(error) => log::error!("{error} (is the module {} loaded?)", module(device)),
        }
    }
}

fn put(config: &Config, name: &str, value: &str) {
    let own = config.appliance.sysctls.iter().any(|(own, _)| &**own == name);
    if own || sysctl::has(name, value) {
        return;
    }
    match sysctl::set(name, value) {
        Ok(()) => log::info!("{name} is set to {value} for real_server_role"),
        Err(error) => log::error!("{error}: real_server_role needs it"),
    }
}
