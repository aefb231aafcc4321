//! An initramfs being written: a newc archive (`Documentation/driver-api/early-userspace/buffer-format.rst`).

use cpio::newc::{Builder, ModeFileType};

/// The archive.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inodes: u32,
}

impl Archive {
    /// A directory; those above it must be there.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, ModeFileType::Directory, (0, 0), &[]);
    }

    /// A file that everybody may run.
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        self.entry(name, ModeFileType::Regular, (0, 0), bytes);
    }

    /// A character device.
    pub fn device(&mut self, name: &str, major: u32, minor: u32) {
        self.entry(name, ModeFileType::Char, (major, minor), &[]);
    }

    fn entry(&mut self, name: &str, kind: ModeFileType, (major, minor): (u32, u32), bytes: &[u8]) {
        self.inodes += 1;
        let builder = Builder::new(name).ino(self.inodes).nlink(1).mode(0o755).set_mode_file_type(kind);
        let builder = builder.rdev_major(major).rdev_minor(minor);
        let size = u32::try_from(bytes.len()).expect("a file below 4 GiB");
        let mut writer = builder.write(&mut self.bytes, size);
        std::io::Write::write_all(&mut writer, bytes).expect("write to memory");
        writer.finish().expect("write to memory");
    }

    /// The whole archive.
    pub fn end(mut self) -> Vec<u8> {
        cpio::newc::trailer(&mut self.bytes).expect("write to memory");
        self.bytes
    }
}
