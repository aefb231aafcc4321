//! The kernel's tables of neighbours (ARP, neighbour discovery) as a whole: how often one was full
//! (`linux/neighbour.h`).
//!
//! The figures are the machine's, whichever network namespace asks; `/proc/net/stat/arp_cache` exists in the first
//! namespace only.

use super::bytes::array;
use super::netlink::{Attributes, Content, HEADER_LEN, NLM_F_DUMP, NLM_F_REQUEST, messages};

/// `struct ndtmsg`: family and padding.
const BODY: usize = 4;
/// `RTM_GETNEIGHTBL`.
const GET: u16 = 66;
const NDTA_THRESH3: u16 = 4;
const NDTA_STATS: u16 = 7;
/// Offset of `ndts_table_fulls` in `struct ndt_stats`: ten numbers of 64 bits precede it.
const TABLE_FULLS: usize = 80;

/// Bytes of a request.
pub const REQUEST_LEN: usize = HEADER_LEN + BODY;

/// What is known of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Neighbours that were refused since the machine started because there was no room.
    pub refused_total: u64,
    /// `gc_thresh3`: neighbours that the table holds.
    pub limit: u32,
}

/// Asks for the table of a family: `AF_INET` is 2, `AF_INET6` 10.
pub fn request(family: u8) -> [u8; REQUEST_LEN] {
    let mut message = [0; REQUEST_LEN];
    let head = [u32::try_from(REQUEST_LEN).unwrap_or(0).to_ne_bytes(), {
        let ([a, b], [c, d]) = (GET.to_ne_bytes(), (NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        [a, b, c, d]
    }];
    for (place, byte) in message.iter_mut().zip(head.as_flattened()) {
        *place = *byte;
    }
    if let Some(place) = message.get_mut(HEADER_LEN) {
        *place = family;
    }
    message
}

/// Finds them in an answer: in the message about the whole table, which comes first.
pub fn parse(datagram: &[u8]) -> Option<Figures> {
    messages(datagram).flatten().find_map(|message| {
        let Content::Data(payload) = message.content else { return None };
        let table = Attributes::new(payload.get(BODY..)?);
        let refused_total = u64::from_ne_bytes(array(table.bytes(NDTA_STATS)?, TABLE_FULLS)?);
        Some(Figures { refused_total, limit: table.u32(NDTA_THRESH3)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_the_message_about_the_whole_table() {
        let mut message = request(2).to_vec();
        assert_eq!(message.len(), 20);
        let mut attribute = |kind: u16, bytes: &[u8]| {
            message.extend_from_slice(&u16::try_from(bytes.len() + 4).unwrap().to_ne_bytes());
            message.extend_from_slice(&kind.to_ne_bytes());
            message.extend_from_slice(bytes);
        };
        attribute(NDTA_THRESH3, &1_024_u32.to_ne_bytes());
        let stats: Vec<u8> = (0..11_u64).flat_map(u64::to_ne_bytes).collect();
        attribute(NDTA_STATS, &stats);
        let length = u32::try_from(message.len()).unwrap();
        message[0..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(parse(&message), Some(Figures { refused_total: 10, limit: 1_024 }));
        for cut in 0..message.len() {
            assert_eq!(parse(&message[..cut]), None);
        }
    }
}
