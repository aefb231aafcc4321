//! This machine again under another kernel: a QEMU guest with IPVS that sees the host's root read-only under an
//! overlay, runs one command and powers off. It may have a cable to a virtual switch and a second serial port.
//!
//! The kernel is Debian's, unpacked by `tests/run` into the cache directory. Everything the guest writes is gone
//! with it, but what the command says: that and its status come back over a second, writable share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::archive::Archive;
use crate::kernel::unpacked;
use crate::modules;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

/// How a guest is to be.
#[derive(Debug, Clone)]
pub struct Guest {
    modules: &'static [&'static str],
    without: Option<String>,
    environment: Vec<(String, String)>,
    memory: u32,
    wire: Option<(PathBuf, String)>,
    control: bool,
    counted: bool,
}

/// How a command ended in a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit status.
    pub status: i32,
    /// Its standard output and error.
    pub output: String,
}

/// A guest that was started. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    process: Process,
    scratch: Scratch,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            modules: modules::GUEST,
            without: None,
            environment: Vec::new(),
            memory: 1024,
            wire: None,
            control: false,
            counted: false,
        }
    }
}

impl Guest {
    /// A guest with every module of [`modules::GUEST`], 1024 MiB, no network card and one serial port.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these modules and no others.
    #[must_use]
    pub fn modules(mut self, modules: &'static [&'static str]) -> Self {
        self.modules = modules;
        self
    }

    /// With so many MiB of memory.
    #[must_use]
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// With a network card of address `mac` whose cable ends at the unix socket `socket`, where a switch listens
    /// already; it needs the module `virtio_net`.
    #[must_use]
    pub fn wire(mut self, socket: &Path, mac: &str) -> Self {
        self.wire = Some((socket.to_owned(), mac.to_owned()));
        self
    }

    /// With a second serial port, `/dev/ttyS1` inside and [`Running::control`] outside.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// With a clock that counts instructions, 8 ns each, while the processor is not idle: what else this machine does
    /// then changes no time inside (QEMU's `-icount`).
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.counted = true;
        self
    }

    /// Without the modules whose name begins with `prefix`.
    #[must_use]
    pub fn without(mut self, prefix: &str) -> Self {
        self.without = Some(prefix.to_owned());
        self
    }

    /// With a variable in the command's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Boots, runs `argv` and powers off.
    ///
    /// # Panics
    /// If the guest does not come up or the command does not end `within` (which includes the boot); the message
    /// holds what the command said and the end of the serial console.
    #[track_caller]
    pub fn run(&self, argv: &[&str], within: Duration) -> Outcome {
        let guest = self.spawn(argv);
        let ended = wait::maybe(within, || guest.has_ended().then_some(()));
        let (status, output) = (guest.status(), guest.output());
        match (ended, status) {
            (Some(()), Some(status)) => Outcome { status, output },
            (ended, _) => {
                let how = if ended.is_some() { "ended without a status" } else { "did not end in time" };
                panic!("the guest {how}\n{output}\n-- console --\n{}", guest.console());
            }
        }
    }

    /// Boots, and runs `argv` while the caller does something else; it powers off when `argv` has ended. The guest
    /// dies with the thread that calls this.
    pub fn spawn(&self, argv: &[&str]) -> Running {
        let scratch = Scratch::new("guest");
        let share = scratch.join("share");
        fs::create_dir(&share).expect("create the share");
        fs::write(share.join("command"), self.script(argv)).expect("write the command");
        let (kernel, tree) = kernel();
        fs::write(scratch.join("initramfs"), self.initramfs(&tree)).expect("write the initramfs");
        let process = self.start_qemu(&unpacked(&kernel), &scratch);
        Running { process, scratch }
    }

    /// The command as the text of a script.
    fn script(&self, argv: &[&str]) -> String {
        let mut script =
            "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n"
                .to_owned();
        for (name, value) in &self.environment {
            script += &format!("export {name}={}\n", quoted(value));
        }
        let directory = std::env::current_dir().expect("the current directory");
        script += &format!("cd {}\nexec", quoted(&directory.to_string_lossy()));
        for word in argv {
            script += &format!(" {}", quoted(word));
        }
        script + "\n"
    }

    /// The initramfs: busybox, the modules numbered in the order of their insertion, and the script that is PID 1.
    fn initramfs(&self, tree: &Path) -> Vec<u8> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| fs::read(path).ok());
        let mut archive = Archive::default();
        archive.directory("bin");
        archive.directory("modules");
        archive.file("bin/busybox", &busybox.expect("busybox of the package busybox-static"));
        archive.file("init", include_bytes!("guest-init.sh"));
        let modules = modules::in_order(tree, self.modules, self.without.as_deref());
        for (number, module) in modules.iter().enumerate() {
            let bytes = fs::read(&module.path).expect("read a module");
            archive.file(&format!("modules/{number:03}-{}.ko", module.name), &bytes);
        }
        archive.end()
    }

    fn start_qemu(&self, kernel: &Path, scratch: &Scratch) -> Process {
        let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        // Without KVM: nested or absent virtualisation must not decide whether a test can run.
        command.args(["-M", "q35,accel=tcg", "-cpu", "max", "-m", &self.memory.to_string()]);
        command.args(["-nodefaults", "-display", "none", "-no-reboot"]);
        command.args(["-serial", &format!("file:{}", path(&scratch.join("serial")))]);
        if self.control {
            let socket = path(&scratch.join("control"));
            command.args(["-chardev", &format!("socket,id=s1,path={socket},server=on,wait=off")]);
            command.args(["-serial", "chardev:s1"]);
        }
        if self.counted {
            command.args(["-icount", "shift=3"]);
        }
        if let Some((socket, mac)) = &self.wire {
            let socket = path(socket);
            command.args(["-netdev", &format!("stream,id=w0,server=off,addr.type=unix,addr.path={socket}")]);
            command.args(["-device", &format!("virtio-net-pci,netdev=w0,mac={mac},romfile=")]);
        }
        command.args(["-kernel", &path(kernel), "-initrd", &path(&scratch.join("initramfs"))]);
        command.args(["-append", "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off lab.guest"]);
        command.args(["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]);
        command.args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=hostroot"]);
        let share = path(&scratch.join("share"));
        command.args(["-fsdev", &format!("local,id=share,path={share},security_model=none")]);
        command.args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]);
        command.args(["-device", "virtio-rng-pci"]);
        command.stdin(Stdio::null());
        Process::spawn(command, "qemu", &scratch.join("qemu"))
    }
}

impl Running {
    /// The unix socket of the second serial port, which QEMU makes when it starts; see [`Guest::control`]. What the
    /// guest writes while nobody is connected is lost.
    pub fn control(&self) -> PathBuf {
        self.scratch.join("control")
    }

    /// True if the machine is off.
    pub fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// QEMU's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The command's status, once it has ended.
    pub fn status(&self) -> Option<i32> {
        fs::read_to_string(self.scratch.join("share/status")).ok()?.trim().parse().ok()
    }

    /// What the command has said so far.
    pub fn output(&self) -> String {
        read_lossy(&self.scratch.join("share/output"))
    }

    /// Gives each line that the command says to `tell`, without its end, until the machine is off; false if it is not
    /// `within` that time.
    pub fn follow(&self, within: Duration, tell: &mut dyn FnMut(&str)) -> bool {
        let mut shown = 0;
        let ended = wait::maybe(within, || {
            // The end is looked for before the output: what was said last is still told.
            let has_ended = self.has_ended();
            let output = self.output();
            let lines = whole_lines(output.get(shown..).unwrap_or_default(), has_ended);
            lines.lines().for_each(&mut *tell);
            shown += lines.len();
            has_ended.then_some(())
        });
        ended.is_some()
    }

    /// What QEMU itself has said.
    pub fn complaint(&self) -> String {
        self.process.log()
    }

    /// What the serial console has said so far.
    pub fn console(&self) -> String {
        read_lossy(&self.scratch.join("serial"))
    }
}

/// The lines of `text` that are complete, or all of them if nothing comes behind them.
fn whole_lines(text: &str, has_ended: bool) -> &str {
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    if has_ended { text } else { text.get(..end).unwrap_or_default() }
}

fn read_lossy(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// True inside a guest of ours.
pub fn is_inside() -> bool {
    fs::read_to_string("/proc/cmdline")
        .is_ok_and(|line| line.split_whitespace().any(|word| word == "lab.guest"))
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Where `tests/run` puts what it downloads.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let base =
        std::env::var_os("XDG_CACHE_HOME").filter(|text| !text.is_empty()).map_or_else(home, PathBuf::from);
    base.join("lvsbox")
}

/// The newest kernel in the cache and the directory of its modules.
///
/// # Panics
/// If there is none.
pub fn kernel() -> (PathBuf, PathBuf) {
    let entries =
        fs::read_dir(cache()).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let mut trees: Vec<PathBuf> =
        entries.iter().map(fs::DirEntry::path).filter(|path| path.join("boot").is_dir()).collect();
    trees.sort();
    let found = trees.iter().rev().find_map(|tree| kernel_of(tree));
    found.unwrap_or_else(|| {
        panic!("no kernel for the guest under {}: tests/run puts it there", cache().display())
    })
}

/// The kernel of an unpacked package and the directory of its modules.
pub fn kernel_of(tree: &Path) -> Option<(PathBuf, PathBuf)> {
    let files = fs::read_dir(tree.join("boot")).ok()?.flatten();
    let image = files.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("vmlinuz-"))?;
    Some((image, tree.join("lib/modules")))
}

#[cfg(test)]
mod tests {
    use super::whole_lines;

    #[test]
    fn a_line_that_is_being_written_is_told_when_it_is_complete_or_the_last_one() {
        assert_eq!([whole_lines("a\nb", false), whole_lines("a", false)], ["a\n", ""]);
        assert_eq!([whole_lines("a\nb\n", false), whole_lines("a\nb", true)], ["a\nb\n", "a\nb"]);
    }
}
