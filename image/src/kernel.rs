//! A kernel without its packing: what a bzImage unpacks at every boot is unpacked once and kept beside the package.
//!
//! QEMU starts an ELF kernel that has the PVH entry directly. Without KVM the unpacking of Debian's kernel takes some
//! three seconds of every boot. The layout is the boot protocol's (Documentation/arch/x86/boot.rst, protocol 2.08).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// One thread of a process unpacks, so that the process id tells apart whose files are whose.
static UNPACKING: Mutex<()> = Mutex::new(());

/// The unpacked form of the bzImage `packed`, made by the first who asks; `packed` itself where that is not possible
/// (another packing than xz, a cache that cannot be written).
pub fn unpacked(packed: &Path) -> PathBuf {
    let Some(name) = packed.file_name() else { return packed.to_owned() };
    let kept =
        packed.with_file_name(format!("unpacked-{}", name.to_string_lossy().replace("vmlinuz", "vmlinux")));
    let _turn = UNPACKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if kept.exists() || unpack(packed, &kept).is_some() { kept } else { packed.to_owned() }
}

fn unpack(packed: &Path, kept: &Path) -> Option<()> {
    let image = fs::read(packed).ok()?;
    let payload = payload(&image)?;
    let (packed, length) = payload.split_last_chunk()?;
    // Several processes may be at it at once: each writes its own files, and a rename is whole or not at all.
    let part = |end: &str| kept.with_extension(format!("{}.{end}", std::process::id()));
    let (input, output) = (part("xz"), part("elf"));
    let done = unpack_xz(packed, &input, &output)
        .filter(|bytes| bytes.starts_with(b"\x7fELF"))
        .filter(|bytes| u32::try_from(bytes.len()) == Ok(u32::from_le_bytes(*length)));
    let done = done.and_then(|_| fs::rename(&output, kept).ok());
    for part in [input, output] {
        fs::remove_file(part).ok();
    }
    done
}

/// The kernel inside a bzImage, if it is packed with xz, and behind it in four bytes its length when unpacked.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?));
    // setup_sects: 0 means 4; the boot sector comes on top.
    let sectors = usize::from(*image.get(0x1f1)?);
    let setup = (if sectors == 0 { 4 } else { sectors } + 1) * 512;
    let is_linux = image.get(0x202..0x206)? == b"HdrS";
    let start = setup.checked_add(usize::try_from(word(0x248)?).ok()?)?;
    let end = start.checked_add(usize::try_from(word(0x24c)?).ok()?)?;
    let payload = image.get(start..end)?;
    (is_linux && payload.starts_with(b"\xfd7zXZ\0")).then_some(payload)
}

/// What `xz`, of Debian's xz-utils, makes of `packed`; busybox's knows no filter for machine code.
fn unpack_xz(packed: &[u8], input: &Path, output: &Path) -> Option<Vec<u8>> {
    fs::write(input, packed).ok()?;
    let mut command = Command::new("xz");
    command.arg("-dc").stdin(File::open(input).ok()?);
    command.stdout(File::create(output).ok()?).stderr(Stdio::null());
    command.status().ok()?.success().then(|| fs::read(output).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage with one setup sector and `packed` as payload behind four other bytes.
    fn image(packed: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1_024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&4_u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
        image.extend([0; 4]);
        image.extend(packed);
        image.extend([9; 7]);
        image
    }

    #[test]
    fn payload_lies_where_the_header_says_and_is_xz() {
        let packed = b"\xfd7zXZ\0and so on\x10\0\0\0";
        assert_eq!(payload(&image(packed)), Some(packed.as_slice()));
        assert_eq!(payload(&image(b"\x28\xb5\x2f\xfd and so on")), None);
        assert_eq!(payload(&image(packed)[..1_030]), None);
        assert_eq!(payload(b"no kernel"), None);
    }

    #[test]
    fn kernel_that_cannot_be_unpacked_is_used_as_it_is() {
        let scratch = crate::scratch::Scratch::new("kernel");
        let packed = scratch.join("vmlinuz-1");
        fs::write(&packed, image(b"\xfd7zXZ\0and so on\x10\0\0\0")).unwrap();
        assert_eq!(unpacked(&packed), packed);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
