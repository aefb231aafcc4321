//! A pseudo-terminal with a program on it: what somebody types and sees at a console.
//!
//! What the program writes is read only while something is waited for, so that a terminal that stalls is one that
//! nobody waits at.

use std::cell::RefCell;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::wait;

/// The terminal: our end, and the path of the other.
#[derive(Debug)]
pub struct Terminal {
    ours: OwnedFd,
    theirs: OwnedFd,
    path: CString,
    seen: RefCell<Vec<u8>>,
}

impl Terminal {
    /// A terminal of 80 columns and 24 rows.
    #[expect(clippy::new_without_default, reason = "it takes something from the kernel")]
    pub fn new() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).expect("a pseudo-terminal");
        grantpt(&ours).expect("grant it");
        unlockpt(&ours).expect("unlock it");
        let path = ptsname(&ours, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(&path, flags, Mode::empty()).expect("open the other end");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("set its size");
        rustix::io::ioctl_fionbio(&ours, true).expect("never wait in a read");
        Self { ours, theirs, path, seen: RefCell::default() }
    }

    /// The other end's path.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a path is text")
    }

    /// The other end, for a child's streams.
    pub fn end(&self) -> OwnedFd {
        self.theirs.try_clone().expect("share the other end")
    }

    /// True if the kernel echoes what is typed, as it does for a shell.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.theirs).expect("its attributes").local_modes.contains(LocalModes::ECHO)
    }

    /// Types. What the other end does not take is waited for, and what it says meanwhile is read.
    pub fn send(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = wait::until("the terminal to take what is typed", wait::secs(30), || {
                self.read();
                rustix::io::write(&self.ours, bytes).ok().filter(|count| *count > 0)
            });
            bytes = &bytes[taken..];
        }
    }

    /// Types without reading what comes back; how many bytes were taken.
    pub fn send_blindly(&self, bytes: &[u8]) -> usize {
        rustix::io::write(&self.ours, bytes).unwrap_or(0)
    }

    /// Forgets what was shown.
    pub fn clear(&self) {
        self.read();
        self.seen.borrow_mut().clear();
    }

    /// What was shown since the last [`Self::clear`].
    pub fn shown(&self) -> String {
        self.read();
        String::from_utf8_lossy(&self.seen.borrow()).into_owned()
    }

    /// Waits until `needle` was shown, and returns everything that was.
    #[track_caller]
    pub fn wait_for(&self, needle: &str, within: Duration) -> String {
        let found = wait::maybe(within, || Some(self.shown()).filter(|shown| shown.contains(needle)));
        found.unwrap_or_else(|| panic!("no {needle:?} within {within:?} in {:?}", self.shown()))
    }

    fn read(&self) {
        let mut bytes = [0; 4_096];
        while let Ok(count @ 1..) = rustix::io::read(&self.ours, &mut bytes) {
            self.seen.borrow_mut().extend_from_slice(&bytes[..count]);
        }
    }
}
