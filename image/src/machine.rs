//! The appliance on a machine of its own: a QEMU guest that boots an image, with network cards on wires, a serial
//! console and a monitor. It can be switched off and on, and its cables pulled.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::firmware::Firmware;
use crate::guest;
use crate::kernel::unpacked;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::serial::Serial;
use crate::wait;

/// The longest QEMU may take to be there.
const START: Duration = wait::secs(30);
/// Lines of the console that a failing test shows.
const TAIL: usize = 40;

static NEXT: AtomicU8 = AtomicU8::new(1);

/// What happens to the machine when its kernel asks for a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReboot {
    /// It starts again.
    Again,
    /// It ends, as after being switched off.
    Ends,
}

/// Where a network card is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wire {
    /// It has a carrier, and nobody else is on its wire.
    Alone,
    /// A port of a switch, by its socket.
    Switch(PathBuf),
}

/// A machine that is not switched on yet.
#[derive(Debug, Clone)]
pub struct Setup {
    name: String,
    memory: u32,
    wires: Vec<Wire>,
    on_reboot: OnReboot,
}

impl Setup {
    /// A machine of 128 MiB without a network card, which ends when its kernel asks for a reboot. `name` names it in
    /// messages and is the host's name in the console's prompt ([`Serial::set_prompt`]).
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), memory: 128, wires: Vec::new(), on_reboot: OnReboot::Ends }
    }

    /// With so many MiB of memory.
    #[must_use]
    pub const fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// With `count` more network cards, each with a carrier and nobody else on its wire.
    #[must_use]
    pub fn alone(mut self, count: usize) -> Self {
        self.wires.resize(self.wires.len() + count, Wire::Alone);
        self
    }

    /// With one more network card, on the port of a switch ([`crate::switch::Switch::wire`]).
    #[must_use]
    pub fn wire(mut self, socket: &Path) -> Self {
        self.wires.push(Wire::Switch(socket.to_owned()));
        self
    }

    /// What is to happen when the kernel asks for a reboot.
    #[must_use]
    pub const fn on_reboot(mut self, on_reboot: OnReboot) -> Self {
        self.on_reboot = on_reboot;
        self
    }

    /// Switches it on with `firmware`.
    ///
    /// # Panics
    /// If the image cannot be built, or QEMU does not start.
    pub fn boot(self, firmware: &Firmware) -> Machine {
        let scratch = Scratch::new(&format!("machine-{}", self.name));
        fs::write(scratch.join("initramfs"), firmware.build().expect("build the image"))
            .expect("write the image");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let command_line = firmware.board.command_line.clone();
        let serial = Serial::open(&self.name, &scratch.join("serial"));
        serial.set_prompt(&format!("{}> ", self.name));
        let process = start(&self, &scratch, number, &command_line);
        let machine = Machine { setup: self, process, serial, number, command_line, first_row: 0, scratch };
        machine.wait_start();
        machine
    }
}

/// A machine. Dropped, it is killed; if the test is failing then, the end of its console is shown.
#[derive(Debug)]
pub struct Machine {
    setup: Setup,
    process: Process,
    serial: Serial,
    number: u8,
    command_line: String,
    /// Row of the serial line at which it was switched on last.
    first_row: usize,
    scratch: Scratch,
}

impl Machine {
    /// Its serial console. It stays the same over [`Self::power_on`].
    pub const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Every byte that left the guest's UART, over all its lives, whether or not somebody read it.
    pub fn serial_log(&self) -> Vec<u8> {
        fs::read(self.scratch.join("serial.log")).unwrap_or_default()
    }

    /// Process id of the QEMU that runs, or ran last.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The address of the network card `card`, counted from 0: `52:54:00:00:MM:NN`, where MM is the machine's and NN
    /// the card's. It stays the same over [`Self::power_on`].
    pub fn mac(&self, card: usize) -> String {
        mac(self.number, card)
    }

    /// Everything the serial console showed since the machine was switched on, as rows of a terminal.
    pub fn console(&self) -> String {
        self.serial.shown_from(self.first_row)
    }

    /// Waits for a line of [`Self::console`] that contains `needle`, and returns it.
    ///
    /// # Panics
    /// If it does not come `within`; the message holds what the console said.
    #[track_caller]
    pub fn wait_line(&self, needle: &str, within: Duration) -> String {
        let found = wait::maybe(within, || {
            self.console().lines().find(|line| line.contains(needle)).map(str::to_owned)
        });
        let name = &self.setup.name;
        found.unwrap_or_else(|| {
            panic!("{name}: no line with {needle:?} within {within:?}:\n{}", self.console())
        })
    }

    /// True if the machine is switched off.
    pub fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// Waits until the machine is switched off, and everything that its console said has been read.
    ///
    /// # Panics
    /// If that does not happen `within`; the message holds what the console said.
    #[track_caller]
    pub fn wait_end(&mut self, within: Duration) -> ExitStatus {
        if wait::maybe(within, || self.process.has_ended().then_some(())).is_none() {
            panic!("{}: still running after {within:?}:\n{}", self.setup.name, self.console());
        }
        self.wait_hung_up();
        self.process.wait_exit(wait::secs(5))
    }

    /// Kills it: the machine dies on the spot, as when its power fails.
    pub fn kill(&mut self) {
        self.process.crash();
        self.wait_hung_up();
    }

    /// Switches it on again, with the same image, addresses and wires.
    ///
    /// # Panics
    /// If it is not off, or QEMU does not start.
    #[track_caller]
    pub fn power_on(&mut self) {
        assert!(self.has_ended(), "{} is on", self.setup.name);
        self.wait_hung_up();
        self.serial.mark();
        self.first_row = self.serial.row_count();
        self.process = start(&self.setup, &self.scratch, self.number, &self.command_line);
        self.wait_start();
    }

    /// Pulls the cable of the network card `card`, counted from 0: the guest loses its carrier.
    #[track_caller]
    pub fn unplug(&self, card: usize) {
        self.monitor(&format!("set_link card{card} off"));
    }

    /// Puts the cable back.
    #[track_caller]
    pub fn plug(&self, card: usize) {
        self.monitor(&format!("set_link card{card} on"));
    }

    /// Presses keys, as the monitor's `sendkey` names them.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        self.monitor(&format!("sendkey {keys}"));
    }

    /// Gives the monitor a command, and returns what it said, its echo included.
    ///
    /// # Panics
    /// If it calls it an error, or does not answer.
    #[track_caller]
    pub fn monitor(&self, command: &str) -> String {
        let mut monitor = UnixStream::connect(self.scratch.join("monitor")).expect("connect to the monitor");
        writeln!(monitor, "{command}").expect("write to the monitor");
        // It prompts before and after the command; what a client leaves behind when it goes is dropped.
        monitor.set_read_timeout(Some(wait::secs(5))).expect("set the monitor's timeout");
        let mut said = Vec::new();
        while String::from_utf8_lossy(&said).matches("(qemu)").count() < 2 {
            let mut chunk = [0; 512];
            let count = monitor.read(&mut chunk).expect("the monitor's answer");
            assert!(count > 0, "the monitor has gone");
            said.extend_from_slice(&chunk[..count]);
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_error =
            ["Error: ", "unknown command", "invalid parameter"].iter().any(|word| said.contains(word));
        assert!(!is_error, "{}: the monitor refused {command:?}: {said}", self.setup.name);
        said
    }

    /// Somebody sits at the console before the machine says its first word.
    #[track_caller]
    fn wait_start(&self) {
        let there = wait::maybe(START, || {
            (self.serial.is_connected() || self.process.has_ended()).then(|| self.serial.is_connected())
        });
        let log = self.process.log();
        assert_eq!(there, Some(true), "{}: QEMU does not start: {log}", self.setup.name);
    }

    /// After the end of the process: the line's is read too.
    fn wait_hung_up(&self) {
        self.serial.resume();
        wait::until("the end of the serial line", wait::secs(10), || {
            (!self.serial.is_connected()).then_some(())
        });
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = self.console();
            let lines: Vec<&str> = console.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
            eprintln!("---- console of {} ----\n{}\n----", self.setup.name, tail.join("\n"));
        }
    }
}

fn mac(machine: u8, card: usize) -> String {
    format!("52:54:00:00:{machine:02x}:{card:02x}")
}

fn start(setup: &Setup, scratch: &Scratch, number: u8, command_line: &str) -> Process {
    let path = |name: &str| scratch.join(name).to_str().expect("a path in UTF-8").to_owned();
    let kernel = unpacked(&guest::kernel().0);
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    command.args(["-M", "q35,accel=tcg", "-cpu", "max", "-nodefaults", "-display", "none"]);
    command.args(["-m", &setup.memory.to_string()]);
    command.arg("-kernel").arg(kernel).args(["-initrd", &path("initramfs"), "-append", command_line]);
    // A file with everything as well: for whoever inspects what a failed test left behind.
    let log = format!("logfile={},logappend=on", path("serial.log"));
    command.args(["-chardev", &format!("socket,id=serial,path={},server=on,wait=off,{log}", path("serial"))]);
    command.args(["-serial", "chardev:serial"]);
    command.args(["-monitor", &format!("unix:{},server=on,wait=off", path("monitor"))]);
    for (card, wire) in setup.wires.iter().enumerate() {
        let wire = match wire {
            Wire::Alone => format!("hubport,id=wire{card},hubid={card}"),
            Wire::Switch(socket) => {
                let socket = socket.to_str().expect("a path in UTF-8");
                format!("stream,id=wire{card},server=off,addr.type=unix,addr.path={socket}")
            }
        };
        let mac = mac(number, card);
        let device = format!("virtio-net-pci,id=card{card},netdev=wire{card},mac={mac},romfile=");
        command.args(["-netdev", &wire, "-device", &device]);
    }
    if setup.on_reboot == OnReboot::Ends {
        command.arg("-no-reboot");
    }
    command.stdin(Stdio::null());
    Process::spawn(command, &setup.name, &scratch.join("qemu"))
}
