//! Every setting of the kernel that a configuration wants, with its value, owner and reason: one table, a function of
//! the configuration and of what was counted ([`super::needs`]). The appliance sets them, a daemon sets its own and
//! warns of limits, `show sysctl` shows them all. What `sysctl` of the configuration says wins and comes last.
//!
//! Kernel: Documentation/networking/ip-sysctl and ipvs-sysctl.

use core::fmt;

use super::Config;
use super::needs::Needs;

/// What stands for the limit of descriptors (getrlimit(2)), which is the process's and no file below `/proc/sys`.
pub const DESCRIPTORS: &str = "RLIMIT_NOFILE";
/// Switched off for many destinations.
pub const ESTIMATION: &str = "net.ipv4.vs.run_estimation";
/// A parameter of the module, given when it is loaded, and no file below `/proc/sys`.
pub const TABLE_BITS: &str = "ip_vs.conn_tab_bits";
/// The figure of this name is also told by netlink, where the setting is not there: in network namespaces but the
/// first.
pub const NEIGHBOURS: [&str; 2] = ["net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"];

/// The kernel's own `gc_thresh3`.
const USUAL_NEIGHBOURS: u32 = 1_024;
/// The kernel's own `conn_tab_bits`.
const USUAL_BITS: u32 = 12;
/// Ports below are for others (`ip_unprivileged_port_start`).
const FIRST_PORT: u32 = 1_024;
/// The kernel's own range begins here.
const USUAL_PORT: u32 = 32_768;
const LAST_PORT: u32 = 65_535;

/// A setting and what it is wanted to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish<'a> {
    /// As for sysctl(8), or [`DESCRIPTORS`].
    pub name: &'a str,
    /// What is wanted.
    pub value: Value<'a>,
    /// Who wants it.
    pub owner: Owner,
    /// What it is for, or what goes wrong without.
    pub reason: &'static str,
}

/// What is wanted. Displays as what is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// This; what the kernel says besides does not matter.
    Is(&'a str),
    /// This or more; with less it works worse.
    Better(u32),
    /// This or more; with less something fails.
    AtLeast(u32),
    /// A range of at least so many ports.
    Ports(u32),
}

/// Who wants a setting; without it the kernel's own value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The box itself.
    Box,
    /// The process.
    Process,
    /// `real_server_role`.
    Role,
    /// Its tunnel over IPv4.
    Tunnel,
    /// Virtual addresses that come and go.
    Vrrp,
    /// Packets that are handed on.
    Services,
    /// Packets that are handed on as they are, to what may be the other director.
    Direct,
    /// Checks through virtual addresses.
    Via,
    /// So many services and destinations that the kernel does too much for their rates.
    Many,
    /// Checks.
    Checks,
    /// What makes the kernel track connections.
    Tracking,
    /// `sysctl` of the configuration.
    Sysctl,
    /// As many connections as real servers take.
    Table,
}

impl Owner {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Process => "process",
            Self::Role | Self::Tunnel => "real_server_role",
            Self::Vrrp => "vrrp",
            Self::Services | Self::Many | Self::Table => "services",
            Self::Direct => "direct",
            Self::Via => "via",
            Self::Checks => "checks",
            Self::Tracking => "conntrack",
            Self::Sysctl => "sysctl",
        }
    }

    /// True if whoever runs sets it: a daemon, too.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Process | Self::Role | Self::Tunnel)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }

    fn is_used(self, config: &Config, needs: &Needs) -> bool {
        const CONNTRACK: &str = "net.ipv4.vs.conntrack";
        match self {
            Self::Box | Self::Process => true,
            Self::Sysctl => false,
            Self::Role => config.role.is_some(),
            Self::Tunnel => config.tunnels().any(|device| device == "tunl0"),
            Self::Vrrp => !config.instances.is_empty(),
            Self::Services => !config.services.is_empty() || config.masquerades(),
            Self::Direct => config.forwards_unchanged() && config.hidden == 0,
            Self::Via => config.hidden > 0,
            Self::Many => needs.too_many_estimators(),
            Self::Table => needs.table_bits() > USUAL_BITS,
            Self::Checks => needs.ports > 0,
            Self::Tracking => {
                let asked = |(name, value): &(Box<str>, Box<str>)| &**name == CONNTRACK && &**value != "0";
                config.masquerades() || config.appliance.sysctls.iter().any(asked)
            }
        }
    }
}

/// All that a configuration has something of, as a set of bits.
pub(super) fn owners(config: &Config, needs: &Needs) -> u16 {
    let used = TABLE.iter().filter(|row| row.owner.is_used(config, needs));
    used.fold(0, |bits, row| bits | row.owner.bit())
}

struct Row {
    owner: Owner,
    name: &'static str,
    wanted: Wanted,
    reason: &'static str,
}

enum Wanted {
    Is(&'static str),
    Better(fn(&Needs) -> u32),
    AtLeast(fn(&Needs) -> u32),
    Ports(fn(&Needs) -> u32),
}

const fn row(owner: Owner, name: &'static str, value: &'static str, reason: &'static str) -> Row {
    Row { owner, name, wanted: Wanted::Is(value), reason }
}

/// The smallest third threshold: half of the table for those that are always there, the rest for who may come and go.
fn neighbours(needs: &Needs, family: usize) -> u32 {
    let of = |figures: [u32; 2]| figures.get(family).copied().unwrap_or(0);
    of(needs.neighbours).saturating_mul(2).saturating_add(of(needs.hosts)).max(USUAL_NEIGHBOURS)
}

/// Below the first threshold nobody is forgotten: as many as are checked.
fn kept(needs: &Needs, family: usize) -> u32 {
    (neighbours(needs, family) / 8).max(needs.neighbours.get(family).copied().unwrap_or(0))
}

const PANIC: &str = "a box that hangs in an error of its kernel does not hand over";
const PRINTK: &str = "the kernel's messages would stand in the line that is being typed";
const ROUTER: &str = "addresses and routes are configured: others must not add to them";
const DESCRIBED: &str = "checks would wait for each other, and clients for all of them";
/// The director alone speaks for an address that this host has on lo only.
const SILENT: &str = "only the director answers for, and asks from, an address on lo";
/// What comes out of the tunnel is the client's, who is reached another way. Even the loose filter drops all that comes
/// by an interface without an address (`__fib_validate_source`), which is why the addresses stand on the tunnel.
const LOOSE: &str = "what comes out of the tunnel is sent by clients elsewhere";
const PROMOTE: &str = "removing the first address of a subnet would take virtual ones along";
const ARP: &str = "an address is answered for, and asked from, on its own interface";
const GROUPS: &str = "a socket that cannot join all groups of its interface is not opened";
const FORWARD: &str = "packets of real servers that come back through the box go on";
const REDIRECTS: &str = "clients and servers of one network would be told to bypass the box";
const FULL: &str = "healthy servers are not reached while the neighbour table is full";
const CIRCLE: &str = "a standby that is a real server, too, would balance packets again";
const REPLIES: &str = "on the MASTER replies to checks come from an address that is here, too";
const RATES: &str = "estimating so many makes adverts late (before Linux 6.2); rates read 0";
const PORTS: &str = "checks are not made while all ports to a server are in use";
const CHAINS: &str = "uthreshold lets in more connections; given when ip_vs is loaded";
const TRACKED: &str = "new connections are dropped while the table of tracked ones is full";

/// All settings. `conf.all` and `conf.default` both: the one counts for interfaces that exist, the other for those to
/// come. Of two rows for one setting the first one that is wanted counts.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    row(Owner::Box, "kernel.printk", "1", PRINTK),
    row(Owner::Box, "kernel.panic", "3", PANIC),
    row(Owner::Box, "kernel.panic_on_oops", "1", PANIC),
    row(Owner::Box, "net.ipv6.conf.all.accept_ra", "0", ROUTER),
    row(Owner::Box, "net.ipv6.conf.default.accept_ra", "0", ROUTER),
    row(Owner::Role, "net.ipv4.conf.all.arp_ignore", "1", SILENT),
    row(Owner::Role, "net.ipv4.conf.all.arp_announce", "2", SILENT),
    row(Owner::Tunnel, "net.ipv4.conf.tunl0.rp_filter", "2", LOOSE),
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
    row(Owner::Direct, "net.ipv4.vs.backup_only", "1", CIRCLE),
    row(Owner::Via, "net.ipv4.conf.all.accept_local", "1", REPLIES),
    row(Owner::Via, "net.ipv4.conf.default.accept_local", "1", REPLIES),
    row(Owner::Via, "net.ipv4.conf.all.rp_filter", "0", REPLIES),
    row(Owner::Via, "net.ipv4.conf.default.rp_filter", "0", REPLIES),
    row(Owner::Many, ESTIMATION, "0", RATES),
    Row { owner: Owner::Process, name: DESCRIPTORS, wanted: Wanted::AtLeast(Needs::descriptors), reason: DESCRIBED },
    Row { owner: Owner::Vrrp, name: "net.ipv4.igmp_max_memberships", wanted: Wanted::AtLeast(|needs| needs.memberships), reason: GROUPS },
    // From the third down: a smaller one must not be above a larger one while they are raised.
    Row { owner: Owner::Services, name: NEIGHBOURS[0], wanted: Wanted::AtLeast(|needs| neighbours(needs, 0)), reason: FULL },
    Row { owner: Owner::Services, name: "net.ipv4.neigh.default.gc_thresh2", wanted: Wanted::Better(|needs| neighbours(needs, 0) / 2), reason: FULL },
    Row { owner: Owner::Services, name: "net.ipv4.neigh.default.gc_thresh1", wanted: Wanted::Better(|needs| kept(needs, 0)), reason: FULL },
    Row { owner: Owner::Services, name: NEIGHBOURS[1], wanted: Wanted::AtLeast(|needs| neighbours(needs, 1)), reason: FULL },
    Row { owner: Owner::Services, name: "net.ipv6.neigh.default.gc_thresh2", wanted: Wanted::Better(|needs| neighbours(needs, 1) / 2), reason: FULL },
    Row { owner: Owner::Services, name: "net.ipv6.neigh.default.gc_thresh1", wanted: Wanted::Better(|needs| kept(needs, 1)), reason: FULL },
    Row { owner: Owner::Checks, name: "net.ipv4.ip_local_port_range", wanted: Wanted::Ports(|needs| needs.ports), reason: PORTS },
    // As many again for those of clients.
    Row { owner: Owner::Tracking, name: "net.netfilter.nf_conntrack_max", wanted: Wanted::AtLeast(|needs| needs.tracked.saturating_mul(2)), reason: TRACKED },
    Row { owner: Owner::Table, name: TABLE_BITS, wanted: Wanted::Better(Needs::table_bits), reason: CHAINS },
];

/// True for one setting: a name may have slashes for dots.
fn is_same(one: &str, other: &str) -> bool {
    let dot = |byte| if byte == b'/' { b'.' } else { byte };
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(one, other)| dot(one) == dot(other))
}

/// What a configuration wants.
pub const fn wishes<'a>(config: &'a Config, needs: &'a Needs) -> Wishes<'a> {
    Wishes { config, needs, next: 0 }
}

/// What a configuration wants, one after the other.
#[derive(Debug)]
pub struct Wishes<'a> {
    config: &'a Config,
    needs: &'a Needs,
    next: usize,
}

impl<'a> Iterator for Wishes<'a> {
    type Item = Wish<'a>;

    // Once in the binary, whoever goes through them.
    #[inline(never)]
    fn next(&mut self) -> Option<Wish<'a>> {
        let own = &self.config.appliance.sysctls;
        let is_wanted = |row: &Row| self.needs.owners & row.owner.bit() != 0;
        while let Some(row) = TABLE.get(self.next) {
            let before = TABLE.get(..self.next).unwrap_or(&[]);
            self.next += 1;
            let is_said = before.iter().any(|other| other.name == row.name && is_wanted(other))
                || own.iter().any(|(name, _)| is_same(name, row.name));
            if is_wanted(row) && !is_said {
                let value = match row.wanted {
                    Wanted::Is(value) => Value::Is(value),
                    Wanted::Better(need) => Value::Better(need(self.needs)),
                    Wanted::AtLeast(need) => Value::AtLeast(need(self.needs)),
                    Wanted::Ports(need) => Value::Ports(need(self.needs)),
                };
                return Some(Wish { name: row.name, value, owner: row.owner, reason: row.reason });
            }
        }
        let (name, value) = own.get(self.next - TABLE.len())?;
        self.next += 1;
        let reason = "as the configuration says";
        Some(Wish { name, value: Value::Is(value), owner: Owner::Sysctl, reason })
    }
}

impl Wish<'_> {
    /// True if that is how it is; `now` is what the kernel says.
    pub fn is_met(&self, now: &str) -> bool {
        let mut words = now.split_ascii_whitespace();
        let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
        match self.value {
            Value::Is(value) => {
                let mut now = now.split_ascii_whitespace();
                value.split_ascii_whitespace().all(|word| now.next() == Some(word))
            }
            // What is larger than a number here is no limit.
            Value::Better(need) | Value::AtLeast(need) => number().is_none_or(|now| now >= need),
            Value::Ports(need) => {
                let (low, high) = (number().unwrap_or(0), number().unwrap_or(LAST_PORT));
                (high + 1).saturating_sub(low) >= need
            }
        }
    }

    /// True if something fails or comes late where it is not met.
    pub fn is_limit(&self) -> bool {
        matches!(self.value, Value::AtLeast(_) | Value::Ports(_)) || self.owner == Owner::Many
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Is(value) => f.write_str(value),
            Self::Better(need) | Self::AtLeast(need) => write!(f, "{need}"),
            Self::Ports(need) => {
                let low = (LAST_PORT + 1).saturating_sub(need).clamp(FIRST_PORT, USUAL_PORT);
                write!(f, "{low} {LAST_PORT}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{load, needs};
    use super::*;

    /// Names and values of what a text wants.
    fn wanted(text: &str) -> Vec<(String, String)> {
        let config = load(text, "f").config.unwrap();
        let needs = needs::count(&config);
        wishes(&config, &needs).map(|wish| (wish.name.to_owned(), wish.value.to_string())).collect()
    }

    fn value(text: &str, name: &str) -> Option<String> {
        let mut found = wanted(text).into_iter().filter(|wish| wish.0 == name).map(|wish| wish.1);
        let value = found.next();
        assert_eq!(found.next(), None, "{name} once");
        value
    }

    #[test]
    fn own_value_counts_however_its_name_is_written() {
        let own = "appliance { sysctl { net/ipv4/ip_forward 0 } }\n".to_owned() + &service(1);
        assert_eq!(value(&own, "net/ipv4/ip_forward").as_deref(), Some("0"));
        assert_eq!(value(&own, "net.ipv4.ip_forward"), None);
        assert_eq!(value(&own, "net.ipv6.conf.all.forwarding").as_deref(), Some("1"));
    }

    fn service(servers: u32) -> String {
        let servers: String = (0..servers)
            .map(|row| format!("real_server 10.1.{}.{} 80 {{\n}}\n", row / 250, row % 250 + 1))
            .collect();
        format!("virtual_server 192.0.2.1 80 {{\nlb_kind NAT\nprotocol TCP\n{servers}}}\n")
    }

    #[test]
    fn what_is_wanted_follows_from_what_the_configuration_uses() {
        let has = |text: &str, name: &str| value(text, name).is_some();
        assert!(has(&service(1), "net.ipv4.ip_forward"));
        assert!(!has(&service(1), "net.ipv4.conf.all.arp_ignore"));
        assert!(!has("", "net.ipv4.ip_forward"));
        assert!(has("", "kernel.panic") && has("", DESCRIPTORS));
        assert!(!has(&service(1), "net.ipv4.conf.all.accept_local"));
        let through = service(1).replace("lb_kind NAT", "lb_kind DR\nvia_vip");
        let through = through.replace("80 {\n}", "80 {\nTCP_CHECK {\n}\n}");
        assert!(has(&through, "net.ipv4.conf.all.accept_local"), "{through}");
        assert!(!has(&service(1), "net.netfilter.nf_conntrack_max"));
        let masquerade = "firewall { masquerade from 10.1.0.0/24 out eth0 }\n";
        assert!(has(&(service(1) + masquerade), "net.netfilter.nf_conntrack_max"));
        let tracked = "appliance { sysctl { net.ipv4.vs.conntrack 1 } }\n";
        assert!(has(&(service(1) + tracked), "net.netfilter.nf_conntrack_max"));
    }

    #[test]
    fn the_table_of_neighbours_is_twice_the_servers_from_the_kernels_own_size_on() {
        let [name, _] = NEIGHBOURS;
        assert_eq!(value(&service(512), name).unwrap(), "1024");
        assert_eq!(value(&service(513), name).unwrap(), "1026");
        assert_eq!(value(&service(513), "net.ipv4.neigh.default.gc_thresh1").unwrap(), "513");
        assert_eq!(value(&service(513), "net.ipv4.neigh.default.gc_thresh2").unwrap(), "513");
        assert_eq!(value(&service(2), "net.ipv4.neigh.default.gc_thresh1").unwrap(), "128");
        let network = "interface eth0 { address 10.0.0.1/20 }\n";
        assert_eq!(value(&(service(10) + network), name).unwrap(), "4116");
    }

    #[test]
    fn rates_are_estimated_up_to_the_limit_and_not_beyond() {
        let most = u32::try_from(crate::limits::MAX_ESTIMATORS).unwrap() - 1;
        assert_eq!(value(&service(most), ESTIMATION), None);
        assert_eq!(value(&service(most + 1), ESTIMATION).unwrap(), "0");
    }

    #[test]
    fn the_table_of_connections_is_as_large_as_the_servers_let_in_from_the_kernels_own_size_on() {
        let bits = |upper: u32| {
            let limit = format!("80 {{\nuthreshold {upper}\n}}");
            value(&service(2).replace("80 {\n}", &limit), TABLE_BITS)
        };
        assert_eq!(bits(2_048), None, "4,096 connections");
        assert_eq!(bits(2_049).as_deref(), Some("13"));
        assert_eq!((bits(4_096).as_deref(), bits(4_097).as_deref()), (Some("13"), Some("14")));
        assert_eq!(bits(2_000_000_000).as_deref(), Some("20"), "no more can be asked for");
        assert_eq!(value(&service(2), TABLE_BITS), None);
    }

    #[test]
    fn what_the_configuration_says_wins_and_comes_last() {
        let text = service(600) + "appliance { sysctl { net.ipv4.neigh.default.gc_thresh3 700 } }\n";
        assert_eq!(value(&text, NEIGHBOURS[0]).unwrap(), "700");
        assert_eq!(wanted(&text).last().unwrap().0, NEIGHBOURS[0]);
    }

    #[test]
    fn a_wish_is_met_exactly_at_its_figure() {
        let met = |value, now| Wish { name: "n", value, owner: Owner::Box, reason: "" }.is_met(now);
        assert!(met(Value::Is("1"), "1\t4\t1\t7\n") && !met(Value::Is("1"), "10\n"));
        assert!(met(Value::Is("4096 87380"), "4096\t87380\n") && !met(Value::Is("1 2"), "1\n"));
        assert!(met(Value::AtLeast(20), "20\n") && !met(Value::AtLeast(21), "20\n"));
        assert!(met(Value::AtLeast(20), "99999999999\n"));
        assert!(met(Value::Ports(28_232), "32768\t60999\n") && !met(Value::Ports(28_233), "32768\t60999\n"));
        assert_eq!(Value::Ports(32_768).to_string(), "32768 65535");
        assert_eq!(Value::Ports(32_769).to_string(), "32767 65535");
        assert!(met(Value::Ports(32_769), "32767 65535"));
        assert_eq!(Value::Ports(70_000).to_string(), "1024 65535");
    }

    #[test]
    fn settings_of_two_owners_agree_and_each_says_why_on_a_line_of_the_screen() {
        for (place, row) in TABLE.iter().enumerate() {
            for other in TABLE.iter().skip(place + 1).filter(|other| other.name == row.name) {
                let (Wanted::Is(one), Wanted::Is(two)) = (&row.wanted, &other.wanted) else {
                    panic!("{}", row.name)
                };
                assert_eq!(one, two, "{}", row.name);
            }
            let line = row.owner.word().len() + 2 + row.reason.len();
            assert!(row.reason.len() > 20 && line <= 80, "{}: {line}", row.reason);
        }
    }
}
