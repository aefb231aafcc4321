//! Last words: what a panic says goes to standard error without allocating, because the heap may be why.

use core::fmt::Write;
use std::panic::PanicHookInfo;

use super::text::{Text, Timestamp};
use crate::kernel::{clock, output};

/// Replaces the standard hook, whose backtrace allocates. The process aborts after it (`panic = "abort"`).
pub fn install() {
    std::panic::set_hook(Box::new(say));
}

fn say(info: &PanicHookInfo<'_>) {
    let mut text = Text::default();
    describe(info, &mut text);
    // Whoever should read it is gone if this fails.
    let _ = output::write_now(output::standard_error(), text.finish());
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
