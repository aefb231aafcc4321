//! The appliance's initramfs: the binary as `/init`, the board's facts and modules, the configuration.

use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::Archive;
use crate::board::Board;
use crate::modules;

/// What goes into an image.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// The board.
    pub board: Board,
    /// A directory with the kernel's modules (`lib/modules` of its package).
    pub modules: PathBuf,
    /// The program, static and for the board's target.
    pub binary: PathBuf,
    /// The text of the configuration.
    pub configuration: String,
    /// Leave out modules whose name begins with this: for tests.
    pub without: Option<String>,
    /// Further files by their path, with their content: for tests.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Firmware {
    /// The initramfs.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn build(&self) -> Result<Vec<u8>, String> {
        let read = |path: &Path| fs::read(path).map_err(|error| format!("read {}: {error}", path.display()));
        let board = &self.board;
        let mut wanted: Vec<&str> = board.modules.iter().map(String::as_str).collect();
        let config = lvsbox::config::load(&self.configuration, "configuration").config.unwrap_or_default();
        wanted.extend(config.appliance.modules.iter().map(|name| &**name));
        let mut archive = Archive::default();
        for name in ["dev", "etc", "lib", "lib/modules", "proc", "sys"] {
            archive.directory(name);
        }
        // Without them the standard library ends PID 1 before `main`: it must find three open streams, or open them.
        archive.device("dev/console", 5, 1);
        archive.device("dev/null", 1, 3);
        archive.file("init", &read(&self.binary)?);
        archive.file("etc/lvsbox.conf", self.configuration.as_bytes());
        let (console, baud) = &board.console;
        let mut facts = format!("name {}\nconsole {console} {baud}\n", board.name);
        for module in modules::in_order(&self.modules, &wanted, self.without.as_deref()) {
            facts += &format!("module {}\n", module.name);
            let bytes = read(&module.path)?;
            let bytes = if board.keep_signatures { &bytes } else { modules::unsigned(&bytes) };
            archive.file(&format!("lib/modules/{}.ko", module.name), bytes);
        }
        archive.file("etc/board", facts.as_bytes());
        for (name, bytes) in &self.files {
            archive.file(name, bytes);
        }
        Ok(archive.end())
    }
}
