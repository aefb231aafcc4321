//! The program: hands its arguments to `lvsbox::cli` and ends with the status it returns.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lvsbox::cli::run(std::env::args_os()))
}
