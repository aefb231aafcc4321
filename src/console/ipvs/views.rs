//! The other layouts of the kernel's table, byte for byte as ipvsadm 1.31 prints them: counters, rates, thresholds,
//! templates, tunnels, and the lines of `ipvsadm -Sn`; and which services are meant.

use core::fmt::{self, Write};
use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU32;

use super::{
    Endpoint, HEAD, ONE_PACKET, PERSISTENT, destination_line, flag_names, forward, mask, service_line, word,
};
use crate::console::json::{Object, Shown};
use crate::wire::genl_ipvs::{
    DestinationEntry, DestinationSpec, Family, ForwardingMethod, PersistenceEngine, Protocol, ServiceEntry,
    ServiceKey, Stats, TimeoutValues, Tunnel,
};

/// What of the table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `ipvsadm -Ln`.
    Plain,
    /// `--stats`.
    Stats,
    /// `--rate`.
    Rate,
    /// `--thresholds`.
    Thresholds,
    /// `--persistent-conn`.
    Persistent,
    /// `--tun-info`.
    Tunnels,
    /// `ipvsadm -Sn`.
    Save,
    /// `ipvsadm -Lnc`: no part of the table.
    Connections,
    /// `--timeout`.
    Timeouts,
    /// `--daemon`.
    Daemon,
}

/// What an operator asked for behind the name of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// The services; `None` for all.
    pub wanted: Option<Wanted>,
    /// Counters with all of their digits.
    pub exact: bool,
}

/// A service as an operator names it: of any protocol, or of any family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `192.0.2.100:80`, `[2001:db8::1]:80`.
    Endpoint(SocketAddr),
    /// `fwmark 7`.
    Mark(NonZeroU32),
}

impl Selection {
    /// From the words of a command, in any order.
    ///
    /// # Errors
    /// A word that is none of them.
    pub fn parse(words: &str) -> Result<Self, &str> {
        let mut selection = Self::default();
        let mut words = words.split(' ').filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let wanted = match word {
                "exact" => {
                    selection.exact = true;
                    continue;
                }
                "fwmark" => words.next().and_then(|mark| mark.parse().ok()).map(Wanted::Mark),
                _ => word.parse().ok().map(Wanted::Endpoint),
            };
            if wanted.is_none() || selection.wanted.is_some() {
                return Err(word);
            }
            selection.wanted = wanted;
        }
        Ok(selection)
    }

    /// True for a service that is meant.
    pub fn takes(&self, key: &ServiceKey) -> bool {
        match (self.wanted, *key) {
            (None, _) => true,
            (Some(Wanted::Endpoint(wanted)), ServiceKey::Address { address, port, .. }) => {
                wanted == SocketAddr::new(address, port)
            }
            (Some(Wanted::Mark(wanted)), ServiceKey::Mark { mark, .. }) => wanted == mark,
            (Some(_), _) => false,
        }
    }

    /// The same for the virtual address of a connection.
    pub fn takes_address(&self, address: IpAddr, port: u16) -> bool {
        match self.wanted {
            None => true,
            Some(Wanted::Endpoint(wanted)) => wanted == SocketAddr::new(address, port),
            Some(Wanted::Mark(_)) => false,
        }
    }
}

impl Wanted {
    /// Every key that is meant.
    pub fn keys(self) -> heapless::Vec<ServiceKey, 3> {
        match self {
            Self::Endpoint(at) => [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
                .into_iter()
                .map(|protocol| ServiceKey::Address { protocol, address: at.ip(), port: at.port() })
                .collect(),
            Self::Mark(mark) => [Family::Inet, Family::Inet6]
                .into_iter()
                .map(|family| ServiceKey::Mark { mark, family })
                .collect(),
        }
    }
}

/// What to say of a word that [`Selection::parse`] refused.
pub fn no_selection(out: &mut dyn Write, word: &str) -> fmt::Result {
    writeln!(out, "`{word}` is no service: write 192.0.2.100:80, [2001:db8::1]:80 or fwmark 7")
}

/// The lines above the table.
pub fn title(out: &mut dyn Write, view: View) -> fmt::Result {
    let columns = match view {
        View::Plain => return out.write_str(HEAD),
        View::Tunnels => {
            return out.write_str(concat!(
                "Prot LocalAddress:Port Scheduler Flags\n",
                "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
            ));
        }
        View::Stats => "   Conns   InPkts  OutPkts  InBytes OutBytes",
        View::Rate => "     CPS    InPPS   OutPPS    InBPS   OutBPS",
        View::Thresholds => "Uthreshold Lthreshold ActiveConn InActConn ",
        View::Persistent => "Weight    PersistConn ActiveConn InActConn ",
        View::Save | View::Connections | View::Timeouts | View::Daemon => return Ok(()),
    };
    writeln!(out, "{:<33} {columns}\n  -> RemoteAddress:Port", "Prot LocalAddress:Port")
}

/// A service in a view.
pub fn service(
    out: &mut dyn Write,
    (view, exact): (View, bool),
    entry: &ServiceEntry,
    stats: &Stats,
) -> fmt::Result {
    let row = match view {
        View::Stats => &stats.totals,
        View::Rate => &stats.rates,
        View::Save => return save_service(out, entry),
        View::Plain
        | View::Thresholds
        | View::Persistent
        | View::Tunnels
        | View::Connections
        | View::Timeouts
        | View::Daemon => return service_line(out, entry),
    };
    let mut name: heapless::String<64> = heapless::String::new();
    match entry.key {
        ServiceKey::Address { protocol, address, port } => {
            write!(name, "{:<4} {}", word(protocol), Endpoint(address, port))?;
        }
        ServiceKey::Mark { mark, family } => {
            let suffix = if family == Family::Inet6 { " IPv6" } else { "" };
            write!(name, "FWM  {}{suffix}", mark.get().cast_signed())?;
        }
    }
    write!(out, "{name:<33}")?;
    row.iter().try_for_each(|number| write!(out, "{}", Large(*number, exact)))?;
    out.write_char('\n')
}

/// A destination of a service in a view.
pub fn destination(
    out: &mut dyn Write,
    (view, exact): (View, bool),
    key: &ServiceKey,
    entry: &DestinationEntry,
    stats: &Stats,
) -> fmt::Result {
    let mut name: heapless::String<64> = heapless::String::new();
    write!(name, "{}", Endpoint(entry.key.address, entry.key.port))?;
    let DestinationSpec { method, weight, upper, lower } = entry.spec;
    let (active, inactive) = (entry.active, entry.inactive);
    match view {
        View::Stats => {
            write!(out, "  -> {name:<28}")?;
            stats.totals.iter().try_for_each(|number| write!(out, "{}", Large(*number, exact)))?;
            out.write_char('\n')
        }
        View::Rate => {
            let [connections, packets_in, packets_out, bytes @ ..] = &stats.rates;
            write!(out, "  -> {name:<28} {connections:>8} {packets_in:>8} {packets_out:>8}")?;
            bytes.iter().try_for_each(|number| write!(out, "{}", Large(*number, exact)))?;
            out.write_char('\n')
        }
        View::Thresholds => {
            writeln!(out, "  -> {name:<28} {upper:<10} {lower:<10} {active:<10} {inactive:<10}")
        }
        View::Persistent => {
            let persistent = entry.persistent;
            writeln!(out, "  -> {name:<28} {weight:<9} {persistent:<11} {active:<10} {inactive:<10}")
        }
        View::Tunnels => {
            let mut tunnel: heapless::String<16> = heapless::String::new();
            write!(tunnel, "{}", TunnelInfo(method))?;
            let (method, weight) = (forward(method), weight.cast_signed());
            write!(out, "  -> {name:<28} {method:<7} {tunnel:<13} {weight:<6} ")?;
            writeln!(out, "{active:<10} {inactive:<10}")
        }
        View::Save => save_destination(out, key, &name, &entry.spec),
        View::Plain | View::Connections | View::Timeouts | View::Daemon => destination_line(out, entry),
    }
}

/// Counters of a view as members of an open JSON object.
pub(super) fn json_counters(object: &mut Object<'_>, view: View, stats: &Stats) -> fmt::Result {
    let (name, row) = if view == View::Stats {
        ("stats", &stats.totals)
    } else if view == View::Rate {
        ("rate", &stats.rates)
    } else {
        return Ok(());
    };
    object.object(name, |object| {
        let names = ["connections", "packets_in", "packets_out", "bytes_in", "bytes_out"];
        names.into_iter().zip(row).try_for_each(|(name, number)| object.field(name, *number))
    })
}

/// A counter as ipvsadm shortens it: eight digits, then thousands, millions and so on.
struct Large(u64, bool);

impl fmt::Display for Large {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        let (divisor, unit) = match number {
            _ if self.1 => {
                // At least one blank, however long it is.
                return write!(f, " {number:>8}");
            }
            0..100_000_000 => return write!(f, "{number:>9}"),
            100_000_000..1_000_000_000 => (1_000, 'K'),
            1_000_000_000..100_000_000_000 => (1_000_000, 'M'),
            100_000_000_000..100_000_000_000_000 => (1_000_000_000, 'G'),
            _ => (1_000_000_000_000, 'T'),
        };
        write!(f, "{:>8}{unit}", number / divisor)
    }
}

/// `n/a`, `ipip`, `gue:6080:+c`.
pub(super) struct TunnelInfo(pub(super) ForwardingMethod);

impl fmt::Display for TunnelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ForwardingMethod::Tunnel(Tunnel { kind, port, flags }) = self.0 else {
            return f.write_str("n/a");
        };
        let sum = match flags {
            1 => "+c",
            2 => "r+c",
            _ => "-c",
        };
        match kind {
            0 => f.write_str("ipip"),
            1 => write!(f, "gue:{port}:{sum}"),
            _ => write!(f, "gre:{sum}"),
        }
    }
}

/// `-t 10.0.0.1:80`, `-f 7 -6`.
struct Switch<'a>(&'a ServiceKey);

impl fmt::Display for Switch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            ServiceKey::Address { protocol, address, port } => {
                let switch = match protocol {
                    Protocol::Tcp => "-t",
                    Protocol::Udp => "-u",
                    Protocol::Sctp => "--sctp-service",
                };
                write!(f, "{switch} {}", Endpoint(address, port))
            }
            ServiceKey::Mark { mark, family } => {
                let suffix = if family == Family::Inet6 { " -6" } else { "" };
                write!(f, "-f {}{suffix}", mark.get().cast_signed())
            }
        }
    }
}

fn save_service(out: &mut dyn Write, entry: &ServiceEntry) -> fmt::Result {
    let spec = &entry.spec;
    write!(out, "-A {} -s {}", Switch(&entry.key), spec.scheduler)?;
    let mut before = " -b ";
    for name in flag_names(spec) {
        write!(out, "{before}{name}")?;
        before = ",";
    }
    if spec.flags & PERSISTENT != 0 {
        write!(out, " -p {}", spec.timeout)?;
        match entry.key.family() {
            Family::Inet if spec.netmask < 32 => write!(out, " -M {}", mask(spec.netmask))?,
            Family::Inet6 if spec.netmask != 128 => write!(out, " -M {}", spec.netmask)?,
            Family::Inet | Family::Inet6 => {}
        }
        if spec.engine == Some(PersistenceEngine::Sip) {
            out.write_str(" --pe sip")?;
        }
    }
    out.write_str(if spec.flags & ONE_PACKET == 0 { "\n" } else { " -o\n" })
}

/// Thresholds stand at the end if there are any: `ipvsadm -S` forgets them.
fn save_destination(
    out: &mut dyn Write,
    key: &ServiceKey,
    name: &str,
    spec: &DestinationSpec,
) -> fmt::Result {
    let switch = match spec.method {
        ForwardingMethod::Masquerade => "-m",
        ForwardingMethod::Tunnel(_) => "-i",
        ForwardingMethod::Local | ForwardingMethod::DirectRoute | ForwardingMethod::Bypass => "-g",
    };
    write!(out, "-a {} -r {name} {switch} -w {}", Switch(key), spec.weight)?;
    if let ForwardingMethod::Tunnel(Tunnel { kind, port, flags }) = spec.method {
        let sum = match flags {
            1 => "--tun-csum",
            2 => "--tun-remcsum",
            _ => "--tun-nocsum",
        };
        match kind {
            0 => out.write_str(" --tun-type ipip")?,
            1 => write!(out, " --tun-type gue --tun-port {port} {sum}")?,
            _ => write!(out, " --tun-type gre {sum}")?,
        }
    }
    for (switch, threshold) in [("-x", spec.upper), ("-y", spec.lower)] {
        if threshold > 0 {
            write!(out, " {switch} {threshold}")?;
        }
    }
    out.write_char('\n')
}

/// `ipvsadm -L --timeout`.
pub fn timeouts(out: &mut dyn Write, [tcp, fin, udp]: TimeoutValues) -> fmt::Result {
    writeln!(out, "Timeout (tcp tcpfin udp): {tcp} {fin} {udp}")
}

/// The same in JSON.
pub fn timeouts_json(out: &mut dyn Write, [tcp, fin, udp]: TimeoutValues) -> fmt::Result {
    writeln!(out, r#"{{"tcp":{tcp},"tcp_fin":{fin},"udp":{udp}}}"#)
}

/// One line of `ipvsadm -L --daemon`.
pub fn daemon(out: &mut dyn Write, entry: &crate::wire::genl_ipvs::DaemonEntry) -> fmt::Result {
    let (role, spec) = (entry.role.name(), &entry.spec);
    write!(out, "{role} sync daemon (mcast={}, syncid={}, maxlen={}", spec.link, spec.id, spec.maxlen)?;
    writeln!(out, ", group={}, port={}, ttl={})", spec.group, spec.port, spec.ttl)
}

/// The same in JSON.
pub fn daemon_json(out: &mut dyn Write, entry: &crate::wire::genl_ipvs::DaemonEntry) -> fmt::Result {
    let spec = &entry.spec;
    let mut object = Object::begin(out)?;
    object.field("role", entry.role.name())?;
    object.field("interface", spec.link.as_str())?;
    object.field("id", spec.id)?;
    object.field("maxlen", spec.maxlen)?;
    object.field("group", Shown(spec.group))?;
    object.field("port", spec.port)?;
    object.field("ttl", spec.ttl)?;
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_shortened_as_ipvsadm_does() {
        let shown = |number, exact| Large(number, exact).to_string();
        assert_eq!(shown(7, false), "        7");
        assert_eq!(shown(99_999_999, false), " 99999999");
        assert_eq!(shown(100_000_000, false), "  100000K");
        assert_eq!(shown(1_000_000_000, false), "    1000M");
        assert_eq!(shown(100_000_000_000, false), "     100G");
        assert_eq!(shown(u64::MAX, false), "18446744T");
        assert_eq!(shown(7, true), "        7");
        assert_eq!(shown(123_456_789, true), " 123456789");
        assert_eq!(shown(u64::MAX, true), " 18446744073709551615");
    }

    #[test]
    fn a_service_is_named_by_its_address_or_its_mark() {
        let tcp: ServiceKey =
            ServiceKey::Address { protocol: Protocol::Tcp, address: "192.0.2.1".parse().unwrap(), port: 80 };
        let mark = ServiceKey::Mark { mark: NonZeroU32::new(7).unwrap(), family: Family::Inet6 };
        for (words, address, by_mark) in
            [("", true, true), ("exact 192.0.2.1:80", true, false), ("fwmark 7 exact", false, true)]
        {
            let selection = Selection::parse(words).unwrap();
            assert_eq!((selection.takes(&tcp), selection.takes(&mark)), (address, by_mark), "{words}");
            assert_eq!(selection.exact, words.contains("exact"));
        }
        for (words, wrong) in [
            ("nonsense", "nonsense"),
            ("fwmark", "fwmark"),
            ("fwmark 0", "fwmark"),
            ("192.0.2.1:80 [::1]:80", "[::1]:80"),
        ] {
            assert_eq!(Selection::parse(words), Err(wrong));
        }
    }
}
