//! `recvmsg(2)` with control messages (RFC 3542 section 6), and room for those of one packet.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// A packet in the caller's buffer with what the kernel says beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Bytes of the payload.
    pub len: usize,
    /// Sender (`sockaddr_in6`).
    pub source: [u8; 16],
    /// `IPV6_PKTINFO`: where it was sent to.
    pub destination: Option<[u8; 16]>,
    /// `IPV6_HOPLIMIT`.
    pub hop_limit: Option<u8>,
}

/// Receives from an IPv6 socket that has `IPV6_RECVPKTINFO` and `IPV6_RECVHOPLIMIT` set; what is longer than `buffer`
/// is cut.
///
/// # Errors
/// The kernel's.
#[allow(clippy::useless_conversion, reason = "musl and glibc differ in the type of `msg_controllen`")]
pub fn receive_ipv6(socket: impl AsFd, buffer: &mut [u8]) -> Result<Packet, Errno> {
    /// Control messages of two items with their headers (40 and 24 bytes), with room to spare; aligned for them.
    #[repr(align(8))]
    struct Control([u8; 128]);
    let mut control = Control([0; 128]);
    // SAFETY: both are plain structures for which all zeros are valid values.
    let (mut from, mut header): (libc::sockaddr_in6, libc::msghdr) = unsafe { core::mem::zeroed() };
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    header.msg_name = (&raw mut from).cast();
    header.msg_namelen =
        libc::socklen_t::try_from(size_of::<libc::sockaddr_in6>()).map_err(|_| Errno::INVAL)?;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len().try_into().map_err(|_| Errno::INVAL)?;
    // SAFETY: every pointer in `header` is valid for the length beside it, and all of them outlive the call.
    let received = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut header, 0) };
    let len = usize::try_from(received).map_err(|_| super::last_error())?;
    let mut packet = Packet { len, source: from.sin6_addr.s6_addr, destination: None, hop_limit: None };
    let used = usize::try_from(header.msg_controllen).unwrap_or(0);
    for (level, kind, data) in items(control.0.get(..used).unwrap_or(&[])) {
        match (level, kind) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => packet.destination = data.first_chunk().copied(),
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                let value = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                packet.hop_limit = value.and_then(|value| u8::try_from(value).ok());
            }
            _ => {}
        }
    }
    Ok(packet)
}

/// The control messages (`struct cmsghdr`): length with the header in a word of the machine, level, type, data, each
/// aligned to a word.
fn items(mut control: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;
    core::iter::from_fn(move || {
        let len = usize::from_ne_bytes(*control.first_chunk::<WORD>()?);
        let item = control.get(..len)?;
        let level = i32::from_ne_bytes(*item.get(WORD..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*item.get(WORD + 4..)?.first_chunk()?);
        control = control.get(len.next_multiple_of(WORD)..).unwrap_or(&[]);
        Some((level, kind, item.get(HEADER..)?))
    })
}
