//! Hears who speaks for the virtual addresses: ARP and neighbour advertisements of all interfaces, read by nobody else.
//!
//! The kernel's socket filter (classic BPF, `linux/filter.h`) lets frames pass that name one of the addresses and
//! nothing else, so that the broadcasts of a large segment wake nobody. A socket of one protocol does not hear what
//! this host sends (packet(7)).

use core::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::error::Error;
use super::sys::filter::{Instruction, receive_frame, set_filter};
use super::sys::sockaddr::LinkAddress;
use crate::wire::ethernet;
use crate::wire::link::LinkIndex;
use crate::wire::vrrp::Family;

/// More addresses than this are not compared in the kernel: every frame of the kind passes. A filter is charged to
/// `net.core.optmem_max`, 20,480 bytes by default; an address costs three instructions of eight bytes.
const MAX_COMPARED: usize = 512;

/// The socket.
#[derive(Debug)]
pub struct ClaimSocket {
    socket: OwnedFd,
    family: Family,
}

impl ClaimSocket {
    /// Opens a socket for the claims of a family; it hears those of `addresses` that are of the family.
    ///
    /// # Errors
    /// `PERM` without `CAP_NET_RAW`.
    pub fn open(family: Family, addresses: impl Iterator<Item = IpAddr>) -> Result<Self, Error> {
        Self::open_filtered(family, addresses).map_err(|errno| Error::new("open", "listener for ARP", errno))
    }

    fn open_filtered(family: Family, addresses: impl Iterator<Item = IpAddr>) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        let listener = Self { socket, family };
        // Before it is bound: until then nothing is heard.
        listener.set_addresses(addresses)?;
        let protocol = match family {
            Family::Ipv4 => ethernet::ARP,
            Family::Ipv6 => ethernet::IPV6,
        };
        rustix::net::bind(&listener.socket, &LinkAddress { index: 0, protocol, mac: [0; 6] })?;
        Ok(listener)
    }

    /// Hears the claims of other addresses from now on.
    ///
    /// # Errors
    /// The kernel's: `NOMEM` if it has no room for the filter.
    pub fn set_addresses(&self, addresses: impl Iterator<Item = IpAddr>) -> Result<(), Errno> {
        set_filter(&self.socket, &program(self.family, addresses))
    }

    /// Reads one frame; a longer one than `buffer` is cut. Its length and the interface.
    ///
    /// # Errors
    /// `WOULDBLOCK` without one; `NETDOWN` once when an interface goes.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<(LinkIndex, usize), Errno> {
        receive_frame(&self.socket, buffer).map(|(index, length)| (LinkIndex(index), length))
    }
}

impl AsFd for ClaimSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Of a frame, from its Ethernet header: where the sender's address in ARP is, the next header of IPv6, the type of
/// ICMPv6, and the last four bytes of a neighbour advertisement's target.
const ARP_SENDER: u32 = 28;
const NEXT_HEADER: u32 = 20;
const ICMP_TYPE: u32 = 54;
const TARGET_END: u32 = 74;

fn program(family: Family, addresses: impl Iterator<Item = IpAddr>) -> Vec<Instruction> {
    const ICMPV6: u32 = 58;
    const NEIGHBOUR_ADVERTISEMENT: u32 = 136;
    let tails = addresses.filter(|address| Family::of(*address) == family).map(|address| match address {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => u32::try_from(u128::from(address) & u128::from(u32::MAX)).unwrap_or(0),
    });
    let mut sorted: Vec<u32> = Vec::new();
    for tail in tails {
        if let Err(place) = sorted.binary_search(&tail) {
            sorted.insert(place, tail);
        }
    }
    let tails = sorted;
    let mut program = Vec::new();
    if family == Family::Ipv6 {
        for (at, value) in [(NEXT_HEADER, ICMPV6), (ICMP_TYPE, NEIGHBOUR_ADVERTISEMENT)] {
            program.extend([Instruction::LoadByte(at), Instruction::SkipIf(value), Instruction::Refuse]);
        }
    }
    if tails.len() > MAX_COMPARED {
        program.push(Instruction::Accept);
        return program;
    }
    program.push(Instruction::LoadWord(if family == Family::Ipv4 { ARP_SENDER } else { TARGET_END }));
    for tail in tails {
        program.extend([Instruction::SkipUnless(tail), Instruction::Accept]);
    }
    program.push(Instruction::Refuse);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a filter says of a frame (`linux/filter.h`): a load beyond the end refuses.
    fn passes(program: &[Instruction], frame: &[u8]) -> bool {
        let (mut at, mut value) = (0, 0);
        loop {
            let one = program[at];
            at += 1;
            match one {
                Instruction::LoadByte(from) => match frame.get(from as usize) {
                    Some(byte) => value = u32::from(*byte),
                    None => return false,
                },
                Instruction::LoadWord(from) => match frame.get(from as usize..from as usize + 4) {
                    Some(bytes) => value = u32::from_be_bytes(bytes.try_into().unwrap()),
                    None => return false,
                },
                Instruction::SkipIf(other) => at += usize::from(value == other),
                Instruction::SkipUnless(other) => at += usize::from(value != other),
                Instruction::Accept => return true,
                Instruction::Refuse => return false,
            }
        }
    }

    #[test]
    fn frames_pass_that_name_one_of_the_addresses_and_no_others() {
        use crate::wire::link::MacAddress;
        use crate::wire::{arp, ndisc};
        let vips: [IpAddr; 3] =
            ["10.9.0.100", "10.9.0.101", "2001:db8::64"].map(|text| text.parse().unwrap());
        let arp_program = program(Family::Ipv4, vips.into_iter());
        let mut frame = [0; 128];
        for (address, expected) in
            [([10, 9, 0, 100], true), ([10, 9, 0, 101], true), ([10, 9, 0, 102], false)]
        {
            let length = arp::emit_gratuitous(MacAddress::default(), address.into(), &mut frame).unwrap();
            assert_eq!(passes(&arp_program, &frame[..length]), expected, "{address:?}");
            assert!(!passes(&arp_program, &frame[..30]));
        }
        let program = program(Family::Ipv6, vips.into_iter());
        for (address, expected) in [("2001:db8::64", true), ("2001:db8::65", false)] {
            let (mac, role) = (MacAddress::default(), ndisc::Role::Host);
            let length = ndisc::emit_unsolicited(mac, address.parse().unwrap(), role, &mut frame).unwrap();
            assert_eq!(passes(&program, &frame[..length]), expected, "{address}");
            frame[54] = 135;
            assert!(!passes(&program, &frame[..length]), "a solicitation asks");
        }
    }

    #[test]
    fn the_kernel_takes_the_longest_filter() {
        let all = || (0..=512_u32).map(|n| IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
        let longest = program(Family::Ipv4, all().take(512));
        assert_eq!(longest.len(), 2 + 2 * 512);
        let socket = ClaimSocket::open(Family::Ipv4, all().take(512)).unwrap();
        assert_eq!(program(Family::Ipv4, all()), [Instruction::Accept]);
        assert_eq!(socket.set_addresses(all()), Ok(()));
    }
}
