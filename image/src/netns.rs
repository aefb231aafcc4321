//! Network namespaces, and LANs made of them: a bridge in a namespace of its own with hosts on veth pairs.
//!
//! Names carry our process id: runs do not meet, and what a killed run left behind is removed by the next one.
//! The bridge forgets every address at once and so repeats every frame to every port, as a hub: an observer on it
//! sees unicast too. Needs root and `ip` of iproute2.

use std::cell::Cell;
use std::fs::{self, File};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cleanup;
use crate::process::output_of;

/// Where iproute2 keeps named namespaces.
pub(crate) const DIRECTORY: &str = "/run/netns";

static NEXT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A network namespace with its loopback up. Dropped, its processes are killed and it is deleted.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new namespace; `label` is part of its name.
    pub fn new(label: &str) -> Self {
        SWEEP.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = cleanup::name(number, label);
        ip(&format!("netns add {name}"));
        let namespace = Self { name };
        // Duplicate address detection delays an address by a second, and nobody else is on these wires.
        for scope in ["all", "default"] {
            namespace.sysctl(&format!("net.ipv6.conf.{scope}.accept_dad"), "0");
        }
        namespace.ip("link set lo up");
        namespace
    }

    /// The name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command inside the namespace. Its process dies with the thread that starts it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "setpriv", "--pdeathsig", "KILL"]).arg(program);
        command
    }

    /// Runs a program inside with words split at blanks, and returns its standard output; it must succeed.
    #[track_caller]
    pub fn run(&self, words: &str) -> String {
        let mut words = words.split_whitespace();
        let mut command = self.command(words.next().expect("a program"));
        command.args(words);
        output_of(command)
    }

    /// Runs `ip WORDS` inside, and returns its standard output.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        ip(&format!("-n {} {words}", self.name))
    }

    /// Runs `work` on a thread inside the namespace. Sockets opened there stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("{DIRECTORY}/{}", self.name)).expect("open the namespace");
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("enter the namespace");
                work()
            });
            match inside.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Sets a sysctl of the namespace, by its dotted name.
    #[track_caller]
    pub fn sysctl(&self, name: &str, value: &str) {
        // Dots inside an interface's name are no separators, but no interface of ours has one.
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.enter(|| fs::write(&path, value)).unwrap_or_else(|error| panic!("{name} = {value}: {error}"));
    }

    /// The addresses of `interface`, as `ADDRESS/LENGTH`, in the kernel's order.
    pub fn addresses(&self, interface: &str) -> Vec<String> {
        let listing = self.ip(&format!("-o addr show dev {interface}"));
        let rows = listing.lines().filter_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| !matches!(*word, "inet" | "inet6"));
            words.nth(1).map(str::to_owned)
        });
        rows.collect()
    }

    /// True if `interface` has `address`, whatever the prefix length.
    pub fn has_address(&self, interface: &str, address: &str) -> bool {
        self.addresses(interface).iter().any(|row| row.split('/').next() == Some(address))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// A LAN: a bridge in a namespace of its own.
#[derive(Debug)]
pub struct Lan {
    bridge: Namespace,
    ports: Cell<u32>,
}

impl Lan {
    /// An empty LAN.
    pub fn new() -> Self {
        let bridge = Namespace::new("lan");
        bridge.sysctl("net.ipv6.conf.all.disable_ipv6", "1");
        bridge.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 0");
        bridge.ip("link set br0 up");
        Self { bridge, ports: Cell::new(0) }
    }

    /// A host on the LAN, with `addresses` (`ADDRESS/LENGTH`) on its `eth0`.
    pub fn host(&self, label: &str, addresses: &[&str]) -> Host {
        let namespace = Namespace::new(label);
        let port = self.attach(&namespace, "eth0");
        for address in addresses {
            let nodad = if address.contains(':') { " nodad" } else { "" };
            namespace.ip(&format!("addr add {address} dev eth0{nodad}"));
        }
        Host { namespace, port }
    }

    /// Gives `namespace` one more interface on this LAN, up, and returns the name of its port on the bridge.
    pub fn attach(&self, namespace: &Namespace, interface: &str) -> String {
        let number = self.ports.get();
        self.ports.set(number + 1);
        let port = format!("p{number}");
        let (bridge, inside) = (self.bridge.name(), namespace.name());
        ip(&format!("link add {port} netns {bridge} type veth peer name {interface} netns {inside}"));
        self.bridge.ip(&format!("link set {port} master br0 up"));
        namespace.ip(&format!("link set {interface} up"));
        port
    }

    /// Takes `interface` of our own namespace as one more port: the LAN's way to the world outside.
    pub fn uplink(&self, interface: &str) {
        ip(&format!("link set {interface} netns {}", self.bridge.name()));
        self.bridge.ip(&format!("link set {interface} master br0 up"));
    }

    /// Pulls the cable: the host's interface loses its carrier.
    pub fn cut(&self, host: &Host) {
        self.bridge.ip(&format!("link set {} down", host.port));
    }

    /// Puts the cable back.
    pub fn join(&self, host: &Host) {
        self.bridge.ip(&format!("link set {} up", host.port));
    }

    /// Loses every frame from and to the host, whose carrier stays: a switch that went mad.
    pub fn isolate(&self, host: &Host) {
        self.bridge.run(&format!("bridge link set dev {} state 0", host.port));
    }

    /// Forwards its frames again.
    pub fn restore(&self, host: &Host) {
        self.bridge.run(&format!("bridge link set dev {} state 3", host.port));
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

/// A namespace on a [`Lan`] by its `eth0`.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    port: String,
}

impl Deref for Host {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

/// Runs `ip WORDS`; it must succeed.
#[track_caller]
fn ip(words: &str) -> String {
    let mut command = Command::new("ip");
    command.args(words.split_whitespace());
    output_of(command)
}

/// Kills what runs in a namespace and deletes it. Says nothing of what is already gone.
pub(crate) fn remove(name: &str) {
    if let Ok(listing) = Command::new("ip").args(["netns", "pids", name]).output() {
        for word in String::from_utf8_lossy(&listing.stdout).split_whitespace() {
            if let Some(pid) = word.parse().ok().and_then(rustix::process::Pid::from_raw) {
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
            }
        }
    }
    Command::new("ip").args(["netns", "del", name]).output().ok();
}

/// Removes the namespaces of runs whose process is gone.
fn sweep() {
    cleanup::left_behind(Path::new(DIRECTORY)).iter().for_each(|name| remove(name));
}
