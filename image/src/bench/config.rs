//! How long the largest configuration takes to check and how much memory: `lvsbox check` beside `keepalived -t`.
//!
//! Memory is the process's own high-water mark, read each millisecond while it runs, that of keepalived's largest
//! child with it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::netns::Lan;
use crate::scratch::Scratch;

/// Services of the largest configuration.
pub const SERVICES: usize = 4_096;
/// Real servers of each; together as many as there can be.
pub const SERVERS: usize = 16;

/// A file of about 12 MB: [`SERVICES`] services with [`SERVERS`] real servers each, checked in turn by `HTTP_GET` and
/// `TCP_CHECK`.
pub fn largest_services() -> String {
    let mut text = String::new();
    for service in 0..SERVICES {
        let (high, low) = (service / 256, service % 256);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "virtual_server 10.{high}.{low}.1 80 {{\n    delay_loop 60\n    lb_algo wrr\n    lb_kind NAT\n    protocol TCP\n"
        );
        for server in 0..SERVERS {
            let _ =
                write!(text, "    real_server 10.{}.{low}.{server} 80 {{\n        weight 10\n", 100 + high);
            text.push_str(if server % 2 == 0 {
                "        HTTP_GET {\n            url {\n                path /health\n                status_code 200\n            }\n            connect_timeout 3\n        }\n    }\n"
            } else {
                "        TCP_CHECK {\n            connect_timeout 3\n            connect_port 8080\n        }\n    }\n"
            });
        }
        text.push_str("}\n");
    }
    text
}

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// Processor time in user mode, its children's included; to 10 ms.
    pub user: Duration,
    /// Largest resident set of it or a child, in KiB.
    pub peak_kib: u64,
    /// Whether it ended with status 0.
    pub success: bool,
}

/// Runs `command` to its end.
pub fn measure(mut command: Command) -> Cost {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().expect("start the program");
    let (pid, mut peak_kib, mut ticks) = (child.id(), 0, 0);
    loop {
        peak_kib = peak_kib.max(largest(pid));
        ticks = user_ticks(pid).max(ticks);
        let ended = child.try_wait().expect("wait for the program");
        if let Some(status) = ended {
            let user = Duration::from_millis(10 * ticks);
            return Cost { wall: start.elapsed(), user, peak_kib, success: status.success() };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// `VmHWM` of the process or of one of its children.
fn largest(pid: u32) -> u64 {
    let own = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = own.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|word| word.parse().ok()).map(largest).fold(own, u64::max)
}

/// utime and cutime of proc(5), in hundredths of a second.
fn user_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // The third field is the first behind the name.
    fields
        .enumerate()
        .filter(|(index, _)| matches!(index, 11 | 13))
        .filter_map(|(_, word)| word.parse::<u64>().ok())
        .sum()
}

/// Writes the file, runs both programs on it, and says what each took. `binary` is lvsbox, built for release.
pub fn run(binary: &Path) -> String {
    let scratch = Scratch::new("bench");
    let text = largest_services();
    let file = scratch.write("largest.conf", &text);
    let lan = Lan::new();
    let host = lan.host("bench", &["10.255.0.1/24"]);
    let mut report =
        format!("{} bytes, {SERVICES} services, {} real servers\n", text.len(), SERVICES * SERVERS);
    let mut lvsbox = Command::new(binary);
    lvsbox.arg("check").arg(&file);
    let mut keepalived = host.command("keepalived");
    keepalived.arg("-t").arg("-f").arg(&file);
    for (name, command) in [("lvsbox check", lvsbox), ("keepalived -t", keepalived)] {
        let Cost { wall, user, peak_kib, success } = measure(command);
        let _ = writeln!(
            report,
            "{name:14} {:6.2} s, {:5.2} s user, {peak_kib:7} KiB peak, {}",
            wall.as_secs_f64(),
            user.as_secs_f64(),
            if success { "accepted" } else { "refused" }
        );
    }
    report
}
