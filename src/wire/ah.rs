//! The authentication header (RFC 2402) as VRRP version 2 uses it (RFC 2338 section 5.3.6.3): HMAC-MD5-96 (RFC 2403)
//! over IP header, authentication header and advert, keyed by the password padded with zeros to eight bytes.
//!
//! RFC 2402 section 3.3.3.1.1 zeroes what routers change on the way. keepalived zeroes the time to live for unicast
//! only, as a group's packets are never forwarded; so do we, or it would not hear us.

use core::net::Ipv4Addr;

use md5::{Digest as _, Md5};

use super::bytes::{Output, array};
use super::ipv4;

/// IP protocol number.
pub const PROTOCOL: u8 = 51;
/// Bytes of the header with a value of 96 bits.
pub const HEADER_LEN: usize = 24;
/// Bytes of the integrity check value.
const ICV_LEN: usize = 12;
/// Where it stands in the header.
const ICV_AT: usize = HEADER_LEN - ICV_LEN;
/// The header's length in words of four bytes, less two (RFC 2402 section 2.2).
const PAYLOAD_LEN: u8 = 4;
/// Bytes that MD5 digests at once (RFC 2104: B).
const BLOCK: usize = 64;

/// A password, padded with zeros.
pub type Key = [u8; 8];

/// The header of a received packet and what its value covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seal<'a> {
    /// Security parameters index; keepalived's is the sender's address.
    pub spi: Ipv4Addr,
    /// Sequence number; the first one is 1.
    pub sequence: u32,
    icv: [u8; ICV_LEN],
    ip: &'a [u8],
    payload: &'a [u8],
}

/// How to seal a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sealing {
    /// The password.
    pub key: Key,
    /// Sequence number.
    pub sequence: u32,
}

/// The password is not for logs.
impl core::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Sealing({})", self.sequence)
    }
}

/// Takes a packet of this protocol apart: `payload` is what follows its IP header, `next` the protocol it must carry.
/// `None` if it is cut, carries something else, or a value of another length.
pub fn parse<'a>(packet: &'a [u8], payload: &'a [u8], next: u8) -> Option<(Seal<'a>, &'a [u8])> {
    let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
    let [carried, length, ..] = *header;
    let ip_len = usize::from(packet.first()? & 0x0f) * 4;
    let seal = Seal {
        spi: Ipv4Addr::from(array::<4>(header, 4)?),
        sequence: u32::from_be_bytes(array(header, 8)?),
        icv: array(header, ICV_AT)?,
        ip: packet.get(..ip_len)?,
        payload,
    };
    (carried == next && length == PAYLOAD_LEN).then_some((seal, rest))
}

impl Seal<'_> {
    /// True if it was made with `key`. It takes as long for a wrong one.
    pub fn is_made_with(&self, key: &Key) -> bool {
        let icv = icv(key, self.ip, self.payload);
        let differing = self.icv.iter().zip(&icv).fold(0, |sum, (theirs, ours)| sum | (theirs ^ ours));
        differing == 0
    }
}

/// Writes the header in front of a payload that is to be: the value is zero until [`seal`].
pub fn emit(sealing: &Sealing, next: u8, source: Ipv4Addr, out: &mut Output<'_>) {
    out.put(&[next, PAYLOAD_LEN, 0, 0]).put(&source.octets()).put(&sealing.sequence.to_be_bytes());
    out.put(&[0; ICV_LEN]);
}

/// Fills in the value of a whole packet whose IP header has no options. `None` if it is too short.
pub fn seal(sealing: &Sealing, packet: &mut [u8]) -> Option<()> {
    let (ip, payload) = packet.split_at_mut_checked(ipv4::HEADER_LEN)?;
    let icv = icv(&sealing.key, ip, payload);
    payload.get_mut(ICV_AT..HEADER_LEN)?.copy_from_slice(&icv);
    Some(())
}

/// HMAC-MD5-96 (RFC 2104, RFC 2403) over a packet, its own place taken for zeros.
fn icv(key: &Key, ip: &[u8], payload: &[u8]) -> [u8; ICV_LEN] {
    let pad = |with: u8| {
        let mut block = [with; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    // Type of service, flags and offset, checksum; for unicast the time to live.
    let grouped = array::<4>(ip, 16).is_some_and(|to| Ipv4Addr::from(to).is_multicast());
    let mut inner = Md5::new().chain_update(pad(0x36));
    for (at, byte) in ip.iter().enumerate() {
        let changes = matches!(at, 1 | 6 | 7 | 10 | 11) || at == 8 && !grouped;
        inner.update([if changes { 0 } else { *byte }]);
    }
    inner.update(payload.get(..ICV_AT).unwrap_or_default());
    inner.update([0; ICV_LEN]);
    inner.update(payload.get(HEADER_LEN..).unwrap_or_default());
    let outer = Md5::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize();
    array(&outer, 0).unwrap_or_default()
}
