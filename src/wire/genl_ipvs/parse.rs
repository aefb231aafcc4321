//! Answers of IPVS. Addresses have always 16 bytes, ports are in network order, HASHED is the kernel's own flag and
//! nobody's configuration.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;

use super::super::bytes::array;
use super::super::genetlink;
use super::super::netlink::{Attributes, Malformed};
use super::{
    DestinationEntry, DestinationKey, DestinationSpec, Family, ForwardingMethod, Info, PersistenceEngine,
    Protocol, Scheduler, ServiceEntry, ServiceKey, ServiceSpec, Tunnel, Version, code,
};

/// The answer to `GetInfo`. `payload` is what follows the netlink header, here and below.
pub fn parse_info(payload: &[u8]) -> Result<Info, Malformed> {
    let (_, attributes) = genetlink::parse(payload)?;
    Ok(Info {
        version: Version(attributes.u32(code::INFO_VERSION).ok_or(Malformed::Missing)?),
        table_size: attributes.u32(code::INFO_CONN_TAB_SIZE).ok_or(Malformed::Missing)?,
    })
}

/// A service in a dump. [`Malformed::Unknown`] for one of a protocol that the kernel takes and this program has no
/// name for: nobody configured it here, and it is to be left alone.
pub fn parse_service(payload: &[u8]) -> Result<ServiceEntry, Malformed> {
    let (_, attributes) = genetlink::parse(payload)?;
    let service = attributes.nest(code::ATTR_SERVICE).ok_or(Malformed::Missing)?;
    let family = family(service.u16(code::SVC_AF).ok_or(Malformed::Missing)?)?;
    let key = service_key(service, family)?;
    let scheduler = service.str(code::SVC_SCHED_NAME).ok_or(Malformed::Missing)?;
    let flags = service.u32(code::SVC_FLAGS).ok_or(Malformed::Missing)?;
    let spec = ServiceSpec {
        scheduler: Scheduler::new(scheduler).ok_or(Malformed::Unknown)?,
        flags: flags & !code::F_HASHED,
        timeout: service.u32(code::SVC_TIMEOUT).ok_or(Malformed::Missing)?,
        netmask: prefix_length(service.bytes(code::SVC_NETMASK), family).ok_or(Malformed::Missing)?,
        engine: service.str(code::SVC_PE_NAME).filter(|name| !name.is_empty()).map(|name| match name {
            "sip" => PersistenceEngine::Sip,
            _ => PersistenceEngine::Other,
        }),
    };
    Ok(ServiceEntry { key, spec })
}

fn service_key(service: Attributes<'_>, family: Family) -> Result<ServiceKey, Malformed> {
    if let Some(mark) = service.u32(code::SVC_FWMARK).and_then(NonZeroU32::new) {
        return Ok(ServiceKey::Mark { mark, family });
    }
    let protocol = match service.u16(code::SVC_PROTOCOL).ok_or(Malformed::Missing)? {
        code::IPPROTO_TCP => Protocol::Tcp,
        code::IPPROTO_UDP => Protocol::Udp,
        code::IPPROTO_SCTP => Protocol::Sctp,
        _ => return Err(Malformed::Unknown),
    };
    Ok(ServiceKey::Address {
        protocol,
        address: address(service.bytes(code::SVC_ADDR), family).ok_or(Malformed::Missing)?,
        port: service.be16(code::SVC_PORT).ok_or(Malformed::Missing)?,
    })
}

/// A destination in a dump of a service whose family is `service`: kernels before 3.18 do not say the destination's
/// own, which is the same then.
pub fn parse_destination(payload: &[u8], service: Family) -> Result<DestinationEntry, Malformed> {
    let (_, attributes) = genetlink::parse(payload)?;
    let server = attributes.nest(code::ATTR_DEST).ok_or(Malformed::Missing)?;
    let family = server.u16(code::DEST_ADDR_FAMILY).map_or(Ok(service), family)?;
    let key = DestinationKey {
        address: address(server.bytes(code::DEST_ADDR), family).ok_or(Malformed::Missing)?,
        port: server.be16(code::DEST_PORT).ok_or(Malformed::Missing)?,
    };
    let number = |kind| server.u32(kind).ok_or(Malformed::Missing);
    let spec = DestinationSpec {
        method: method(server)?,
        weight: number(code::DEST_WEIGHT)?,
        upper: number(code::DEST_U_THRESH)?,
        lower: number(code::DEST_L_THRESH)?,
    };
    let count = |kind| server.u32(kind).unwrap_or(0);
    Ok(DestinationEntry {
        key,
        spec,
        active: count(code::DEST_ACTIVE_CONNS),
        inactive: count(code::DEST_INACT_CONNS),
        persistent: count(code::DEST_PERSIST_CONNS),
    })
}

fn method(server: Attributes<'_>) -> Result<ForwardingMethod, Malformed> {
    Ok(match server.u32(code::DEST_FWD_METHOD).ok_or(Malformed::Missing)? & code::FWD_MASK {
        code::FWD_MASQ => ForwardingMethod::Masquerade,
        code::FWD_LOCALNODE => ForwardingMethod::Local,
        // Kernels before 5.3 know no other tunnel than ipip, and do not say so.
        code::FWD_TUNNEL => ForwardingMethod::Tunnel(Tunnel {
            kind: server.u8(code::DEST_TUN_TYPE).unwrap_or(0),
            port: server.be16(code::DEST_TUN_PORT).unwrap_or(0),
            flags: server.u16(code::DEST_TUN_FLAGS).unwrap_or(0),
        }),
        code::FWD_DROUTE => ForwardingMethod::DirectRoute,
        code::FWD_BYPASS => ForwardingMethod::Bypass,
        _ => return Err(Malformed::Unknown),
    })
}

const fn family(code: u16) -> Result<Family, Malformed> {
    match code {
        code::AF_INET => Ok(Family::Inet),
        code::AF_INET6 => Ok(Family::Inet6),
        _ => Err(Malformed::Unknown),
    }
}

fn address(bytes: Option<&[u8]>, family: Family) -> Option<IpAddr> {
    match family {
        Family::Inet => array::<4>(bytes?, 0).map(|octets| Ipv4Addr::from(octets).into()),
        Family::Inet6 => array::<16>(bytes?, 0).map(IpAddr::from),
    }
}

/// IPv4: a mask in network order, of which the leading ones are counted. IPv6: the length itself.
fn prefix_length(bytes: Option<&[u8]>, family: Family) -> Option<u8> {
    let bytes = array::<4>(bytes?, 0)?;
    let length = match family {
        Family::Inet => u32::from_be_bytes(bytes).leading_ones(),
        Family::Inet6 => u32::from_ne_bytes(bytes).min(128),
    };
    u8::try_from(length).ok()
}
