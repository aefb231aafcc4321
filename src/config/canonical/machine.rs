//! `global_defs`, `appliance`, `interface` and `firewall`.

use core::fmt::{self, Display};

use super::page::{Page, is_plain};
use super::{Next, Passwords, Place, phase};
use crate::config::Config;
use crate::config::model::{Authentication, Interface, SyncDaemon, Timeouts};
use crate::time::Duration;
use crate::wire::genl_ipvs::DaemonSpec;
use crate::wire::nftables::firewall::FirewallRule;

/// What the text is, and `global_defs`.
pub(super) fn head(config: &Config, page: &mut Page<'_>) -> Next {
    page.out.write_str("# Effective values; what would be so without a line is a comment.\n")?;
    let secret = config.instances.iter().any(|it| it.authentication != Authentication::None);
    if secret && page.style.passwords == Passwords::Hidden {
        page.out
            .write_str("# Passwords are shown as ***: `lvsbox show-config FILE --passwords` has them.\n")?;
    }
    let global = &config.global;
    page.open(0, "global_defs", &"")?;
    if !global.router_id.is_empty() {
        page.line(1, "router_id", &page.word(config.texts.get(global.router_id)))?;
    }
    if global.timeouts != Timeouts::default() {
        page.line(1, "lvs_timeouts", &global.timeouts)?;
    }
    if global.flush_at_start {
        page.flag(1, "lvs_flush")?;
    }
    if global.flush_on_stop {
        page.flag(1, "lvs_flush_on_stop")?;
    }
    if let Some(daemon) = &global.sync_daemon {
        sync_daemon(config, daemon, page)?;
    }
    let (startup, boot) = (global.startup_delay, global.delay_after_boot);
    page.times(1, &[("vrrp_startup_delay", startup, Duration::ZERO)])?;
    page.times(1, &[("vrrp_delay_after_boot", boot, Duration::ZERO)])?;
    page.close(0)?;
    #[cfg(feature = "tls")]
    return Ok(Some(Place::at(phase::SSL, 0)));
    #[cfg(not(feature = "tls"))]
    Ok(Some(Place::at(phase::APPLIANCE, 0)))
}

/// Effective values, but a length that the kernel chooses.
fn sync_daemon(config: &Config, daemon: &SyncDaemon, page: &mut Page<'_>) -> fmt::Result {
    let DaemonSpec { link, id, maxlen, port, ttl, group } = &daemon.spec;
    let link = page.word(link.as_str());
    let rest = format_args!("id {id} port {port} ttl {ttl} group {group}");
    let length = core::fmt::from_fn(|f| if *maxlen > 0 { write!(f, " maxlen {maxlen}") } else { Ok(()) });
    match daemon.instance {
        Some(instance) => {
            let instance = page.word(config.instance_name(instance));
            page.line(1, "lvs_sync_daemon", &format_args!("{link} inst {instance} {rest}{length}"))
        }
        None => page.line(1, "lvs_sync_daemon", &format_args!("{link} {rest}{length}")),
    }
}

/// `SSL`, if files of it are in force.
#[cfg(feature = "tls")]
pub(super) fn ssl(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    let next = Ok(Some(Place::at(phase::APPLIANCE, 0)));
    let tls = &config.tls;
    if tls.ca.is_none() && tls.own.is_none() {
        return next;
    }
    if place.sub == 0 {
        page.gap()?;
        page.open(0, "SSL", &"")?;
        if let Some(file) = &tls.ca {
            page.line(1, "ca", &page.word(file))?;
        }
        return Ok(Some(place.next_sub()));
    }
    if let Some((certificate, key)) = &tls.own {
        page.line(1, "certificate", &page.word(certificate))?;
        page.line(1, "key", &page.word(key))?;
    }
    page.close(0)?;
    next
}

/// The words behind `lvs_timeouts`.
impl Display for Timeouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blank = "";
        for (name, seconds) in [("tcp", self.tcp), ("tcpfin", self.tcp_fin), ("udp", self.udp)] {
            if let Some(seconds) = seconds {
                write!(f, "{blank}{name} {seconds}")?;
                blank = " ";
            }
        }
        Ok(())
    }
}

/// One line of `appliance` or `interface`, or the head of a block.
pub(super) fn row(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    let appliance = &config.appliance;
    let next = |phase| Ok(Some(Place::at(phase, 0)));
    match place.phase {
        phase::APPLIANCE => {
            if !appliance.given {
                return next(phase::INTERFACE);
            }
            page.gap()?;
            page.open(0, "appliance", &"")?;
            if !appliance.hostname.is_empty() {
                page.line(1, "hostname", &page.word(&appliance.hostname))?;
            }
            next(phase::CONSOLE)
        }
        phase::CONSOLE => {
            let Some((device, baud)) = appliance.consoles.get(place.sub) else { return next(phase::SYSCTL) };
            page.line(1, "console", &format_args!("{} {baud}", page.word(device)))?;
            Ok(Some(place.next_sub()))
        }
        phase::SYSCTL => {
            let Some((name, value)) = appliance.sysctls.get(place.sub) else {
                end_list(place, page)?;
                return next(phase::MODULE);
            };
            start_list(place, "sysctl", page)?;
            let name = page.word(name);
            // Several words, as they are written mostly, or one that holds what the reader would stumble over.
            if value.len() <= page.style.longest && value.split(' ').all(is_plain) {
                page.line(2, "", &format_args!("{name} {value}"))?;
            } else {
                page.line(2, "", &format_args!("{name} {}", page.word(value)))?;
            }
            Ok(Some(place.next_sub()))
        }
        phase::MODULE => {
            let Some(module) = appliance.modules.get(place.sub) else {
                end_list(place, page)?;
                page.close(0)?;
                return next(phase::INTERFACE);
            };
            start_list(place, "modules", page)?;
            page.line(2, "", &page.word(module))?;
            Ok(Some(place.next_sub()))
        }
        phase::INTERFACE => {
            let Some(interface) = config.interfaces.get(place.row) else { return next(phase::FIREWALL) };
            open_interface(interface, page)?;
            Ok(Some(Place::at(phase::INTERFACE_ADDRESS, place.row)))
        }
        phase::FIREWALL => firewall(config, place, page),
        _ => {
            let interface = config.interfaces.get(place.row);
            let Some((address, prefix)) = interface.and_then(|it| it.addresses.get(place.sub)) else {
                page.close(0)?;
                return Ok(Some(Place::at(phase::INTERFACE, place.row + 1)));
            };
            page.line(1, "address", &format_args!("{address}/{prefix}"))?;
            Ok(Some(place.next_sub()))
        }
    }
}

/// A block with one item on each line, if there is one.
fn start_list(place: Place, keyword: &str, page: &mut Page<'_>) -> fmt::Result {
    if place.sub == 0 { page.open(1, keyword, &"") } else { Ok(()) }
}

fn end_list(place: Place, page: &mut Page<'_>) -> fmt::Result {
    if place.sub > 0 { page.close(1) } else { Ok(()) }
}

fn firewall(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    let Some(rule) = config.firewall.get(place.sub) else {
        if place.sub > 0 {
            page.close(0)?;
        }
        return Ok(Some(Place::at(phase::GARP_GROUP, 0)));
    };
    if place.sub == 0 {
        page.gap()?;
        page.open(0, "firewall", &"")?;
    }
    firewall_rule(rule, page)?;
    Ok(Some(place.next_sub()))
}

/// The name of an interface may need quotes.
fn firewall_rule(rule: &FirewallRule, page: &mut Page<'_>) -> fmt::Result {
    let plain = FirewallRule { link: None, ..*rule };
    match rule.link {
        Some(link) => page.line(1, "", &format_args!("{plain} out {}", page.word(link.as_str()))),
        None => page.line(1, "", &plain),
    }
}

fn open_interface(interface: &Interface, page: &mut Page<'_>) -> fmt::Result {
    page.gap()?;
    page.open(0, "interface", &page.word(interface.name.as_str()))?;
    if let Some(vlan) = interface.vlan {
        let parent = page.word(vlan.parent.as_str());
        page.line(1, "vlan", &format_args!("{} parent {parent}", vlan.id))?;
    }
    interface.mtu.map_or(Ok(()), |mtu| page.line(1, "mtu", &mtu))
}
