//! What a crash of PID 1 looks like from outside: whether it leaves last words, what the kernel says, and that the
//! machine starts again by itself (`panic=3` on the board's command line).

use std::io::Write;
use std::path::Path;

use super::lan::{self, BOOT, CONFIGURATIONS};
use crate::machine::{OnReboot, Setup};
use crate::wait;

/// Boots a machine that crashes on purpose, and waits until it has started again.
///
/// # Panics
/// If it does not, naming what was waited for.
pub fn run(binary: &Path, out: &mut dyn Write) {
    let mut firmware = lan::firmware(binary, CONFIGURATIONS[0]);
    firmware.board.command_line += " lvsbox.crash=1";
    let machine = Setup::new("lb1").alone(1).on_reboot(OnReboot::Again).boot(&firmware);
    let panic = machine.wait_line("Kernel panic - not syncing: Attempted to kill init!", BOOT);
    wait::until("a second boot", BOOT, || (machine.console().matches("as PID 1").count() > 1).then_some(()));
    let console = machine.console();
    let words = console.lines().find(|row| row.contains("error: bug in lvsbox"));
    for row in [words.unwrap_or("no last words"), &panic, "the machine started again"] {
        writeln!(out, "{}", row.trim()).expect("print");
    }
}
