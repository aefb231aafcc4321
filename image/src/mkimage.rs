//! `mkimage`: a board, the program and a configuration become an initramfs, and the command that boots it is said.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command of the developer's machine")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lab::board::Board;
use lab::firmware::Firmware;
use lab::guest;
use lvsbox::syntax::{Code, Severity};

/// What the reader says about an `include`: here nobody opens files for it.
const INCLUDE: Code = Code(8);

const USAGE: &str = "\
mkimage --board FOLDER --binary FILE --config FILE --output FILE [--kernel FOLDER]
    FOLDER of the board holds board.conf; that of the kernel is its package, unpacked
    (default: the newest in the cache, where tests/run puts it)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match make(&words) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("mkimage: {message}");
            ExitCode::FAILURE
        }
    }
}

fn make(words: &[String]) -> Result<String, String> {
    let (mut board, mut binary, mut config, mut output, mut kernel) = (None, None, None, None, None);
    for pair in words.chunks(2) {
        let [option, value] = pair else { return Err(USAGE.to_owned()) };
        let place = match option.as_str() {
            "--board" => &mut board,
            "--binary" => &mut binary,
            "--config" => &mut config,
            "--output" => &mut output,
            "--kernel" => &mut kernel,
            _ => return Err(USAGE.to_owned()),
        };
        *place = Some(PathBuf::from(value));
    }
    let (Some(board), Some(binary), Some(config), Some(output)) = (board, binary, config, output) else {
        return Err(USAGE.to_owned());
    };
    let kernel = match kernel {
        Some(folder) => guest::kernel_of(&folder).ok_or(format!("no kernel in {}", folder.display()))?,
        None => guest::kernel(),
    };
    write(&board, binary, &config, &output, kernel)
}

fn write(
    board: &Path,
    binary: PathBuf,
    config: &Path,
    output: &Path,
    (image, modules): (PathBuf, PathBuf),
) -> Result<String, String> {
    let configuration =
        fs::read_to_string(config).map_err(|error| format!("read {}: {error}", config.display()))?;
    let checked = lvsbox::config::load(&configuration, &config.to_string_lossy()).diagnostics;
    if checked.worst().is_some() {
        eprint!("{checked}");
        eprintln!("{}: {}", config.display(), checked.totals());
    }
    if checked.iter().any(|one| one.code() == INCLUDE) {
        return Err(format!("{}: an image holds one file: copy what is included into it", config.display()));
    }
    let spite = if checked.worst() > Some(Severity::Warning) { ", in spite of the errors" } else { "" };
    let board = Board::read(board)?;
    let command_line = board.command_line.clone();
    let firmware = Firmware { board, modules, binary, configuration, without: None, files: Vec::new() };
    let bytes = firmware.build()?;
    fs::write(output, &bytes).map_err(|error| format!("write {}: {error}", output.display()))?;
    Ok(format!(
        "{}: {} bytes{spite}\nqemu-system-x86_64 -M q35 -m 128 -nographic -nic user,model=virtio-net-pci \\\n  \
         -kernel {} \\\n  -initrd {} -append '{command_line}'\n(it is left by `poweroff`, or Ctrl-A x)",
        output.display(),
        bytes.len(),
        image.display(),
        output.display()
    ))
}
