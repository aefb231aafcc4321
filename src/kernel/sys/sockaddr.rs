//! `struct sockaddr_ll` (`linux/if_packet.h`) as an address that rustix sends to.

use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};

/// Where a frame of a packet socket goes: an interface, an EtherType, a hardware address.
#[derive(Debug, Clone, Copy)]
pub struct LinkAddress {
    /// Interface index, 1 and up.
    pub index: i32,
    /// EtherType in host order.
    pub protocol: u16,
    /// Destination.
    pub mac: [u8; 6],
}

// SAFETY: the pointer handed to `f` points to an initialised `sockaddr_ll` that lives until `f` returns, and the
// length is its size.
unsafe impl SocketAddrArg for LinkAddress {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        const FAMILY: u16 = 17;
        const MAC_BYTES: u8 = 6;
        const LEN: SocketAddrLen = 20;
        const { assert!(core::mem::size_of::<libc::sockaddr_ll>() == 20, "LEN is the structure's size") };
        let [a, b, c, d, e, g] = self.mac;
        let address = libc::sockaddr_ll {
            sll_family: FAMILY,
            sll_protocol: self.protocol.to_be(),
            sll_ifindex: self.index,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: MAC_BYTES,
            sll_addr: [a, b, c, d, e, g, 0, 0],
        };
        f((&raw const address).cast(), LEN)
    }
}
