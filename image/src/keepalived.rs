//! Debian's keepalived as a peer: many at once, each in its own namespace with its own pid files.

use crate::netns::Namespace;
use crate::process::Process;
use crate::scratch::Scratch;

/// Starts keepalived on the configuration `text`. Its log lines are the process's output; its files are in `scratch`
/// under names that begin with the namespace's.
pub fn start(namespace: &Namespace, text: &str, scratch: &Scratch) -> Process {
    start_with(&["-D"], namespace, text, scratch)
}

/// The same without its detailed log, which costs it time: a line for each announcement.
pub fn start_terse(namespace: &Namespace, text: &str, scratch: &Scratch) -> Process {
    start_with(&[], namespace, text, scratch)
}

fn start_with(options: &[&str], namespace: &Namespace, text: &str, scratch: &Scratch) -> Process {
    let stem = namespace.name();
    let file = scratch.write(&format!("{stem}.conf"), text);
    let path = |suffix: &str| scratch.join(&format!("{stem}.{suffix}"));
    let mut command = namespace.command("keepalived");
    command.args(["-n", "-l"]).args(options);
    for (flag, value) in
        [("-f", file), ("-p", path("pid")), ("-r", path("vrrp.pid")), ("-c", path("checkers.pid"))]
    {
        command.arg(flag).arg(value);
    }
    Process::spawn(command, &format!("keepalived in {stem}"), &path("log"))
}
