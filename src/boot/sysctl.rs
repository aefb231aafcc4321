//! Kernel settings a director needs, with their reasons. The configuration's own come last and win.

use core::fmt::Write;

use super::{Boot, Report};
use crate::config::Config;
use crate::kernel::sysctl;

/// A setting.
struct Row {
    name: &'static str,
    value: &'static str,
    /// What goes wrong without it.
    reason: &'static str,
    owner: Owner,
}

/// What needs a setting; without it the kernel's own value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The box itself.
    Box,
    /// Virtual addresses that come and go.
    Vrrp,
    /// Packets that are handed on.
    Services,
    /// Packets that are handed on as they are, to what may be the other director.
    Direct,
    /// Checks through virtual addresses.
    Via,
}

impl Owner {
    fn is_used(self, config: &Config) -> bool {
        match self {
            Self::Box => true,
            Self::Vrrp => !config.instances.is_empty(),
            Self::Services => !config.services.is_empty() || config.masquerades(),
            Self::Direct => config.forwards_unchanged() && config.hidden == 0,
            Self::Via => config.hidden > 0,
        }
    }
}

const fn row(owner: Owner, name: &'static str, value: &'static str, reason: &'static str) -> Row {
    Row { name, value, reason, owner }
}

const PANIC: &str = "a box that hangs in an error of its kernel does not hand over";
const PROMOTE: &str =
    "removing the first address of a subnet would take the virtual ones of the same subnet with it";
const ARP: &str =
    "an address is answered for on its own interface only, and never asked from with a virtual address";
const ROUTER: &str =
    "addresses and routes are configured: an advertisement of somebody else's must not add to them";
const FORWARD: &str = "packets of real servers that come back through the box are forwarded";
const REDIRECTS: &str = "clients and real servers on one network would be told to bypass the box";
const NEIGHBOURS: &str =
    "each real server and client on a connected network takes an entry, and 1,024 is the kernel's end";
const REPLIES: &str =
    "on the MASTER the replies to checks with via_vip come from an address that is here as well";

const CIRCLE: &str =
    "a standby that runs the backup sync daemon and is a real server, too, would balance packets once more";

const PRINTK: &str =
    "the kernel's messages would stand in the line that is being typed; a panic's are shown all the same";

/// All settings. `conf.all` and `conf.default` both: the one counts for interfaces that exist, the other for those to
/// come.
const TABLE: &[Row] = &[
    row(Owner::Box, "kernel.printk", "1", PRINTK),
    row(Owner::Box, "kernel.panic", "3", PANIC),
    row(Owner::Box, "kernel.panic_on_oops", "1", PANIC),
    row(Owner::Box, "net.ipv6.conf.all.accept_ra", "0", ROUTER),
    row(Owner::Box, "net.ipv6.conf.default.accept_ra", "0", ROUTER),
    row(Owner::Vrrp, "net.ipv4.conf.all.promote_secondaries", "1", PROMOTE),
    row(Owner::Vrrp, "net.ipv4.conf.default.promote_secondaries", "1", PROMOTE),
    row(Owner::Vrrp, "net.ipv4.conf.all.arp_ignore", "1", ARP),
    row(Owner::Vrrp, "net.ipv4.conf.default.arp_ignore", "1", ARP),
    row(Owner::Vrrp, "net.ipv4.conf.all.arp_announce", "2", ARP),
    row(Owner::Vrrp, "net.ipv4.conf.default.arp_announce", "2", ARP),
    row(Owner::Services, "net.ipv4.ip_forward", "1", FORWARD),
    row(Owner::Services, "net.ipv6.conf.all.forwarding", "1", FORWARD),
    row(Owner::Services, "net.ipv4.conf.all.send_redirects", "0", REDIRECTS),
    row(Owner::Services, "net.ipv4.conf.default.send_redirects", "0", REDIRECTS),
    row(Owner::Services, "net.ipv4.neigh.default.gc_thresh1", "4096", NEIGHBOURS),
    row(Owner::Services, "net.ipv4.neigh.default.gc_thresh2", "16384", NEIGHBOURS),
    row(Owner::Services, "net.ipv4.neigh.default.gc_thresh3", "32768", NEIGHBOURS),
    row(Owner::Services, "net.ipv6.neigh.default.gc_thresh3", "32768", NEIGHBOURS),
    row(Owner::Direct, "net.ipv4.vs.backup_only", "1", CIRCLE),
    row(Owner::Via, "net.ipv4.conf.all.accept_local", "1", REPLIES),
    row(Owner::Via, "net.ipv4.conf.default.accept_local", "1", REPLIES),
    row(Owner::Via, "net.ipv4.conf.all.rp_filter", "0", REPLIES),
    row(Owner::Via, "net.ipv4.conf.default.rp_filter", "0", REPLIES),
];

/// Sets what the configuration uses, then what it says.
pub(super) fn set(boot: &mut Boot, report: &mut Report) {
    let mut count = 0;
    for row in TABLE.iter().filter(|row| row.owner.is_used(&boot.config)) {
        match sysctl::set(row.name, row.value) {
            Ok(()) => count += 1,
            Err(error) => report.problem(format_args!("{error} ({})", row.reason)),
        }
    }
    let own = &boot.config.appliance.sysctls;
    let mut configured = 0;
    for (name, value) in own {
        match sysctl::set(name, value) {
            Ok(()) => configured += 1,
            Err(error) => report.problem(error),
        }
    }
    let _ = write!(report.done, "{count} needed, {configured} configured");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_follows_from_what_the_configuration_uses() {
        let names = |config: &Config| -> Vec<&str> {
            TABLE.iter().filter(|row| row.owner.is_used(config)).map(|row| row.name).collect()
        };
        let service = "virtual_server 192.0.2.1 80 {\nprotocol TCP\nreal_server 192.0.2.2 80 {\n}\n}\n";
        let config = crate::config::load(service, "f").config.unwrap();
        assert!(names(&config).contains(&"net.ipv4.ip_forward"));
        assert!(!names(&config).contains(&"net.ipv4.conf.all.arp_ignore"));
        assert!(!names(&Config::default()).contains(&"net.ipv4.ip_forward"));
        assert!(names(&Config::default()).contains(&"kernel.panic"));
        assert!(!names(&config).contains(&"net.ipv4.conf.all.accept_local"));
        let through = service
            .replace("real_server", "lb_kind DR\nvia_vip\nreal_server")
            .replace("80 {\n}", "80 {\nTCP_CHECK {\n}\n}");
        let config = crate::config::load(&through, "f").config.unwrap();
        assert!(names(&config).contains(&"net.ipv4.conf.all.accept_local"), "{through}");
    }

    #[test]
    fn every_setting_stands_once_and_says_why() {
        for (place, row) in TABLE.iter().enumerate() {
            assert!(TABLE.iter().skip(place + 1).all(|other| other.name != row.name), "{}", row.name);
            assert!(row.reason.len() > 20);
        }
    }
}
