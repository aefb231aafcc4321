//! Requests to IPVS: the attributes that keepalived and ipvsadm send, in their order.

use core::net::IpAddr;

use super::super::genetlink::Command;
use super::super::netlink::{Full, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Writer};
use super::{
    DestinationKey, DestinationSpec, Family, ForwardingMethod, PersistenceEngine, Protocol, Request,
    ServiceKey, ServiceSpec, code, daemon,
};

impl Request {
    /// Appends the request as one message to the `family` number that this kernel gave IPVS. A dump is answered by
    /// messages and an end, `GetInfo` by a message and an acknowledgement, the others by an acknowledgement.
    pub fn emit(&self, writer: &mut Writer<'_>, family: u16, seq: u32) -> Result<(), Full> {
        let dump = matches!(self, Self::DumpServices | Self::DumpDestinations(_) | Self::DumpDaemons);
        let flags = NLM_F_REQUEST | if dump { NLM_F_DUMP } else { NLM_F_ACK };
        Command { family, command: self.command(), version: code::VERSION }.begin(writer, flags, seq);
        match self {
            Self::GetInfo
            | Self::DumpServices
            | Self::Flush
            | Self::DumpDaemons
            | Self::GetTimeouts
            | Self::Zero(None) => {}
            Self::NewService(key, spec) | Self::SetService(key, spec) => service(key, Some(spec), writer),
            Self::DelService(key) | Self::DumpDestinations(key) | Self::Zero(Some(key)) => {
                service(key, None, writer);
            }
            Self::NewDaemon(role, spec) => daemon::emit(*role, Some(spec), writer),
            Self::DelDaemon(role) => daemon::emit(*role, None, writer),
            Self::NewDestination(key, server, spec) | Self::SetDestination(key, server, spec) => {
                service(key, None, writer);
                destination(server, Some(spec), writer);
            }
            Self::DelDestination(key, server) => {
                service(key, None, writer);
                destination(server, None, writer);
            }
            Self::SetTimeouts { tcp, tcp_fin, udp } => {
                let kinds = [code::ATTR_TIMEOUT_TCP, code::ATTR_TIMEOUT_TCP_FIN, code::ATTR_TIMEOUT_UDP];
                for (kind, seconds) in kinds.into_iter().zip([tcp, tcp_fin, udp]) {
                    if let Some(seconds) = seconds {
                        writer.u32(kind, *seconds);
                    }
                }
            }
        }
        writer.finish()
    }

    const fn command(&self) -> u8 {
        match self {
            Self::GetInfo => code::CMD_GET_INFO,
            Self::NewService(..) => code::CMD_NEW_SERVICE,
            Self::SetService(..) => code::CMD_SET_SERVICE,
            Self::DelService(..) => code::CMD_DEL_SERVICE,
            Self::NewDestination(..) => code::CMD_NEW_DEST,
            Self::SetDestination(..) => code::CMD_SET_DEST,
            Self::DelDestination(..) => code::CMD_DEL_DEST,
            Self::DumpServices => code::CMD_GET_SERVICE,
            Self::DumpDestinations(_) => code::CMD_GET_DEST,
            Self::SetTimeouts { .. } => code::CMD_SET_CONFIG,
            Self::Flush => code::CMD_FLUSH,
            Self::NewDaemon(..) => code::CMD_NEW_DAEMON,
            Self::DelDaemon(_) => code::CMD_DEL_DAEMON,
            Self::DumpDaemons => code::CMD_GET_DAEMON,
            Self::GetTimeouts => code::CMD_GET_CONFIG,
            Self::Zero(_) => code::CMD_ZERO,
        }
    }
}

fn service(key: &ServiceKey, spec: Option<&ServiceSpec>, writer: &mut Writer<'_>) {
    writer.nested(code::ATTR_SERVICE, |nest| {
        nest.u16(code::SVC_AF, family_code(key.family()));
        match *key {
            ServiceKey::Address { protocol, address, port } => {
                nest.u16(code::SVC_PROTOCOL, protocol_code(protocol));
                nest.bytes(code::SVC_ADDR, &padded(address));
                nest.be16(code::SVC_PORT, port);
            }
            ServiceKey::Mark { mark, .. } => nest.u32(code::SVC_FWMARK, mark.get()),
        }
        if let Some(spec) = spec {
            service_spec(spec, key.family(), nest);
        }
    });
}

/// The kernel refuses a service that lacks any of these but the engine.
fn service_spec(spec: &ServiceSpec, family: Family, nest: &mut Writer<'_>) {
    nest.str(code::SVC_SCHED_NAME, spec.scheduler.as_str());
    if spec.engine == Some(PersistenceEngine::Sip) {
        nest.str(code::SVC_PE_NAME, "sip");
    }
    let [f0, f1, f2, f3] = spec.flags.to_ne_bytes();
    // `struct ip_vs_flags`: the flags, and which of them are meant.
    nest.bytes(code::SVC_FLAGS, &[f0, f1, f2, f3, 0xff, 0xff, 0xff, 0xff]);
    nest.u32(code::SVC_TIMEOUT, spec.timeout);
    match family {
        Family::Inet => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(spec.netmask))).unwrap_or(0);
            nest.bytes(code::SVC_NETMASK, &mask.to_be_bytes());
        }
        Family::Inet6 => nest.u32(code::SVC_NETMASK, u32::from(spec.netmask)),
    }
}

fn destination(key: &DestinationKey, spec: Option<&DestinationSpec>, writer: &mut Writer<'_>) {
    writer.nested(code::ATTR_DEST, |nest| {
        nest.u16(code::DEST_ADDR_FAMILY, family_code(Family::of(key.address)));
        nest.bytes(code::DEST_ADDR, &padded(key.address));
        nest.be16(code::DEST_PORT, key.port);
        let Some(spec) = spec else { return };
        nest.u32(code::DEST_FWD_METHOD, method_code(spec.method));
        nest.u32(code::DEST_WEIGHT, spec.weight);
        if let ForwardingMethod::Tunnel(tunnel) = spec.method {
            nest.u8(code::DEST_TUN_TYPE, tunnel.kind);
            nest.be16(code::DEST_TUN_PORT, tunnel.port);
            nest.u16(code::DEST_TUN_FLAGS, tunnel.flags);
        }
        nest.u32(code::DEST_U_THRESH, spec.upper);
        nest.u32(code::DEST_L_THRESH, spec.lower);
    });
}

/// `union nf_inet_addr`: an IPv4 address takes the first four bytes.
fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    }
}

const fn family_code(family: Family) -> u16 {
    match family {
        Family::Inet => code::AF_INET,
        Family::Inet6 => code::AF_INET6,
    }
}

const fn protocol_code(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Tcp => code::IPPROTO_TCP,
        Protocol::Udp => code::IPPROTO_UDP,
        Protocol::Sctp => code::IPPROTO_SCTP,
    }
}

const fn method_code(method: ForwardingMethod) -> u32 {
    match method {
        ForwardingMethod::Masquerade => code::FWD_MASQ,
        ForwardingMethod::Local => code::FWD_LOCALNODE,
        ForwardingMethod::Tunnel(_) => code::FWD_TUNNEL,
        ForwardingMethod::DirectRoute => code::FWD_DROUTE,
        ForwardingMethod::Bypass => code::FWD_BYPASS,
    }
}
