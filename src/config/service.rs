//! `virtual_server` and `real_server`: their keywords and the drafts that they fill.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;

use super::codes::{NO_SCHEDULER, NO_SERVERS, SORRY};
use super::manner::{Manner, SERVER_MANNER, SERVICE_MANNER};
use super::rows::{SCRIPTS, block, boolean, flag, idle, ignored, integer, words};
use super::service_group::{Entry, Groups};
use crate::check::keywords::{Draft, Pace, checkers, host, paces, refused};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, Value};
use crate::syntax::nearest::nearest;
use crate::syntax::{Context, Given, Keyword, Kind, Line, NodeId, Position, Table, Tree, Walk};
use crate::wire::genl_ipvs::{Family, ForwardingMethod, PersistenceEngine, Protocol, Scheduler, Tunnel};

/// Schedulers of the kernel (`net/netfilter/ipvs`).
pub(super) const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "sed", "nq", "fo", "ovf", "twos"];

/// What a service is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Address(IpAddr, u16),
    Mark(NonZeroU32),
}

/// A flag of a scheduler as written; `of` is empty if any scheduler may have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SchedulerFlag {
    pub(super) bit: u32,
    pub(super) of: &'static str,
    pub(super) at: Position,
}

/// A service as written.
#[derive(Debug)]
pub(super) struct ServiceDraft {
    pub(super) at: Position,
    /// All of a group; the first one is read first.
    pub(super) members: Vec<Entry>,
    /// The one that is being read.
    pub(super) header: Header,
    pub(super) scheduler: Scheduler,
    pub(super) flags: Vec<SchedulerFlag>,
    pub(super) ops: Option<Position>,
    pub(super) method: Option<ForwardingMethod>,
    pub(super) persistence: Option<u32>,
    pub(super) granularity: Option<Given<u8>>,
    pub(super) engine: Option<PersistenceEngine>,
    pub(super) protocol: Option<Protocol>,
    pub(super) family: Option<Given<Family>>,
    pub(super) host: Option<Box<str>>,
    pub(super) quorum: Option<Given<u32>>,
    pub(super) hysteresis: Option<Given<u32>>,
    pub(super) sorry: Vec<ServerDraft>,
    /// `ha_suspend`
    pub(super) suspend: Option<Position>,
    pub(super) weight: Option<u32>,
    pub(super) inhibit: bool,
    pub(super) pace: Pace,
    pub(super) manner: Manner,
}

/// A real server as written.
#[derive(Debug)]
pub(super) struct ServerDraft {
    pub(super) at: Position,
    pub(super) address: IpAddr,
    pub(super) port: Option<Given<u32>>,
    pub(super) weight: Option<u32>,
    pub(super) inhibit: Option<bool>,
    pub(super) method: Option<ForwardingMethod>,
    pub(super) upper: Option<Given<u32>>,
    pub(super) lower: Option<Given<u32>>,
    pub(super) host: Option<Box<str>>,
    pub(super) pace: Pace,
    pub(super) checkers: Vec<Draft>,
    pub(super) manner: Manner,
}

pub(super) static SERVICE: Table<ServiceDraft> =
    Table { name: "virtual_server", rows: &[SERVICE_ROWS, &paces(), OTHER, &SERVICE_MANNER] };
pub(super) static SERVER: Table<ServerDraft> =
    Table { name: "real_server", rows: &[SERVER_ROWS, &paces(), &checkers(), &refused(), &SERVER_MANNER] };

const METHOD: &str = "NAT, DR or TUN";
const MAIL: &str = "no mail is sent, see the log";
const SNMP: &str = "there is no SNMP here";

const fn flag_row(word: &'static str, set: fn(&mut ServiceDraft, Position)) -> Keyword<ServiceDraft> {
    Keyword { text: word, kind: Kind::Flag(set) }
}

const SERVICE_ROWS: &[Keyword<ServiceDraft>] = &[
    words("lb_algo|wlc|scheduler (also `lvs_sched`)", "a scheduler such as wrr", scheduler),
    words("lvs_sched|wlc|scheduler (also `lb_algo`)", "a scheduler such as wrr", scheduler),
    words("lb_kind|NAT|forwarding method (also `lvs_method`)", METHOD, |b, line| {
        b.method = method(line).or(b.method)
    }),
    words("lvs_method|NAT|forwarding method (also `lb_kind`)", METHOD, |b, line| {
        b.method = method(line).or(b.method)
    }),
    // Read by the second pass over the block (`service_build.rs`).
    block("real_server|none|a real server: address, port and its block", |_, _, _| {}),
    words("protocol|UDP|protocol of the service; none with a fwmark", "TCP, UDP or SCTP", protocol),
    Keyword {
        text: "persistence_timeout|off; alone 360 s|seconds that a client keeps its real server",
        kind: Kind::Free(persistence),
    },
    words(
        "persistence_granularity|one host|clients of one network keep the same real server",
        "a netmask, for IPv6 a prefix length",
        granularity,
    ),
    words("persistence_engine|none|tells clients apart by more than their address", "sip", engine),
    words("ip_family|the address's|family of a service with a fwmark", "inet or inet6", family),
    words("virtualhost|none|Host of HTTP requests of its checks", "a host name", |b, line| {
        b.host = host(line).or(b.host.take())
    }),
    Keyword {
        text: "sorry_server|none|address and port used while the quorum is lost; a block checks it",
        kind: Kind::MayOpen(|b, cx, node| {
            let mut draft = ServerDraft::new(Vec::new());
            if server(cx, node, &mut draft) {
                b.sorry.push(draft);
            }
        }),
    },
    words(
        "sorry_server_lvs_method|lvs_method|forwarding method of the sorry server above",
        METHOD,
        |b, line| {
            let method = method(line);
            if let Some(sorry) = sorry(b, line) {
                sorry.method = method.or(sorry.method);
            }
        },
    ),
    Keyword {
        text: "sorry_server_inhibit|off|keep the sorry server above in the table, with weight 0",
        kind: Kind::Free(|b, line| {
            let given = line.boolean();
            if let (Some(sorry), Some(given)) = (sorry(b, line), given) {
                sorry.inhibit = Some(given);
            }
        }),
    },
    integer("quorum|1|weights of servers up that the service needs", 1, 16_777_215, |b, given| {
        b.quorum = Some(given)
    }),
    integer("hysteresis|0|weight above and below the quorum that counts", 0, 16_777_215, |b, given| {
        b.hysteresis = Some(given)
    }),
    integer("weight|1|weight of real servers that say none", 1, 65_535, |b, given| {
        b.weight = Some(given.value)
    }),
    boolean("inhibit_on_failure|off|a failed server gets weight 0 and is not removed", |b, given| {
        b.inhibit = given.value
    }),
    flag("ops|off|schedule each UDP packet alone", |b, at| b.ops = Some(at)),
    // IP_VS_SVC_F_SCHED1 to SCHED3 (linux/ip_vs.h) and the names that sh and mh give them.
    flag_row("flag-1|off|first flag of the scheduler", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x8, of: "", at })
    }),
    flag_row("flag-2|off|second flag of the scheduler", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x10, of: "", at })
    }),
    flag_row("flag-3|off|third flag of the scheduler", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x20, of: "", at })
    }),
    flag_row("sh-fallback|off|sh: go on to another server if the chosen one is down", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x8, of: "sh", at })
    }),
    flag_row("sh-port|off|sh: the client's port counts as well", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x10, of: "sh", at })
    }),
    flag_row("mh-fallback|off|mh: go on to another server if the chosen one is down", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x8, of: "mh", at })
    }),
    flag_row("mh-port|off|mh: the client's port counts as well", |b, at| {
        b.flags.push(SchedulerFlag { bit: 0x10, of: "mh", at })
    }),
];

const OTHER: &[Keyword<ServiceDraft>] = &[
    ignored("nat_mask|none|netmask of NAT in kernels long gone", 1, "the kernel's NAT has no mask"),
    ignored("hashed|off|flag that the kernel keeps for itself", 0, "the kernel sets this flag itself"),
    ignored(
        "omega|off|run notify scripts at the stop",
        0,
        "it is about scripts at the stop, and no scripts run here",
    ),
    ignored("quorum_up|none|command when the quorum is gained", 1, SCRIPTS),
    ignored("quorum_down|none|command when the quorum is lost", 1, SCRIPTS),
    idle("smtp_alert|off|mail about the service", Value::Bool, MAIL),
    ignored("snmp_name|none|name in SNMP", 1, SNMP),
    Keyword {
        text: "ha_suspend|off|check only while the virtual address is on this box",
        kind: Kind::Free(|b, line| {
            // keepalived takes whatever follows for more of the flag.
            line.rest();
            b.suspend = Some(line.keyword().at);
        }),
    },
];

const SERVER_ROWS: &[Keyword<ServerDraft>] = &[
    integer("weight|the service's|share of new connections; 0: none", 0, 65_535, |b, given| {
        b.weight = Some(given.value)
    }),
    boolean(
        "inhibit_on_failure|the service's|when it fails it gets weight 0 and is not removed",
        |b, given| b.inhibit = Some(given.value),
    ),
    words("lb_kind|the service's|forwarding method (also `lvs_method`)", METHOD, |b, line| {
        b.method = method(line).or(b.method)
    }),
    words("lvs_method|the service's|forwarding method (also `lb_kind`)", METHOD, |b, line| {
        b.method = method(line).or(b.method)
    }),
    integer("uthreshold|0|connections above which it gets no more; 0: no limit", 0, u32::MAX, |b, given| {
        b.upper = Some(given)
    }),
    integer("lthreshold|0|connections below which it gets new ones again", 0, u32::MAX, |b, given| {
        b.lower = Some(given)
    }),
    words("virtualhost|the service's|Host of HTTP requests of its checks", "a host name", |b, line| {
        b.host = host(line).or(b.host.take())
    }),
    ignored("notify_up|none|command when it comes up", 1, SCRIPTS),
    ignored("notify_down|none|command when it goes down", 1, SCRIPTS),
    idle("smtp_alert|off|mail about this server", Value::Bool, MAIL),
    ignored("snmp_name|none|name in SNMP", 1, SNMP),
];

fn scheduler(draft: &mut ServiceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    let known = Scheduler::new(&word.text).filter(|name| SCHEDULERS.contains(&name.as_str()));
    let Some(known) = known else {
        let near = nearest(&word.text, &mut SCHEDULERS.into_iter()).unwrap_or("wlc");
        return line.cx.error(
            NO_SCHEDULER,
            word.at,
            format_args!("there is no scheduler {}; the line is left out", Quoted(&word.text)),
            format_args!("write `{near}` or one of rr wrr lc wlc lblc lblcr sh mh dh sed nq fo ovf twos"),
        );
    };
    draft.scheduler = known;
    while line.peek().is_some_and(|next| scheduler_flag(draft, &next.text, next.at)) {
        line.word();
    }
}

/// Flags may stand on the scheduler's line as well.
fn scheduler_flag(draft: &mut ServiceDraft, word: &str, at: Position) -> bool {
    let (bit, of) = match word {
        "flag-1" => (0x8, ""),
        "flag-2" => (0x10, ""),
        "flag-3" => (0x20, ""),
        "sh-fallback" => (0x8, "sh"),
        "sh-port" => (0x10, "sh"),
        "mh-fallback" => (0x8, "mh"),
        "mh-port" => (0x10, "mh"),
        _ => return false,
    };
    draft.flags.push(SchedulerFlag { bit, of, at });
    true
}

/// `NAT`, `DR` or `TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]`
fn method(line: &mut Line<'_, '_>) -> Option<ForwardingMethod> {
    let word = line.word()?;
    match &*word.text {
        "NAT" => Some(ForwardingMethod::Masquerade),
        "DR" => Some(ForwardingMethod::DirectRoute),
        "TUN" => tunnel(line).map(ForwardingMethod::Tunnel),
        _ => {
            line.invalid(&word, METHOD);
            None
        }
    }
}

fn tunnel(line: &mut Line<'_, '_>) -> Option<Tunnel> {
    let mut tunnel = Tunnel::default();
    if line.take("type") {
        let word = line.need("ipip, gue or gre")?;
        tunnel.kind = match &*word.text {
            "ipip" => 0,
            "gue" => 1,
            "gre" => 2,
            _ => {
                line.invalid(&word, "ipip, gue or gre");
                return None;
            }
        };
        if tunnel.kind == 1 {
            if !line.take("port") {
                line.cx.error(
                    INVALID,
                    word.at,
                    format_args!("a gue tunnel needs its port; the line is left out"),
                    format_args!("write `TUN type gue port 6080` with the port of the real servers"),
                );
                return None;
            }
            tunnel.port = u16::try_from(line.integer(1, 65_535)?.value).ok()?;
        }
    }
    // IP_VS_TUNNEL_ENCAP_FLAG_CSUM and _REMCSUM
    tunnel.flags = match line.peek().as_ref().map(|word| &*word.text) {
        Some("nocsum") => 0,
        Some("csum") => 1,
        Some("remcsum") => 2,
        Some(_) | None => return Some(tunnel),
    };
    line.word();
    Some(tunnel)
}

fn protocol(draft: &mut ServiceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    match &*word.text.to_ascii_uppercase() {
        "TCP" => draft.protocol = Some(Protocol::Tcp),
        "UDP" => draft.protocol = Some(Protocol::Udp),
        "SCTP" => draft.protocol = Some(Protocol::Sctp),
        _ => line.invalid(&word, "TCP, UDP or SCTP"),
    }
}

fn persistence(draft: &mut ServiceDraft, line: &mut Line<'_, '_>) {
    if line.peek().is_none() {
        draft.persistence = Some(360);
    } else if let Some(given) = line.integer(1, 2_678_400) {
        draft.persistence = Some(given.value);
    }
}

fn granularity(draft: &mut ServiceDraft, line: &mut Line<'_, '_>) {
    const EXPECTED: &str = "a netmask such as 255.255.255.0, or for IPv6 a prefix length from 1 to 128";
    let Some(word) = line.word() else { return };
    let prefix = match word.text.parse::<IpAddr>() {
        Ok(IpAddr::V4(mask)) if mask.to_bits().count_zeros() == mask.to_bits().trailing_zeros() => {
            u8::try_from(mask.to_bits().count_ones()).ok()
        }
        Ok(IpAddr::V4(_) | IpAddr::V6(_)) => None,
        Err(_) => word.text.parse().ok().filter(|prefix| (1..=128).contains(prefix)),
    };
    match prefix {
        Some(value) => draft.granularity = Some(Given { value, at: word.at }),
        None => line.invalid(&word, EXPECTED),
    }
}

fn engine(draft: &mut ServiceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    if word.text == "sip" { draft.engine = Some(PersistenceEngine::Sip) } else { line.invalid(&word, "sip") }
}

fn family(draft: &mut ServiceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    let value = match &*word.text {
        "inet" => Family::Inet,
        "inet6" => Family::Inet6,
        _ => return line.invalid(&word, "inet or inet6"),
    };
    draft.family = Some(Given { value, at: word.at });
}

/// The last sorry server so far: an option that stands before it is for none, as with keepalived.
fn sorry<'a>(draft: &'a mut ServiceDraft, line: &mut Line<'_, '_>) -> Option<&'a mut ServerDraft> {
    if draft.sorry.is_empty() {
        let keyword = line.keyword();
        line.cx.error(
            SORRY,
            keyword.at,
            format_args!("{} stands before any sorry_server and is left out", Quoted(&keyword.text)),
            format_args!("write it behind the `sorry_server` that it is for"),
        );
    }
    draft.sorry.last_mut()
}

/// `ADDRESS [PORT]`; nothing if one of the two is wrong.
fn target(line: &mut Line<'_, '_>) -> Option<(Given<IpAddr>, Option<Given<u32>>)> {
    let address = line.address()?;
    let port = if line.has_more() { Some(line.integer(0, 65_535)?) } else { None };
    Some((address, port))
}

/// True for `virtual_server group NAME` if there is no such group so far: it may stand further down.
pub(super) fn waits(tree: &Tree, node: NodeId, groups: &Groups) -> bool {
    let is_group = tree.word(node, 1).is_some_and(|word| word.text == "group");
    let name = tree.word(node, 2).filter(|_| is_group);
    name.is_some_and(|name| groups.find(&name.text).is_none())
}

/// The line of a `virtual_server`; its block is left to the caller.
pub(super) fn header(cx: &mut Context<'_>, node: NodeId, groups: &Groups) -> Option<ServiceDraft> {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let members = if line.take("fwmark") {
        let mark = line.integer(1, u32::MAX)?;
        vec![Entry::alone(at, Header::Mark(NonZeroU32::new(mark.value)?))]
    } else if line.take("group") {
        let name = line.need("the name of a virtual_server_group")?;
        let Some(entries) = groups.find(&name.text) else {
            line.cx.error(
                INVALID,
                name.at,
                format_args!("there is no virtual_server_group {}", Quoted(&name.text)),
                format_args!(
                    "write a block `virtual_server_group {:.40}`; the service is left out",
                    name.text
                ),
            );
            return None;
        };
        entries.to_vec()
    } else {
        let (address, port) = target(&mut line)?;
        let port = port.map_or(0, |port| u16::try_from(port.value).unwrap_or(0));
        vec![Entry::alone(at, Header::Address(address.value, port))]
    };
    line.end();
    let Some(header) = members.first().map(|entry| entry.first) else {
        cx.warn(
            NO_SERVERS,
            at,
            format_args!("there is no valid address in this group: the virtual server is left out"),
            format_args!("write at least one address or `fwmark N` into the virtual_server_group"),
        );
        return None;
    };
    Some(ServiceDraft {
        at,
        members,
        header,
        scheduler: Scheduler::new("wlc")?,
        flags: Vec::new(),
        ops: None,
        method: None,
        persistence: None,
        granularity: None,
        engine: None,
        protocol: None,
        family: None,
        host: None,
        quorum: None,
        hysteresis: None,
        sorry: Vec::new(),
        suspend: None,
        weight: None,
        inhibit: false,
        pace: Pace::default(),
        manner: Manner::default(),
    })
}

impl ServerDraft {
    /// Nothing yet, with room for checkers. It is large: it is made where it is used, and filled there.
    #[inline(always)]
    pub(super) fn new(checkers: Vec<Draft>) -> Self {
        Self {
            at: Position::default(),
            address: Ipv4Addr::UNSPECIFIED.into(),
            port: None,
            weight: None,
            inhibit: None,
            method: None,
            upper: None,
            lower: None,
            host: None,
            pace: Pace::default(),
            checkers,
            manner: Manner::default(),
        }
    }
}

/// A `real_server` or `sorry_server` with its block, if it has one; false if its line is wrong.
pub(super) fn server(cx: &mut Context<'_>, node: NodeId, draft: &mut ServerDraft) -> bool {
    draft.at = cx.tree.position(node);
    let mut line = cx.line(node);
    let Some((address, port)) = target(&mut line) else { return false };
    line.end();
    (draft.address, draft.port) = (address.value, port);
    Walk::block(cx, node, &SERVER, draft);
    true
}
