//! The kernel's sync daemons: one sends connections to a multicast group (master), one takes them over (backup). Both
//! may run at once; each is started, stopped and dumped by its role (`ip_vs_genl_new_daemon`).

use core::net::{IpAddr, Ipv4Addr};

use super::super::bytes::array;
use super::super::genetlink;
use super::super::link::LinkName;
use super::super::netlink::{Malformed, Writer};
use super::code;

/// `IP_VS_SYNC_GROUP`.
pub const SYNC_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
/// `IP_VS_SYNC_PORT`.
const SYNC_PORT: u16 = 8848;
/// A backup takes datagrams of so many bytes at least, whatever is asked for (`start_sync_thread`).
const MIN_BACKUP: u16 = 1_024;

/// What a sync daemon does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DaemonRole {
    /// Sends.
    Master,
    /// Takes over.
    Backup,
}

/// How a sync daemon is run; the same for both roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DaemonSpec {
    /// The interface.
    pub link: LinkName,
    /// Daemons hear those of their own id; 0 hears all.
    pub id: u8,
    /// Bytes of a datagram, 1 to 65,507; 0 leaves it to the kernel.
    pub maxlen: u16,
    /// UDP port, not 0.
    pub port: u16,
    /// Time to live, not 0.
    pub ttl: u8,
    /// Multicast group.
    pub group: IpAddr,
}

/// A daemon as the kernel dumps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DaemonEntry {
    /// What it does.
    pub role: DaemonRole,
    /// How; `maxlen` is never 0.
    pub spec: DaemonSpec,
}

impl DaemonRole {
    /// Both, in the order of their rows.
    pub const ALL: [Self; 2] = [Self::Master, Self::Backup];

    /// As ipvsadm calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Master => 1,
            Self::Backup => 2,
        }
    }
}

impl DaemonSpec {
    /// Over `link`, with the kernel's defaults.
    pub const fn new(link: LinkName) -> Self {
        Self { link, id: 0, maxlen: 0, port: SYNC_PORT, ttl: 1, group: SYNC_GROUP }
    }

    /// True if a daemon that runs as `other` is one that was started as this.
    pub fn is_met_by(&self, role: DaemonRole, other: &Self) -> bool {
        let maxlen = match (self.maxlen, role) {
            (0, _) => other.maxlen,
            (length, DaemonRole::Master) => length,
            (length, DaemonRole::Backup) => length.max(MIN_BACKUP),
        };
        Self { maxlen, ..*self } == *other
    }
}

/// The attributes of a request about a daemon; a stop names its role only.
pub(super) fn emit(role: DaemonRole, spec: Option<&DaemonSpec>, writer: &mut Writer<'_>) {
    writer.nested(code::ATTR_DAEMON, |nest| {
        nest.u32(code::DAEMON_STATE, role.number());
        let Some(spec) = spec else { return };
        nest.str(code::DAEMON_LINK, spec.link.as_str());
        nest.u32(code::DAEMON_ID, u32::from(spec.id));
        if spec.maxlen > 0 {
            nest.u16(code::DAEMON_MAXLEN, spec.maxlen);
        }
        match spec.group {
            IpAddr::V4(group) => nest.bytes(code::DAEMON_GROUP, &group.octets()),
            IpAddr::V6(group) => nest.bytes(code::DAEMON_GROUP6, &group.octets()),
        }
        nest.u16(code::DAEMON_PORT, spec.port);
        nest.u8(code::DAEMON_TTL, spec.ttl);
    });
}

/// A daemon in a dump. Kernels before 4.3 tell neither length nor group, port and TTL: those have no other.
pub fn parse_daemon(payload: &[u8]) -> Result<DaemonEntry, Malformed> {
    let (_, attributes) = genetlink::parse(payload)?;
    let daemon = attributes.nest(code::ATTR_DAEMON).ok_or(Malformed::Missing)?;
    let state = daemon.u32(code::DAEMON_STATE).ok_or(Malformed::Missing)?;
    let role = DaemonRole::ALL.into_iter().find(|role| role.number() == state).ok_or(Malformed::Unknown)?;
    let link = daemon.str(code::DAEMON_LINK).and_then(LinkName::new).ok_or(Malformed::Missing)?;
    let group4 = daemon.bytes(code::DAEMON_GROUP).and_then(|bytes| array::<4>(bytes, 0)).map(IpAddr::from);
    let group6 = daemon.bytes(code::DAEMON_GROUP6).and_then(|bytes| array::<16>(bytes, 0)).map(IpAddr::from);
    let spec = DaemonSpec {
        link,
        id: u8::try_from(daemon.u32(code::DAEMON_ID).ok_or(Malformed::Missing)?).unwrap_or(0),
        maxlen: daemon.u16(code::DAEMON_MAXLEN).unwrap_or(0),
        port: daemon.u16(code::DAEMON_PORT).unwrap_or(SYNC_PORT),
        ttl: daemon.u8(code::DAEMON_TTL).unwrap_or(1),
        group: group4.or(group6).unwrap_or(SYNC_GROUP),
    };
    Ok(DaemonEntry { role, spec })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::genl_ipvs::Request;
    use crate::wire::netlink::{Content, messages};

    #[test]
    fn a_daemon_is_read_back_as_it_was_asked_for() {
        let spec = DaemonSpec {
            id: 51,
            maxlen: 1_400,
            port: 9_000,
            ttl: 3,
            ..DaemonSpec::new(LinkName::new("eth0").unwrap())
        };
        for (role, group) in
            DaemonRole::ALL.into_iter().zip(["224.0.0.82", "ff02::51"].map(|text| text.parse().unwrap()))
        {
            let spec = DaemonSpec { group, ..spec };
            let mut buffer = [0; 256];
            let mut writer = Writer::new(&mut buffer);
            Request::NewDaemon(role, spec).emit(&mut writer, 25, 7).unwrap();
            let message = messages(writer.as_bytes()).next().unwrap().unwrap();
            let Content::Data(payload) = message.content else { panic!("{message:?}") };
            assert_eq!(parse_daemon(payload), Ok(DaemonEntry { role, spec }));
        }
    }

    #[test]
    fn the_length_that_the_kernel_chose_is_no_difference() {
        let spec = DaemonSpec::new(LinkName::new("eth0").unwrap());
        let runs = DaemonSpec { maxlen: 1_472, ..spec };
        assert!(spec.is_met_by(DaemonRole::Master, &runs));
        let short = DaemonSpec { maxlen: 500, ..spec };
        assert!(!short.is_met_by(DaemonRole::Master, &runs));
        assert!(short.is_met_by(DaemonRole::Backup, &DaemonSpec { maxlen: 1_024, ..spec }));
        assert!(!spec.is_met_by(DaemonRole::Backup, &DaemonSpec { ttl: 2, ..runs }));
    }
}
