//! Debian's keepalived as a peer: many at once, each in its own namespace with its own pid files.

use std::ffi::OsString;

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
    let mut command = namespace.command("keepalived");
    command.args(options).args(arguments(namespace, text, scratch));
    let stem = namespace.name();
    Process::spawn(command, &format!("keepalived in {stem}"), &scratch.join(&format!("{stem}.log")))
}

/// The arguments that it is started with, its configuration being `text`: in the foreground, its log on standard error.
pub fn arguments(namespace: &Namespace, text: &str, scratch: &Scratch) -> Vec<OsString> {
    let stem = namespace.name();
    let file = scratch.write(&format!("{stem}.conf"), text);
    let path = |suffix: &str| scratch.join(&format!("{stem}.{suffix}"));
    let mut words = vec!["-n".into(), "-l".into()];
    for (flag, value) in
        [("-f", file), ("-p", path("pid")), ("-r", path("vrrp.pid")), ("-c", path("checkers.pid"))]
    {
        words.extend([flag.into(), value.into()]);
    }
    words
}
