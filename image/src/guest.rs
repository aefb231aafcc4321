//! This machine again under another kernel: a QEMU guest with IPVS that sees the host's root read-only under an
//! overlay, runs one command and powers off.
//!
//! The kernel is Debian's, unpacked by `tests/run` into the cache directory. Everything the guest writes is gone
//! with it, but what the command says: that and its status come back over a second, writable share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::archive::Archive;
use crate::modules;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

/// How a guest is to be.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    without: Option<String>,
    environment: Vec<(String, String)>,
}

/// How a command ended in a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit status.
    pub status: i32,
    /// Its standard output and error.
    pub output: String,
}

impl Guest {
    /// A guest with every module of [`modules`].
    pub fn new() -> Self {
        Self::default()
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
        let scratch = Scratch::new("guest");
        let share = scratch.join("share");
        fs::create_dir(&share).expect("create the share");
        fs::write(share.join("command"), self.script(argv)).expect("write the command");
        let (kernel, tree) = kernel();
        let initramfs = scratch.join("initramfs");
        fs::write(&initramfs, build_initramfs(&tree, self.without.as_deref())).expect("write the initramfs");
        let serial = scratch.join("serial");
        let qemu = start_qemu(&kernel, &initramfs, &share, &serial);
        let ended = wait::maybe(within, || qemu.has_ended().then_some(()));
        let output = fs::read(share.join("output")).unwrap_or_default();
        let output = String::from_utf8_lossy(&output).into_owned();
        let status = fs::read_to_string(share.join("status")).ok();
        match (ended, status.and_then(|text| text.trim().parse().ok())) {
            (Some(()), Some(status)) => Outcome { status, output },
            (ended, _) => {
                let how = if ended.is_some() { "ended without a status" } else { "did not end in time" };
                let console = fs::read(&serial).unwrap_or_default();
                panic!("the guest {how}\n{output}\n-- console --\n{}", String::from_utf8_lossy(&console));
            }
        }
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

/// The initramfs: busybox, the modules numbered in the order of their insertion, and the script that is PID 1.
fn build_initramfs(tree: &Path, without: Option<&str>) -> Vec<u8> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| fs::read(path).ok());
    let mut archive = Archive::default();
    archive.directory("bin");
    archive.directory("modules");
    archive.file("bin/busybox", &busybox.expect("busybox of the package busybox-static"));
    archive.file("init", include_bytes!("guest-init.sh"));
    for (number, module) in modules::in_order(tree, modules::GUEST, without).iter().enumerate() {
        let bytes = fs::read(&module.path).expect("read a module");
        archive.file(&format!("modules/{number:03}-{}.ko", module.name), &bytes);
    }
    archive.end()
}

fn start_qemu(kernel: &Path, initramfs: &Path, share: &Path, serial: &Path) -> Process {
    let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    // Without KVM: nested or absent virtualisation must not decide whether a test can run.
    command.args([
        "-M",
        "q35,accel=tcg",
        "-cpu",
        "max",
        "-m",
        "1024",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
    ]);
    command.args(["-serial", &format!("file:{}", path(serial))]);
    command.args(["-kernel", &path(kernel), "-initrd", &path(initramfs)]);
    command.args(["-append", "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off lab.guest"]);
    command.args(["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]);
    command.args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=hostroot"]);
    command.args(["-fsdev", &format!("local,id=share,path={},security_model=none", path(share))]);
    command.args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]);
    command.args(["-device", "virtio-rng-pci"]);
    command.stdin(Stdio::null());
    let log = share.with_file_name("qemu");
    Process::spawn(command, "qemu", &log)
}
