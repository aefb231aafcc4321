//! Nothing stays behind, however a run ends.
//!
//! Values take down what they stand for when they are dropped, and every child dies with the thread that started it
//! (`setpriv --pdeathsig KILL`). That leaves directories and network namespaces when a run is killed: a signal is
//! answered by [`on_signal`], and what even SIGKILL left is swept at the next start. Names carry their owner's process
//! id, `lab-PID-NUMBER-LABEL`.
#![allow(unsafe_code, reason = "a signal's handler has no safe wrapper in the standard library or rustix")]

use std::fs;
use std::io::Read;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::netns;

/// What every name of ours begins with.
const PREFIX: &str = "lab-";
/// Signals that end a run: from the terminal, from who started it, from a terminal that has gone.
const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Where the handler writes the signal's number.
static WIRE: AtomicI32 = AtomicI32::new(-1);
static ENDING: AtomicBool = AtomicBool::new(false);
static LAST: Mutex<Vec<Box<dyn FnOnce() + Send>>> = Mutex::new(Vec::new());

/// The name of something that belongs to this process.
pub(crate) fn name(number: u32, label: &str) -> String {
    format!("{PREFIX}{}-{number}-{label}", std::process::id())
}

/// The process that `name` belongs to.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// The names in `directory` whose owner fits.
fn names(directory: &Path, fits: impl Fn(u32) -> bool) -> Vec<String> {
    let entries = fs::read_dir(directory).map(|entries| entries.flatten().collect::<Vec<_>>());
    let names =
        entries.unwrap_or_default().into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| owner(name).is_some_and(&fits)).collect()
}

/// The names in `directory` that a run left behind whose process is gone.
pub(crate) fn left_behind(directory: &Path) -> Vec<String> {
    names(directory, |pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true))
}

/// From now on SIGINT, SIGTERM and SIGHUP end the process by that same signal, after its children were killed and its
/// scratch directories and network namespaces removed. Call it once, before other threads start.
pub fn on_signal() {
    let (mut reader, writer) = UnixStream::pair().expect("a pair of sockets");
    WIRE.store(writer.into_raw_fd(), Ordering::SeqCst);
    for signal in SIGNALS {
        // SAFETY: the handler does only what signal-safety(7) allows, and lives as long as the program.
        let before = unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
        assert_ne!(before, libc::SIG_ERR, "catch signal {signal}");
    }
    // What another thread loses under its feet then is not worth a word: it waits for the end.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        while ENDING.load(Ordering::SeqCst) {
            std::thread::park();
        }
        hook(info);
    }));
    let watch = move || {
        let mut signal = [0];
        if reader.read_exact(&mut signal).is_ok() {
            end(signal[0].into());
        }
    };
    std::thread::Builder::new()
        .name("cleanup".to_owned())
        .spawn(watch)
        .expect("start the thread that cleans up");
}

/// Has `work` done before everything else when a signal ends the process, such as giving the terminal back its mode.
pub fn at_signal(work: impl FnOnce() + Send + 'static) {
    LAST.lock().expect("nobody panics with it").push(Box::new(work));
}

/// The handler: the signal's number goes to the thread that cleans up.
extern "C" fn note(signal: libc::c_int) {
    let byte = u8::try_from(signal).unwrap_or_default();
    // SAFETY: write(2) is async-signal-safe, and the pointer and the length are those of `byte`.
    unsafe { libc::write(WIRE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

fn end(signal: libc::c_int) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    let last = LAST.lock().map(|mut last| std::mem::take(&mut *last)).unwrap_or_default();
    last.into_iter().rev().for_each(|work| work());
    // Another thread may be starting the next child or directory: until there is nothing more, but not for ever.
    for _ in 0..20 {
        let children = kill_children();
        let removed = remove_ours();
        if children + removed == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: the signal has its default action again, which ends the process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
    loop {
        std::thread::park();
    }
}

/// Removes the directories and namespaces of this process; how many there were.
fn remove_ours() -> usize {
    let ours = |pid| pid == std::process::id();
    let namespaces = names(Path::new(netns::DIRECTORY), ours);
    namespaces.iter().for_each(|name| netns::remove(name));
    let scratch = names(&std::env::temp_dir(), ours);
    scratch.iter().for_each(|name| drop(fs::remove_dir_all(std::env::temp_dir().join(name))));
    namespaces.len() + scratch.len()
}

/// Kills the children that still run; how many there were.
fn kill_children() -> usize {
    let parent = std::process::id().to_string();
    let entries = fs::read_dir("/proc").map(|entries| entries.flatten().collect::<Vec<_>>());
    let mut count = 0;
    for entry in entries.unwrap_or_default() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // proc(5): state and parent stand behind the name, which is in brackets and may hold anything.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let mut words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        if words.next() != Some("Z")
            && words.next() == Some(&parent)
            && kill_process(pid, Signal::KILL).is_ok()
        {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;
    use crate::process::Process;
    use crate::scratch::Scratch;
    use crate::wait::{self, secs};

    /// Not a test of its own: what the next one runs in a process that it can end.
    #[test]
    fn victim() {
        let Ok(ready) = std::env::var("LAB_VICTIM") else { return };
        on_signal();
        at_signal({
            let ready = ready.clone();
            move || fs::write(format!("{ready}.last"), "").unwrap()
        });
        let scratch = Scratch::new("victim");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "sleep", "1000"]);
        let child = Process::spawn(command, "sleep", &scratch.join("log"));
        let namespace = rustix::process::geteuid().is_root().then(|| netns::Namespace::new("victim"));
        let names = (scratch.path().display(), child.pid(), namespace.as_ref().map(netns::Namespace::name));
        fs::write(format!("{ready}.part"), format!("{} {} {}", names.0, names.1, names.2.unwrap_or("none")))
            .unwrap();
        fs::rename(format!("{ready}.part"), &ready).unwrap();
        wait::until("a signal", secs(60), || child.has_ended().then_some(()));
        panic!("the child has gone: nobody shall see this");
    }

    #[test]
    fn a_signal_ends_the_process_and_leaves_no_child_no_directory_and_no_namespace() {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let scratch = Scratch::new("signal");
            let ready = scratch.join("ready");
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "cleanup::tests::victim", "--nocapture"]).env("LAB_VICTIM", &ready);
            let mut victim = Process::spawn(command, "the victim", &scratch.join("log"));
            let text = wait::until("the victim", secs(30), || fs::read_to_string(&ready).ok());
            let [directory, child, namespace] = text.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{text}")
            };
            assert!(fs::exists(directory).unwrap() && fs::exists(format!("/proc/{child}")).unwrap());
            victim.signal(signal);
            let status = victim.wait_exit(secs(30));
            assert_eq!(status.signal(), Some(signal.as_raw()), "{status} {}", victim.log());
            assert!(fs::exists(scratch.join("ready.last")).unwrap(), "what was to be done last");
            assert!(!fs::exists(directory).unwrap(), "{directory}");
            assert!(!fs::exists(format!("{}/{namespace}", netns::DIRECTORY)).unwrap(), "{namespace}");
            wait::until("the end of the child", secs(10), || {
                (!fs::exists(format!("/proc/{child}")).unwrap()).then_some(())
            });
            assert!(!victim.log().contains("nobody shall see this"), "{}", victim.log());
        }
    }

    #[test]
    fn only_what_a_dead_process_left_is_swept() {
        let scratch = Scratch::new("sweep");
        let mut child = Command::new("true").spawn().unwrap();
        let dead = format!("lab-{}-0-x", child.id());
        child.wait().unwrap();
        for name in [&*dead, &name(0, "x"), "lab-kept-1-x", "other-1-x", "lab-"] {
            fs::create_dir(scratch.join(name)).unwrap();
        }
        assert_eq!(left_behind(scratch.path()), [dead]);
    }
}
