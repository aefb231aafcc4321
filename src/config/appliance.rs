//! `appliance` and `interface`: what keepalived leaves to the distribution. Only PID 1 acts on it.
//!
//! Inside these blocks several keywords may share a line.

use super::address::{AddressDraft, network};
use super::codes::{INTERFACE as SAME, LIMIT, SETTING};
use super::model::{Appliance, Interface, Vlan};
use super::own;
use super::rows::{integer, link, list, words};
use super::track::VariableDraft;
use crate::limits::{MAX_APPLIANCE_ROWS, MAX_INTERFACE_ADDRESSES, MAX_LINKS};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::{Context, Given, Keyword, Line, NodeId, Position, Table, Walk};
use crate::wire::link::LinkName;
use crate::wire::nftables::firewall::FirewallRule;

/// `appliance` as written.
#[derive(Debug, Default)]
pub(super) struct ApplianceDraft {
    given: bool,
    hostname: Box<str>,
    consoles: Vec<(Box<str>, u32)>,
    sysctls: Vec<(Box<str>, Box<str>)>,
    modules: Vec<Box<str>>,
    /// The block of `own.rs` that is being read; it shares this draft: every further type of draft is code for the walk
    /// again.
    pub(super) own: own::Draft,
    /// `ping_group` blocks.
    pub(super) pings: Vec<own::Draft>,
    /// `firewall`.
    pub(super) firewall: Vec<Given<FirewallRule>>,
    /// `real_server_role`, if there is one.
    pub(super) role: Option<Vec<AddressDraft>>,
    pub(super) tunnel: bool,
    /// Top-level `track_file` blocks; the last one is being read.
    pub(super) variables: Vec<VariableDraft>,
}

pub(super) static APPLIANCE: Table<ApplianceDraft> = Table { name: "appliance", rows: &[APPLIANCE_ROWS] };
pub(super) static INTERFACE: Table<Interface> = Table { name: "interface", rows: &[INTERFACE_ROWS] };

const APPLIANCE_ROWS: &[Keyword<ApplianceDraft>] = &[
    words("hostname|none|name of the box", "a name of letters, digits, `-` and `.`", hostname),
    words(
        "console|the board's|a serial console: device and speed",
        "a device such as ttyS0, and its speed",
        console,
    ),
    list("sysctl|none|kernel settings: name and value", sysctl),
    list("modules|none|kernel modules beyond the board's own", module),
    words(
        "console_password|none|password of the console, as a hash|later",
        "a hash that begins with `$pbkdf2`",
        |_, line| own::console_password(line),
    ),
    words(
        "watchdog|none|hardware watchdog that reboots a box that hangs|later",
        "seconds from 1 to 3600, and `identity NAME`",
        |_, line| own::watchdog(line),
    ),
    words(
        "syslog|none|address and port of a host that gets the log|later",
        "an IP address, and a port from 1 to 65535",
        |_, line| own::syslog(line),
    ),
];

const INTERFACE_ROWS: &[Keyword<Interface>] = &[
    words(
        "address|none|an address of the interface; several allowed",
        "an address such as 192.0.2.11/24",
        address,
    ),
    // 68 is what IPv4 needs (RFC 791 section 3.2); the device's own limits are the kernel's to know.
    integer("mtu|the device's|largest packet, in bytes", 68, 65_535, |b, given| b.mtu = Some(given.value)),
    words("vlan|none|makes the interface a VLAN of another one", "`ID parent INTERFACE`", vlan),
    words("bond|none|makes the interface a bond of others|later", "a mode such as 802.3ad", |_, line| {
        own::bond(line)
    }),
    words(
        "member|none|an interface of the bond; several allowed|later",
        "the name of an interface",
        |_, line| own::member(line),
    ),
];

impl ApplianceDraft {
    pub(super) fn finish(self) -> Appliance {
        Appliance {
            given: self.given,
            hostname: self.hostname,
            consoles: self.consoles.into(),
            sysctls: self.sysctls.into(),
            modules: self.modules.into(),
        }
    }
}

/// Reads an `appliance` block; a second one adds to the first.
pub(super) fn read(cx: &mut Context<'_>, node: NodeId, draft: &mut ApplianceDraft) {
    cx.line(node).end();
    draft.given = true;
    Walk::shared(cx, node, &APPLIANCE, draft);
}

/// Reads an `interface` block.
pub(super) fn read_interface(cx: &mut Context<'_>, node: NodeId, interfaces: &mut Vec<Interface>) {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let Some(name) = link(&mut line) else { return };
    line.end();
    let mut interface = Interface { name: name.value, addresses: Box::default(), mtu: None, vlan: None };
    Walk::shared(cx, node, &INTERFACE, &mut interface);
    if interfaces.iter().any(|other| other.name == interface.name) {
        return cx.error(
            SAME,
            at,
            format_args!("interface {} has a block already", interface.name),
            format_args!("write all of it in one block; this one is left out"),
        );
    }
    if interface.vlan.is_some_and(|vlan| vlan.parent == interface.name) {
        return cx.error(
            SAME,
            at,
            format_args!("VLAN {} is its own parent", interface.name),
            format_args!("name the interface that carries it; the block is left out"),
        );
    }
    if room(cx, at, (interfaces.len(), MAX_LINKS), "interfaces") {
        interfaces.push(interface);
    }
}

fn room(cx: &mut Context<'_>, at: Position, (held, limit): (usize, usize), what: &str) -> bool {
    if held < limit {
        return true;
    }
    cx.error(
        LIMIT,
        at,
        format_args!("more than {limit} {what}"),
        format_args!("this is the limit; what is beyond is left out"),
    );
    false
}

fn hostname(draft: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    let fits = word.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    // HOST_NAME_MAX of the kernel is 64 bytes.
    if fits && (1..=64).contains(&word.text.len()) {
        draft.hostname = word.text.as_ref().into();
    } else {
        line.invalid(&word, "a name of up to 64 letters, digits, `-` and `.`");
    }
}

fn console(draft: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    const DEFAULT_BAUD: u32 = 115_200;
    let Some(word) = line.word() else { return };
    if LinkName::new(&word.text).is_none() {
        line.invalid(&word, "a device of /dev such as ttyS0");
        return line.rest();
    }
    // `115200n8`, as the kernel's command line has it, is meant as a speed and is none.
    let number = line.peek().is_some_and(|word| word.text.starts_with(|first: char| first.is_ascii_digit()));
    let baud = if number {
        line.integer(300, 4_000_000).map_or(DEFAULT_BAUD, |given| given.value)
    } else {
        DEFAULT_BAUD
    };
    if room(line.cx, word.at, (draft.consoles.len(), MAX_APPLIANCE_ROWS), "consoles") {
        draft.consoles.push((word.text.as_ref().into(), baud));
    }
}

fn sysctl(draft: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    let Some(name) = line.word() else { return };
    let Some(first) = line.need("its value") else { return };
    let mut value = first.text.into_owned();
    while let Some(word) = line.word() {
        value.push(' ');
        value.push_str(&word.text);
    }
    if !is_setting(&name.text) {
        return line.cx.error(
            SETTING,
            name.at,
            format_args!("{} is no name of a kernel setting", Quoted(&name.text)),
            format_args!("write one such as net.ipv4.ip_forward; the line is left out"),
        );
    }
    if room(line.cx, name.at, (draft.sysctls.len(), MAX_APPLIANCE_ROWS), "kernel settings") {
        draft.sysctls.push((name.text.as_ref().into(), value.into()));
    }
}

/// The name becomes a path below `/proc/sys`.
fn is_setting(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-');
    name.bytes().all(known)
        && name.contains(['.', '/'])
        && name.split(['.', '/']).all(|part| !part.is_empty())
}

fn module(draft: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    while let Some(word) = line.word() {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !word.text.bytes().all(known) {
            line.invalid(&word, "the name of a kernel module");
        } else if room(line.cx, word.at, (draft.modules.len(), MAX_APPLIANCE_ROWS), "modules") {
            draft.modules.push(word.text.replace('-', "_").into());
        }
    }
}

fn address(interface: &mut Interface, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    let Some((address, prefix)) = network(line, &word) else {
        return line.invalid(&word, "an address such as 192.0.2.11/24");
    };
    let prefix = prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
    if room(line.cx, word.at, (interface.addresses.len(), MAX_INTERFACE_ADDRESSES), "addresses") {
        let mut addresses = core::mem::take(&mut interface.addresses).into_vec();
        addresses.push((address, prefix));
        interface.addresses = addresses.into();
    }
}

fn vlan(interface: &mut Interface, line: &mut Line<'_, '_>) {
    let Some(id) = line.integer(1, 4_094) else { return line.rest() };
    if !line.take("parent") {
        let Some(word) = line.need("`parent INTERFACE`") else { return };
        line.invalid(&word, "`parent INTERFACE`");
        return line.rest();
    }
    if let (Some(parent), Ok(id)) = (link(line), u16::try_from(id.value)) {
        interface.vlan = Some(Vlan { id, parent: parent.value });
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    fn errors(text: &str) -> Vec<String> {
        load(text, "f").diagnostics.iter().map(|found| found.message().to_owned()).collect()
    }

    #[test]
    fn several_keywords_share_a_line_in_blocks_of_ours() {
        let text = "appliance { hostname lb1  console ttyS0  console ttyS1 9600  sysctl { net.ipv4.ip_forward 1 }\n\
            modules { softdog usb-storage } }\n\
            interface eth0 { address 192.0.2.11/24  address 2001:db8::11/64  mtu 1400 }\n\
            interface eth0.100 { vlan 100 parent eth0   address 198.51.100.11/24 }\n";
        assert_eq!(errors(text), [""; 0]);
        let config = load(text, "f").config.unwrap();
        let appliance = &config.appliance;
        assert!(appliance.given && &*appliance.hostname == "lb1");
        assert_eq!(&*appliance.consoles, [("ttyS0".into(), 115_200), ("ttyS1".into(), 9_600)]);
        assert_eq!(&*appliance.sysctls, [("net.ipv4.ip_forward".into(), "1".into())]);
        assert_eq!(&*appliance.modules, ["softdog".into(), "usb_storage".into()]);
        let [first, second] = &*config.interfaces else { panic!("{:?}", config.interfaces) };
        assert_eq!((first.addresses.len(), first.mtu, first.vlan), (2, Some(1_400), None));
        let vlan = second.vlan.unwrap();
        assert_eq!((vlan.id, vlan.parent.as_str(), second.addresses.len()), (100, "eth0", 1));
    }

    #[test]
    fn mistakes_in_blocks_of_ours_are_named_once_each() {
        for (text, expected) in [
            ("interface eth0 { adress 192.0.2.1/24 mtu 9 }", "unknown keyword `adress` in `interface`"),
            (
                "interface eth0 { mtu 9 address 192.0.2.1 }",
                "mtu: `9` is out of range, not a number from 68 to 65535",
            ),
            ("interface eth0 { address 192.0.2.1/33 }", "`33` is no prefix length: 32 is used"),
            ("interface v { vlan 5 eth0 }", "vlan: `eth0` is not `parent INTERFACE`"),
            ("interface v { vlan 5 parent v }", "VLAN v is its own parent"),
            ("interface e { }\ninterface e { }", "interface e has a block already"),
            ("appliance { sysctl { ../etc 1 } }", "`../etc` is no name of a kernel setting"),
            (
                "appliance { hostname a_b }",
                "hostname: `a_b` is not a name of up to 64 letters, digits, `-` and `.`",
            ),
            ("appliance { hostname }", "`hostname` lacks its value"),
            ("appliance { sysctl a 1 }", "`sysctl` opens a block: expected `{`"),
            ("appliance { hostname a { b } }", "`hostname` has no block"),
        ] {
            assert_eq!(errors(text), [expected], "{text}");
        }
    }
}
