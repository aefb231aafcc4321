//! The kernel's side of the reactor: one epoll descriptor. Sources are registered once, edge-triggered for both
//! directions, so that no system call is needed when interest changes; whoever waits must have met "would block".

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::error::Error;
use super::sys;
use crate::time::Duration;

/// Events taken from the kernel in one call; more stay there for the next.
pub const MAX_EVENTS: usize = 64;

/// An epoll instance.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
}

/// Room for the events of one wait.
pub struct Events {
    buffer: Box<[epoll::Event; MAX_EVENTS]>,
    len: usize,
}

/// What happened to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The token it was registered with.
    pub token: u64,
    /// Reading may succeed, or report the end or an error.
    pub readable: bool,
    /// Writing may succeed or report an error.
    pub writable: bool,
    /// There is an error, or both directions have ended.
    pub broken: bool,
}

impl Poll {
    /// A new instance without sources.
    ///
    /// # Errors
    /// No descriptor or no memory.
    pub fn open() -> Result<Self, Error> {
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|errno| Error::new("open", "epoll", errno))?;
        Ok(Self { epoll })
    }

    /// Watches `source` until it is closed; its events carry `token`. An event may still be on its way then.
    ///
    /// # Errors
    /// `PERM` for a descriptor that cannot be watched (a regular file), no memory.
    pub fn add(&self, source: impl AsFd, token: u64) -> Result<(), Error> {
        let flags =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(&self.epoll, source, epoll::EventData::new_u64(token), flags)
            .map_err(|errno| Error::new("watch", "descriptor", errno))
    }

    /// Waits until something happens or `timeout` has passed (`None`: for ever). Interrupted waits return early
    /// with no event.
    ///
    /// # Errors
    /// A bug of ours: a bad descriptor or buffer.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Error> {
        let timeout = timeout.map(timespec);
        events.len = 0;
        match sys::epoll::wait(self.epoll.as_fd(), &mut *events.buffer, timeout.as_ref()) {
            Ok(count) => events.len = count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::new("wait for", "events", errno)),
        }
        Ok(())
    }
}

impl Default for Events {
    fn default() -> Self {
        let empty = epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
        Self { buffer: Box::new([empty; MAX_EVENTS]), len: 0 }
    }
}

impl Events {
    /// What the last wait brought.
    pub fn iter(&self) -> impl Iterator<Item = Readiness> {
        self.buffer.iter().take(self.len).map(|event| readiness(*event))
    }
}

fn readiness(event: epoll::Event) -> Readiness {
    let (flags, token) = (event.flags, event.data.u64());
    let broken = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
    Readiness {
        token,
        readable: broken || flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP),
        writable: broken || flags.contains(epoll::EventFlags::OUT),
        broken,
    }
}

fn timespec(duration: Duration) -> Timespec {
    let micros = duration.as_micros();
    Timespec {
        tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from((micros % 1_000_000) * 1_000).unwrap_or(0),
    }
}
