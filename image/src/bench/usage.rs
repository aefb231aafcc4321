//! What a program uses, its children included: memory as the kernel accounts it, threads, processor time to the
//! nanosecond (`/proc/PID/smaps_rollup`, `status`, `task/*/schedstat`; proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// What a process and all its descendants use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Proportional set size in KiB: shared pages are divided among those that share them.
    pub pss_kib: u64,
    /// Resident set size in KiB; shared pages count for each.
    pub rss_kib: u64,
    /// The sum of the largest resident sets so far, in KiB.
    pub peak_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Processes.
    pub processes: u64,
}

/// The process and its descendants.
pub fn tree(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        next += 1;
        // A child is the one of the thread that started it.
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    all
}

/// What they use now.
pub fn usage(pid: u32) -> Usage {
    let mut sum = Usage::default();
    for pid in tree(pid) {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        sum.pss_kib += value(&rollup, "Pss:");
        // What `status` says lags behind by up to 64 pages for each kind of page and thread (mm/memory.c of 6.1).
        let rss = value(&rollup, "Rss:");
        sum.rss_kib += rss;
        sum.peak_kib += value(&status, "VmHWM:").max(rss);
        sum.threads += value(&status, "Threads:");
        sum.processes += 1;
    }
    sum
}

fn value(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Processor time that they have used, in user and kernel mode. That of children that have ended counts, to 10 ms.
pub fn cpu(pid: u32) -> Duration {
    let tree = tree(pid);
    tree.into_iter().map(|pid| threads_cpu(pid).unwrap_or_default() + ended_children_cpu(pid)).sum()
}

/// cutime and cstime of proc(5), in hundredths of a second.
fn ended_children_cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which is in parentheses and may hold anything, the first field is the third.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// True if one of their threads runs, waits for the processor, or for a disk (proc(5): states R and D).
pub fn is_busy(pid: u32) -> bool {
    let threads = tree(pid)
        .into_iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    threads.into_iter().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        matches!(state, Some('R' | 'D'))
    })
}

/// Bytes of the executable and of the shared libraries that they map, each file once. Needs root.
pub fn mapped_files(pid: u32) -> u64 {
    let mut files = BTreeMap::new();
    for pid in tree(pid) {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        // `7f0d2b3c4000-7f0d2b3e9000 r-xp 00022000 00:1b 1234    /usr/lib/x86_64-linux-gnu/libc.so.6`
        let ranges = maps.lines().filter_map(|line| line.split_once(" r-xp ")?.0.split_once('-'));
        for (start, end) in ranges {
            // The path may be one of another mount namespace, the link is not; its name is without leading zeros.
            let [start, end] = [start, end].map(|address| address.trim_start_matches('0'));
            if let Ok(file) = fs::metadata(format!("/proc/{pid}/map_files/{start}-{end}")) {
                files.insert((file.dev(), file.ino()), file.len());
            }
        }
    }
    files.values().sum()
}

fn threads_cpu(pid: u32) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let nanos = text.split_whitespace().next().and_then(|word| word.parse().ok());
        sum += Duration::from_nanos(nanos.unwrap_or(0));
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_at_least_what_it_was_made_to_use() {
        let before = cpu(std::process::id());
        let filled = std::hint::black_box(vec![1_u8; 32 << 20]);
        let sum = (0..50).fold(0_u64, |sum, _| sum + filled.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        assert_eq!(sum, 50 * (32 << 20));
        let used = usage(std::process::id());
        assert!(
            used.pss_kib > 32 << 10 && used.rss_kib >= used.pss_kib && used.peak_kib >= used.rss_kib,
            "{used:?}"
        );
        assert!(used.threads >= 1 && cpu(std::process::id()) > before);
    }

    #[test]
    fn children_count() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let count = tree(std::process::id()).len();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(count >= 2, "{count}");
    }

    #[test]
    fn children_that_have_ended_count() {
        let before = ended_children_cpu(std::process::id());
        let work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        assert!(std::process::Command::new("sh").args(["-c", work]).status().unwrap().success());
        assert!(ended_children_cpu(std::process::id()) > before);
    }

    #[test]
    fn the_executable_is_among_what_is_mapped() {
        let own = fs::metadata(std::env::current_exe().unwrap()).unwrap().len();
        assert!(mapped_files(std::process::id()) >= own);
    }
}
