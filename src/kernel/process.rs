//! What the kernel says of this process (`/proc/self/status`, proc(5)), and its limit of open descriptors.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::Error;

/// Figures of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Resident memory in KiB, pages of the binary included.
    pub resident_kib: u64,
    /// Threads; this program promises one.
    pub threads: u64,
    /// Bytes of address space.
    pub mapped: usize,
    /// Bytes of it that are private and may be written, the stack not included.
    pub data: usize,
}

/// Reads the figures without allocating; a field that is not there is zero.
///
/// # Errors
/// `NOENT` without `/proc`.
pub fn status() -> Result<Status, Error> {
    let mut buffer = [0; 4_096];
    let text = read("/proc/self/status", &mut buffer)?;
    Ok(Status {
        resident_kib: field(text, "VmRSS:"),
        threads: field(text, "Threads:"),
        mapped: bytes(text, "VmSize:"),
        data: bytes(text, "VmData:"),
    })
}

/// The beginning of a small file of the kernel's.
fn read<'b>(name: &str, buffer: &'b mut [u8; 4_096]) -> Result<&'b str, Error> {
    let fail = |errno| Error::new("read", name, errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(name, flags, Mode::empty()).map_err(fail)?;
    let length = rustix::io::read(&file, &mut buffer[..]).map_err(fail)?;
    core::str::from_utf8(buffer.get(..length).unwrap_or(&[])).map_err(|_| fail(Errno::ILSEQ))
}

/// Memory that this process may have, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes, with all that is mapped already.
    pub bytes: usize,
    /// The bound.
    pub bound: &'static str,
}

/// The narrowest bound of this process's memory: its limits (getrlimit(2)), its control group, what the machine has
/// left (proc(5)), and `budget`, the board's; [`usize::MAX`] without one.
pub fn room(budget: usize) -> Room {
    let status = status().unwrap_or_default();
    let limit = |resource| getrlimit(resource).current.map_or(usize::MAX, size);
    let mut buffer = [0; 4_096];
    // Who has swap space is not kept from starting by what others hold: their pages give way.
    let free = |text| bytes(text, "MemAvailable:") + bytes(text, "SwapFree:");
    let machine = match read("/proc/meminfo", &mut buffer).map_or(0, free) {
        0 => usize::MAX,
        free => free + size(status.resident_kib) * 1_024,
    };
    let other = status.mapped.saturating_sub(status.data);
    let bounds = [
        ("ulimit -v", limit(Resource::As)),
        ("ulimit -d", limit(Resource::Data).saturating_add(other)),
        ("memory limit of the control group", group_limit().unwrap_or(usize::MAX)),
        ("memory of the board", budget),
        ("memory of the machine", machine),
    ];
    let narrowest = bounds.into_iter().min_by_key(|(_, bytes)| *bytes);
    narrowest.map_or(Room { bytes: budget, bound: "" }, |(bound, bytes)| Room { bytes, bound })
}

/// The limit of memory of this process's control group (cgroups(7)); nothing without one.
fn group_limit() -> Option<usize> {
    let mut buffer = [0; 4_096];
    narrowest_group("/sys/fs/cgroup", read("/proc/self/cgroup", &mut buffer).ok()?)
}

/// The narrowest limit of the groups that `text` (`/proc/self/cgroup`) names and of all above them, as each holds for
/// what is below it: `memory.max` of version 2, or `memory.limit_in_bytes` of version 1, mounted below `mounts`. A
/// container may see its own group as the root, and others' names: what is not there is no limit.
fn narrowest_group(mounts: &str, text: &str) -> Option<usize> {
    let limit = |line: &str| {
        let (controllers, mut group) = line.split_once(':')?.1.split_once(':')?;
        let (mount, file) = match controllers {
            "" => ("", "/memory.max"),
            "memory" => ("/memory", "/memory.limit_in_bytes"),
            _ => return None,
        };
        group = group.trim_end_matches('/');
        let mut least = None;
        loop {
            let mut buffer = [0; 4_096];
            let name = [mounts, mount, group, file].concat();
            let here = read(&name, &mut buffer).ok().and_then(|text| text.trim_end().parse::<usize>().ok());
            // `None` is the smallest of options.
            least = least.into_iter().chain(here).min();
            match group.rsplit_once('/') {
                Some((above, _)) => group = above,
                None => return least,
            }
        }
    };
    text.lines().filter_map(limit).min()
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Raises the soft limit of open descriptors to `need`, and the hard limit if we may. Returns the limit that holds.
///
/// # Errors
/// The limit stays below `need`: `PERM`, with the need as object.
pub fn raise_descriptor_limit(need: u64) -> Result<u64, Error> {
    let held = getrlimit(Resource::Nofile);
    if held.current.is_none_or(|current| current >= need) {
        return Ok(held.current.unwrap_or(u64::MAX));
    }
    let maximum = held.maximum.map(|maximum| maximum.max(need));
    if setrlimit(Resource::Nofile, Rlimit { current: Some(need), maximum }).is_ok() {
        return Ok(need);
    }
    // Not allowed to raise the hard limit: take what there is, the rest is reported.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: held.maximum, maximum: held.maximum });
    Err(Error::new("raise the limit of open files to", need, Errno::PERM))
}

/// The soft limit of open descriptors.
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Asks for timers without slack (`PR_SET_TIMERSLACK`, prctl(2)): by default the kernel may wake us 50 us late to
/// save a wake-up, and every advert would be.
pub fn wake_on_time() {
    // A kernel without it wakes as it did.
    let _ = rustix::thread::set_current_timer_slack(Some(core::num::NonZeroU64::MIN));
}

/// This process.
pub fn id() -> u32 {
    std::process::id()
}

/// The host's name, empty if it is not UTF-8. Allocates: to be asked at start.
pub fn host_name() -> Box<str> {
    rustix::system::uname().nodename().to_str().unwrap_or_default().into()
}

/// The effective user.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A field that is in KiB.
fn bytes(text: &str, name: &str) -> usize {
    size(field(text, name)).saturating_mul(1_024)
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_the_kernel() {
        let status = status().unwrap();
        assert!(status.resident_kib > 100);
        assert!(status.threads >= 1);
    }

    #[test]
    fn narrowest_bound_of_memory_is_named() {
        let board = room(1 << 20);
        assert_eq!(board, Room { bytes: 1 << 20, bound: "memory of the board" });
        let all = room(usize::MAX);
        assert!(all.bytes > 1 << 20 && all.bytes < usize::MAX && all.bound != board.bound, "{all:?}");
        let status = status().unwrap();
        assert!(status.mapped > size(status.resident_kib) * 1_024 && status.data < status.mapped);
    }

    #[test]
    fn the_narrowest_limit_of_a_control_group_and_all_above_it_counts() {
        let root = std::env::temp_dir().join(format!("lvsbox-groups-{}", std::process::id()));
        let put = |name: &str, text: &str| {
            let file = root.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        let limit = |text: &str| narrowest_group(root.to_str().unwrap(), text);
        put("a/b/c/memory.max", "max\n");
        assert_eq!(limit("0::/a/b/c\n"), None, "`max` is none");
        put("a/b/c/memory.max", "5000\n");
        put("a/memory.max", "4000\n");
        put("z/memory.max", "1\n");
        assert_eq!(limit("1:name=systemd:/z\n0::/a/b/c\n"), Some(4_000), "that of an ancestor");
        put("a/b/c/memory.max", "3000\n");
        assert_eq!(limit("0::/a/b/c\n"), Some(3_000), "its own");
        assert_eq!(limit("0::/a/b\n"), Some(4_000));
        assert_eq!(limit("0::/\n"), None);
        put("memory.max", "2000\n");
        assert_eq!(limit("0::/\n"), Some(2_000), "a container's own is the root that it sees");
        assert_eq!(limit("0::/of/others\n0::/a/b/c\n"), Some(2_000));
        // Version 1, whose groups without a limit have a very large one.
        put("memory/x/memory.limit_in_bytes", "9223372036854771712\n");
        put("memory/memory.limit_in_bytes", "1500\n");
        assert_eq!(limit("4:memory:/x\n3:cpuset:/a\n0::/a\n"), Some(1_500));
        assert_eq!(limit(""), None);
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn timers_have_no_slack_once_it_was_asked_for() {
        wake_on_time();
        assert_eq!(rustix::thread::current_timer_slack(), Ok(1));
    }

    #[test]
    fn a_limit_that_suffices_is_left_alone() {
        let before = getrlimit(Resource::Nofile);
        raise_descriptor_limit(1).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, before.current);
    }
}
