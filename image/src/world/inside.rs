//! The world from inside its guest: a LAN with the guest's network card as its uplink, a client and two real servers
//! for direct routing on it, and the serial line over which it reports and is told.
//!
//! The web servers are busybox's. The main thread obeys; one thread writes what everybody says, one reads the orders,
//! one asks (see [`super::client`]).

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::line::{Order, Said};
use super::{CLIENT, SERVERS, VIP, client};
use crate::guest;
use crate::netns::{Host, Lan};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

/// A longer line of the control port is cut; nothing that is an order comes near.
const MAX_LINE: u64 = 256;

/// Builds the world, says `ready` on the terminal `control`, asks `target` ten times a second and obeys until it is
/// told to quit.
///
/// # Errors
/// Outside a guest of ours, and for a terminal that cannot be opened. What goes wrong afterwards is said on `control`.
///
/// # Panics
/// If the network cannot be built.
pub fn run(control: &Path, target: SocketAddr) -> Result<(), String> {
    if !guest::is_inside() {
        return Err("the world takes the machine's network card: only in a guest of ours".to_owned());
    }
    let port = open_raw(control).map_err(|error| format!("open {}: {error}", control.display()))?;
    let (say, said) = channel();
    let writing = port.try_clone().map_err(|error| format!("share {}: {error}", control.display()))?;
    thread::spawn(move || write_lines(writing, &said));
    let (give, orders) = channel();
    let saying = say.clone();
    thread::spawn(move || read_lines(port, &give, &saying));

    let Some(card) = network_card() else {
        return say_and_end(&say, "this machine has no network card");
    };
    let world = World::build(&card);
    say.send(Said::Ready).ok();
    let (start, asking) = (Instant::now(), say.clone());
    world.client.enter(|| thread::spawn(move || client::run(target, start, &asking)));
    world.obey(&orders, &say);
    Ok(())
}

/// The world ends with a word to the outside.
fn say_and_end(say: &Sender<Said>, text: &str) -> Result<(), String> {
    say.send(Said::Error(text.to_owned())).ok();
    Err(text.to_owned())
}

struct World {
    _lan: Lan,
    client: Host,
    servers: Vec<Server>,
}

impl World {
    fn build(card: &str) -> Self {
        let lan = Lan::new();
        lan.uplink(card);
        let client = lan.host("client", &[&format!("{CLIENT}/24")]);
        let servers = SERVERS.iter().map(|(name, address)| Server::new(&lan, name, address)).collect();
        Self { _lan: lan, client, servers }
    }

    fn obey(mut self, orders: &Receiver<Order>, say: &Sender<Said>) {
        for order in orders {
            let answer = match order {
                Order::Quit => return,
                Order::Kill(name) => self.with(&name, Server::kill, Said::Killed),
                Order::Restore(name) => self.with(&name, Server::restore, Said::Restored),
            };
            say.send(answer).ok();
        }
    }

    fn with(
        &mut self,
        name: &str,
        act: fn(&mut Server) -> Result<(), String>,
        done: fn(String) -> Said,
    ) -> Said {
        let Some(server) = self.servers.iter_mut().find(|server| server.name == name) else {
            return Said::Error(format!("no web server {name}"));
        };
        match act(server) {
            Ok(()) => done(name.to_owned()),
            Err(why) => Said::Error(why),
        }
    }
}

/// A real server for direct routing: the virtual address on `lo`, so that it accepts what a director forwards to it,
/// and no word about it in ARP.
struct Server {
    name: &'static str,
    host: Host,
    files: Scratch,
    process: Option<Process>,
}

impl Server {
    fn new(lan: &Lan, name: &'static str, address: &str) -> Self {
        let host = lan.host(name, &[&format!("{address}/24")]);
        // Before the address is there: otherwise it could be announced in between.
        host.sysctl("net.ipv4.conf.all.arp_ignore", "1");
        host.sysctl("net.ipv4.conf.all.arp_announce", "2");
        host.ip(&format!("addr add {VIP}/32 dev lo"));
        let files = Scratch::new(name);
        fs::create_dir(files.join("www")).expect("create the pages' directory");
        files.write("www/index.html", &format!("{name}\n"));
        let mut server = Self { name, host, files, process: None };
        server.restore().unwrap_or_else(|why| panic!("{why}"));
        server
    }

    fn kill(&mut self) -> Result<(), String> {
        if let Some(mut process) = self.process.take() {
            process.crash();
        }
        Ok(())
    }

    /// Returns when it listens.
    fn restore(&mut self) -> Result<(), String> {
        if self.process.as_ref().is_some_and(|process| !process.has_ended()) {
            return Ok(());
        }
        let mut command = self.host.command("busybox");
        command.args(["httpd", "-f", "-p", "80", "-h"]).arg(self.files.join("www"));
        let process = Process::spawn(command, self.name, &self.files.join("httpd"));
        let listens = || self.host.enter(|| TcpStream::connect("127.0.0.1:80")).ok();
        // It is looked at twice: one that could not listen has ended, and another must not answer for it.
        let up =
            wait::maybe(wait::secs(10), || process.has_ended().then_some(false).or(listens().map(|_| true)));
        if up != Some(true) || process.has_ended() {
            return Err(format!("{} does not listen: {}", self.name, process.log().trim()));
        }
        self.process = Some(process);
        Ok(())
    }
}

/// The first interface with a device behind it.
fn network_card() -> Option<String> {
    let entries = fs::read_dir("/sys/class/net").ok()?.flatten();
    let cards = entries.filter(|entry| entry.path().join("device").exists());
    cards.map(|entry| entry.file_name().to_string_lossy().into_owned()).min()
}

/// Opens a terminal as a wire for bytes: no echo, no lines, no signals.
fn open_raw(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from(OFlags::NOCTTY.bits()).unwrap_or_default();
    let path = PathBuf::from(path);
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    let mut attributes = tcgetattr(&file)?;
    attributes.make_raw();
    attributes.set_speed(115_200)?;
    tcsetattr(&file, OptionalActions::Flush, &attributes)?;
    Ok(file)
}

fn write_lines(mut port: File, said: &Receiver<Said>) {
    for said in said {
        if port.write_all(format!("{}\n", said.emit()).as_bytes()).is_err() {
            return;
        }
    }
}

/// Hands orders on, complains about the rest, and is told to quit when the port ends.
fn read_lines(port: File, orders: &Sender<Order>, say: &Sender<Said>) {
    let mut port = BufReader::new(port);
    let mut line = Vec::new();
    loop {
        line.clear();
        match port.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            Ok(0) | Err(_) => {
                orders.send(Order::Quit).ok();
                return;
            }
        }
        let text = String::from_utf8_lossy(&line);
        match Order::parse(&text) {
            Some(order) => {
                orders.send(order).ok();
            }
            None => {
                say.send(Said::Error(format!("unknown {:?}", text.trim()))).ok();
            }
        }
    }
}
