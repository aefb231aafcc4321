//! How often the kernel's table of neighbours was full: one question to netlink, answered within the call.

use super::error::Error;
use super::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::wire::neighbours::{Figures, parse, request};

/// What the kernel answers in at most (`NLMSG_GOODSIZE`).
const ANSWER: usize = 8 << 10;

/// The figures of the table for IPv6, or of that for IPv4; nothing if the kernel does not say.
///
/// # Errors
/// No socket, or no room for the question.
pub fn figures(ipv6: bool) -> Result<Option<Figures>, Error> {
    let socket = NetlinkSocket::open(Protocol::Route, 0)?;
    let question = request(if ipv6 { 10 } else { 2 });
    let wrong = |errno| Error::new("ask", "the table of neighbours", errno);
    socket.send(&question).map_err(wrong)?;
    let mut buffer = vec![0; ANSWER];
    let incoming = socket.receive(&mut buffer).map_err(wrong)?;
    let Incoming::Datagram(length) = incoming else { return Ok(None) };
    Ok(parse(buffer.get(..length).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_both_tables() {
        for ipv6 in [false, true] {
            assert!(figures(ipv6).unwrap().unwrap().limit > 0);
        }
    }
}
