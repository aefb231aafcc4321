//! Counters and timeouts as the kernel tells them.

use super::super::bytes::array;
use super::super::genetlink;
use super::super::netlink::{Attributes, Malformed};
use super::code;

/// What a service or a destination has counted, and its rates of the last seconds (`IPVS_STATS_ATTR_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Connections, packets in and out, bytes in and out.
    pub totals: [u64; 5],
    /// The same by second.
    pub rates: [u64; 5],
}

/// Timeouts in seconds: TCP, TCP after FIN, UDP.
pub type TimeoutValues = [u32; 3];

/// The counters of the service or the destination in `payload`: of 64 bits, or those that older kernels have.
pub fn parse_stats(payload: &[u8]) -> Result<Stats, Malformed> {
    let (_, attributes) = genetlink::parse(payload)?;
    let nests = [
        (code::ATTR_SERVICE, code::SVC_STATS64, code::SVC_STATS),
        (code::ATTR_DEST, code::DEST_STATS64, code::DEST_STATS),
    ];
    let found = nests.into_iter().find_map(|(outer, wide, narrow)| {
        let nest = attributes.nest(outer)?;
        nest.nest(wide).or_else(|| nest.nest(narrow))
    });
    let found = found.ok_or(Malformed::Missing)?;
    let row =
        |first: u16| core::array::from_fn(|place| number(found, first + u16::try_from(place).unwrap_or(0)));
    Ok(Stats { totals: row(code::STATS_FIRST), rates: row(code::STATS_FIRST + 5) })
}

/// A number of four or eight bytes.
fn number(stats: Attributes<'_>, kind: u16) -> u64 {
    let bytes = stats.bytes(kind).unwrap_or(&[]);
    let narrow = || array::<4>(bytes, 0).map(u32::from_ne_bytes).map_or(0, u64::from);
    array::<8>(bytes, 0).map_or_else(narrow, u64::from_ne_bytes)
}

/// The answer to `GetTimeouts`; `None` if the message is another one.
pub fn parse_timeouts(payload: &[u8]) -> Option<TimeoutValues> {
    let (command, attributes) = genetlink::parse(payload).ok()?;
    let kinds = [code::ATTR_TIMEOUT_TCP, code::ATTR_TIMEOUT_TCP_FIN, code::ATTR_TIMEOUT_UDP];
    let [Some(tcp), Some(fin), Some(udp)] = kinds.map(|kind| attributes.u32(kind)) else { return None };
    (command == code::CMD_SET_CONFIG).then_some([tcp, fin, udp])
}
