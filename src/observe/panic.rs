//! Last words: what a panic says goes to standard error without allocating, because the heap may be why; those of
//! PID 1 also into the kernel's ring, which outlives it.

use core::fmt::Write;
use std::panic::PanicHookInfo;

use super::log;
use super::text::{Text, Timestamp};
use crate::kernel::{clock, console, machine, output, process};

/// Replaces the standard hook, whose backtrace allocates. The process aborts after it (`panic = "abort"`).
pub fn install() {
    std::panic::set_hook(Box::new(say));
}

fn say(info: &PanicHookInfo<'_>) {
    let mut text = Text::default();
    describe(info, &mut text);
    let first = process::id() == machine::FIRST;
    // A port whose queue is not empty may refuse, and the kernel's panic sends nothing of it any more.
    if first {
        console::settle();
    }
    // Whoever should read it is gone if this fails. A console in raw mode stands anywhere in its row.
    if log::is_held() {
        let _ = output::write_now(output::standard_error(), b"\r\n");
    }
    let _ = output::write_now(output::standard_error(), text.finish());
    if first {
        console::settle();
        let _ = output::write_kernel_log(text.as_bytes());
    }
}

fn describe(info: &PanicHookInfo<'_>, text: &mut Text) {
    let payload = info.payload();
    let reason = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given");
    let _ = write!(text, "{} error: bug in lvsbox", Timestamp(clock::wall()));
    if let Some(place) = info.location() {
        let _ = write!(text, " at {}:{}", place.file(), place.line());
    }
    let _ = write!(text, ": {reason}");
}
