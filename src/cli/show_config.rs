//! `lvsbox show-config FILE`: what a configuration means, as text that can be read again.
//!
//! Diagnostics go to standard error, so that the text can be redirected into a file.

use std::path::Path;

use super::FAILED;
use super::output::Output;
use crate::config::canonical::{self, Passwords, Place, Style};
use crate::task::load;

/// Bytes handed to the kernel at once.
const PIECE: usize = 16 << 10;

/// Reads the file and writes what it means; status 1 if it cannot be read or understood.
#[inline(never)]
pub(super) fn run(file: &Path, config_id: Option<&str>, passwords: Passwords) -> u8 {
    let mut errors = Output::errors();
    let loaded = match load::read(file, config_id, load::Purpose::Look) {
        Ok(loaded) => loaded,
        Err(error) => {
            errors.line(format_args!("lvsbox: {error}"));
            return FAILED;
        }
    };
    if loaded.diagnostics.worst().is_some() {
        let totals = loaded.diagnostics.totals();
        errors.line(format_args!("{}{}: {totals}", loaded.diagnostics, file.display()));
    }
    let Some(config) = loaded.config else { return FAILED };
    let style = Style { passwords, longest: usize::MAX };
    let mut output = Output::new();
    let (mut place, mut piece) = (Some(Place::default()), String::new());
    while let Some(here) = place {
        // Writing to a string cannot fail.
        place = canonical::row(&config, style, here, &mut piece).unwrap_or(None);
        if piece.len() >= PIECE || place.is_none() {
            output.write(piece.as_bytes());
            piece.clear();
        }
        if output.status() == FAILED {
            return FAILED;
        }
    }
    output.status()
}
