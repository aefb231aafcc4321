//! Output of the short-lived commands: waits for a slow reader, and remembers a failure instead of ending the process.

use core::fmt::{self, Write};
use std::os::fd::BorrowedFd;

use super::{FAILED, OK};
use crate::kernel::output::{standard_error, standard_output, write_all};

/// Standard output or standard error.
pub struct Output {
    to: BorrowedFd<'static>,
    failed: bool,
}

impl Output {
    /// Standard output.
    #[expect(clippy::new_without_default, reason = "which stream it is should be read at the call")]
    pub fn new() -> Self {
        Self { to: standard_output(), failed: false }
    }

    /// Standard error.
    pub fn errors() -> Self {
        Self { to: standard_error(), failed: false }
    }

    /// Writes a text and a newline, as one write if the kernel takes it.
    pub fn line(&mut self, text: fmt::Arguments<'_>) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// Writes bytes. After a failure nothing more is written.
    pub fn write(&mut self, bytes: &[u8]) {
        self.failed = self.failed || write_all(self.to, bytes).is_err();
    }

    /// The exit status that says whether everything was written.
    pub const fn status(&self) -> u8 {
        if self.failed { FAILED } else { OK }
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        if self.failed { Err(fmt::Error) } else { Ok(()) }
    }
}
