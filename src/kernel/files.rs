//! Reading a file of configuration: bounded, in pieces, and only a regular file, so that a directory, a FIFO without
//! a writer or a device never holds the loop.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::error::Error;
use crate::limits::{MAX_CONFIG_BYTES, MAX_FOLDER_NAMES};

/// Bytes of one [`TextFile::step`].
const PIECE: usize = 64 << 10;

/// A file that is being read.
#[derive(Debug)]
pub struct TextFile {
    fd: OwnedFd,
    /// What was read, and room for the rest: zeroes, which the system gives for nothing.
    bytes: Vec<u8>,
    read: usize,
    /// When it was opened.
    size: usize,
    name: Box<Path>,
}

impl TextFile {
    /// Opens `path` and sees that it is a regular file of at most [`MAX_CONFIG_BYTES`].
    ///
    /// # Errors
    /// The kernel's; `INVAL` for what is not a regular file (`ISDIR` for a directory), `FBIG` beyond the limit.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fail = |errno| Error::new("read", path.display(), errno);
        // Non-blocking: opening a FIFO for reading would wait for a writer (fifo(7)).
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(fail)?;
        let status = rustix::fs::fstat(&fd).map_err(fail)?;
        let kind = FileType::from_raw_mode(status.st_mode);
        if kind.is_dir() {
            return Err(fail(Errno::ISDIR));
        }
        if !kind.is_file() {
            let what = format_args!("{}: not a regular file", path.display());
            return Err(Error::new("read", what, Errno::INVAL));
        }
        let size = usize::try_from(status.st_size).unwrap_or(usize::MAX);
        if size > MAX_CONFIG_BYTES {
            return Err(too_large(path));
        }
        Ok(Self { fd, bytes: Vec::new(), read: 0, size, name: path.into() })
    }

    /// Bytes of memory that the next [`Self::step`] takes: the file's size at first, and more if it turns out longer.
    pub fn growth(&self) -> usize {
        match self.bytes.len() {
            0 => self.size + 1,
            full if full == self.read => full.max(PIECE),
            _ => 0,
        }
    }

    /// Reads a piece; true at the end of the file.
    ///
    /// # Errors
    /// The kernel's; `FBIG` if the file has grown beyond the limit meanwhile.
    pub fn step(&mut self) -> Result<bool, Error> {
        match self.bytes.len() {
            0 => self.bytes = vec![0; self.size + 1],
            full if full == self.read => self.bytes.resize(full + PIECE, 0), // it has grown since
            _ => {}
        }
        let end = self.bytes.len().min(self.read + PIECE);
        let piece = self.bytes.get_mut(self.read..end).unwrap_or_default();
        let read = rustix::io::read(&self.fd, piece)
            .map_err(|errno| Error::new("read", self.name.display(), errno))?;
        self.read += read;
        if self.read > MAX_CONFIG_BYTES {
            return Err(too_large(&self.name));
        }
        Ok(read == 0)
    }

    /// What was read.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.read);
        self.bytes
    }

    /// Reads the whole file at once, for the short-lived commands and the start.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::step`].
    pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
        let mut file = Self::open(path)?;
        while !file.step()? {}
        Ok(file.into_bytes())
    }
}

/// A file of the kernel's that is read as it is needed: its length is not known before.
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
    name: Box<Path>,
}

impl Stream {
    /// Opens `path`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::new("read", path.display(), errno))?;
        Ok(Self { fd, name: path.into() })
    }

    /// Reads what fits; 0 at the end.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&mut self, piece: &mut [u8]) -> Result<usize, Error> {
        rustix::io::read(&self.fd, piece).map_err(|errno| Error::new("read", self.name.display(), errno))
    }
}

/// The names in a folder, without `.` and `..`; those that are not UTF-8 are passed over.
///
/// # Errors
/// The kernel's; `FBIG` for more than [`MAX_FOLDER_NAMES`].
pub fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let fail = |errno| Error::new("read", folder.display(), errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
    let fd = rustix::fs::open(folder, flags, Mode::empty()).map_err(fail)?;
    let mut buffer = vec![core::mem::MaybeUninit::uninit(); 8 << 10];
    let (mut entries, mut names) = (RawDir::new(fd, &mut buffer), Vec::new());
    // Those that are not UTF-8 are no names to us, and the same work.
    let mut seen = 0_usize;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(fail)?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        seen += 1;
        if seen > MAX_FOLDER_NAMES {
            return Err(fail(Errno::FBIG));
        }
        names.extend(entry.file_name().to_str().map(str::to_owned));
    }
    Ok(names)
}

fn too_large(path: &Path) -> Error {
    Error::new("read", format_args!("over {MAX_CONFIG_BYTES} bytes of {}", path.display()), Errno::FBIG)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn directories_fifos_and_devices_are_refused_at_once() {
        let folder = std::env::temp_dir().join(format!("lvsbox-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let fifo = folder.join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(TextFile::read(&folder).unwrap_err().number(), 21);
        assert_eq!(TextFile::read(&fifo).unwrap_err().number(), 22);
        assert_eq!(TextFile::read(Path::new("/dev/zero")).unwrap_err().number(), 22);
        let missing = TextFile::read(&folder.join("nothing")).unwrap_err();
        assert!(missing.to_string().ends_with("no such file or entry"), "{missing}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_is_read_whole_and_its_size_is_bounded_before_it_is_read() {
        let path = std::env::temp_dir().join(format!("lvsbox-text-{}", std::process::id()));
        let mut file = std::fs::File::create(&path).unwrap();
        let text = vec![b'x'; 3 * PIECE + 7];
        file.write_all(&text).unwrap();
        assert_eq!(TextFile::read(&path).unwrap(), text);
        file.set_len(u64::try_from(MAX_CONFIG_BYTES).unwrap() + 1).unwrap();
        assert_eq!(TextFile::open(&path).unwrap_err().number(), 27);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_shrinks_or_vanishes_while_it_is_read_ends_where_it_ends() {
        let path = std::env::temp_dir().join(format!("lvsbox-shrinks-{}", std::process::id()));
        std::fs::write(&path, vec![b'x'; 2 * PIECE]).unwrap();
        let mut shrinking = TextFile::open(&path).unwrap();
        let mut vanishing = TextFile::open(&path).unwrap();
        assert!(!shrinking.step().unwrap() && !vanishing.step().unwrap());
        std::fs::File::options().write(true).open(&path).unwrap().set_len(7).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(shrinking.step().unwrap() && vanishing.step().unwrap());
        assert_eq!(shrinking.into_bytes().len(), PIECE);
    }
}
