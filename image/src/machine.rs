//! The appliance on a machine of its own: a QEMU guest that boots an image, with a serial console and a monitor.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::firmware::Firmware;
use crate::guest;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

/// What happens to the machine when its kernel asks for a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReboot {
    /// It starts again.
    Again,
    /// It ends, as after being switched off.
    Ends,
}

/// A running machine. Dropped, it is killed.
#[derive(Debug)]
pub struct Machine {
    process: Process,
    serial: PathBuf,
    monitor: PathBuf,
    _scratch: Scratch,
}

impl Machine {
    /// Boots `firmware` with `cards` network cards, each with a carrier and nobody else on its wire.
    pub fn boot(firmware: &Firmware, cards: u8, on_reboot: OnReboot) -> Self {
        let scratch = Scratch::new("machine");
        let initramfs = scratch.join("initramfs");
        fs::write(&initramfs, firmware.build().expect("build the image")).expect("write the image");
        let (serial, monitor) = (scratch.join("serial"), scratch.join("monitor"));
        let (kernel, _) = guest::kernel();
        let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command.args(["-M", "q35,accel=tcg", "-cpu", "max", "-m", "128", "-nodefaults", "-display", "none"]);
        command.args(["-kernel", &path(&kernel), "-initrd", &path(&initramfs)]);
        command.args(["-append", &firmware.board.command_line]);
        command.args(["-serial", &format!("file:{}", path(&serial))]);
        command.args(["-monitor", &format!("unix:{},server=on,wait=off", path(&monitor))]);
        for card in 0..cards {
            command.args(["-netdev", &format!("hubport,id=n{card},hubid={card}")]);
            let mac = format!("52:54:00:00:00:{card:02x}");
            command.args(["-device", &format!("virtio-net-pci,netdev=n{card},mac={mac},romfile=")]);
        }
        if on_reboot == OnReboot::Ends {
            command.arg("-no-reboot");
        }
        command.stdin(Stdio::null());
        let process = Process::spawn(command, "the machine", &scratch.join("qemu"));
        Self { process, serial, monitor, _scratch: scratch }
    }

    /// Everything the serial console said.
    pub fn console(&self) -> String {
        fs::read(&self.serial)
            .map(|bytes| String::from_utf8_lossy(&bytes).replace('\r', ""))
            .unwrap_or_default()
    }

    /// Waits for a line of the console that contains `needle`, and returns it.
    ///
    /// # Panics
    /// If it does not come `within`; the message holds what the console said.
    #[track_caller]
    pub fn wait_line(&self, needle: &str, within: Duration) -> String {
        let found = wait::maybe(within, || {
            self.console().lines().find(|line| line.contains(needle)).map(str::to_owned)
        });
        found.unwrap_or_else(|| panic!("no line with {needle:?} within {within:?}:\n{}", self.console()))
    }

    /// True if the machine is switched off.
    pub fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// Waits until the machine is switched off.
    ///
    /// # Panics
    /// If that does not happen `within`; the message holds what the console said.
    #[track_caller]
    pub fn wait_end(&mut self, within: Duration) -> ExitStatus {
        if wait::maybe(within, || self.process.has_ended().then_some(())).is_none() {
            panic!("still running after {within:?}:\n{}", self.console());
        }
        self.process.wait_exit(wait::secs(5))
    }

    /// Presses keys, as the monitor's `sendkey` names them.
    pub fn press(&self, keys: &str) {
        let mut monitor = UnixStream::connect(&self.monitor).expect("connect to the monitor");
        writeln!(monitor, "sendkey {keys}").expect("write to the monitor");
        // It prompts before and after the command; what a client leaves behind when it goes is dropped.
        monitor.set_read_timeout(Some(wait::secs(5))).expect("set the monitor's timeout");
        let mut said = Vec::new();
        while String::from_utf8_lossy(&said).matches("(qemu)").count() < 2 {
            let mut chunk = [0; 512];
            let count = monitor.read(&mut chunk).expect("the monitor's answer");
            assert!(count > 0, "the monitor has gone");
            said.extend_from_slice(&chunk[..count]);
        }
    }
}
