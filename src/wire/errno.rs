//! Error numbers of the kernel as short lower-case sentences, for logs and for the console.
//!
//! Only those that the calls of this program can meet; any other is shown by its number. Linux, `asm-generic`.

use core::fmt;

/// An error number that displays as its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text(pub u16);

/// None of the kernel's: packets are dropped on this side, since no more connections can be tracked.
pub const TRACKED_FULL: u16 = 5_000;
/// None of the kernel's: there is no way for a check through a virtual address.
pub const NO_WAY: u16 = 5_001;
/// None of the kernel's: what comes back from the virtual address is dropped while the address is here.
pub const REPLIES_DROPPED: u16 = 5_002;
/// None of the kernel's: the only own address on the way is a virtual one.
pub const ONLY_VIRTUAL: u16 = 5_003;
/// None of the kernel's: IPVS takes no part in anything while its table is a copy of the MASTER's.
pub const BACKUP_ONLY: u16 = 5_004;

/// Number and text, in order of the number.
const TEXTS: &[(u16, &str)] = &[
    (1, "operation not permitted"),
    (2, "no such file or entry"),
    (3, "no such service"),
    (4, "interrupted"),
    (5, "input/output error"),
    (6, "no such device or address"),
    (9, "bad file descriptor"),
    (11, "would block"),
    (12, "out of memory"),
    (13, "permission denied"),
    (14, "bad address"),
    (16, "busy"),
    (17, "exists already"),
    (19, "no such device"),
    (20, "not a directory"),
    (21, "is a directory"),
    (22, "invalid argument"),
    (23, "too many open files in the system"),
    (24, "too many open files"),
    (27, "file too large"),
    (28, "no space left on device"),
    (30, "read-only file system"),
    (32, "broken pipe"),
    (34, "value out of range"),
    (40, "too many symbolic links"),
    (71, "protocol error"),
    // Ours, where a timeout is laid to it; no call of this program returns it.
    (75, "neighbour table full"),
    (90, "message too long"),
    (92, "protocol option not available"),
    (93, "protocol not supported"),
    (95, "operation not supported"),
    (97, "address family not supported"),
    (98, "address in use"),
    (99, "address not available"),
    (100, "network is down"),
    (101, "network unreachable"),
    (103, "connection aborted"),
    (104, "connection reset"),
    (105, "no buffer space"),
    (107, "not connected"),
    (110, "timed out"),
    (111, "connection refused"),
    (112, "host is down"),
    (113, "no route to host"),
    (TRACKED_FULL, "table of tracked connections full"),
    (NO_WAY, "not in the IPVS table"),
    (REPLIES_DROPPED, "set accept_local 1, rp_filter 0"),
    (ONLY_VIRTUAL, "no address of our own: bindto"),
    (BACKUP_ONLY, "not with vs.backup_only"),
];

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TEXTS.iter().find(|(errno, _)| *errno == self.0) {
            Some((_, text)) => f.pad(text),
            None => write!(f, "errno {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_errors_have_a_text_and_others_their_number() {
        assert_eq!(Text(111).to_string(), "connection refused");
        assert_eq!(Text(113).to_string(), "no route to host");
        assert_eq!(Text(4000).to_string(), "errno 4000");
    }

    #[test]
    fn the_table_is_in_order_and_names_no_number_twice() {
        assert!(TEXTS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
