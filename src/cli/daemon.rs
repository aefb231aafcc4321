//! `lvsbox run FILE`: from arguments to the loop.

use super::arguments::Run;
use super::{FAILED, OK};
use crate::director::event::Keep;
use crate::kernel::output::{own_standard_error, standard_error, write_now};
use crate::observe::{log as logger, panic};
use crate::syntax::Severity;
use crate::task::load::Purpose;
use crate::task::shell::{Options, Role};
use crate::task::{load, run};

/// Runs until a signal stops it.
#[inline(never)]
pub(super) fn run(arguments: &Run) -> u8 {
    own_standard_error();
    panic::install();
    logger::install(log::LevelFilter::Info);
    let loaded = match load::read(&arguments.file, arguments.config_id.as_deref(), Purpose::Run(usize::MAX)) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(format_args!("{error}")),
    };
    // Who reads this may have stopped reading: the daemon starts all the same.
    for line in loaded.diagnostics.to_string().split_inclusive('\n') {
        let _ = write_now(standard_error(), line.as_bytes());
    }
    let found = load::Found::of(&loaded);
    let totals = loaded.diagnostics.totals().to_string();
    let severe = matches!(loaded.diagnostics.worst(), Some(Severity::Error | Severity::Fatal));
    let Some(config) = loaded.config else {
        return refuse(format_args!("{}: {totals}: it cannot be used", arguments.file.display()));
    };
    if severe && arguments.strict {
        return refuse(format_args!("{}: {totals}: refused by --strict", arguments.file.display()));
    }
    if severe {
        log::warn!("{}: {totals}: what is right runs", arguments.file.display());
    }
    drop(loaded.diagnostics);
    if config.appliance.given || !config.interfaces.is_empty() {
        log::warn!("{}: only the appliance acts on `appliance` and `interface`", arguments.file.display());
    }
    log::info!("Starting lvsbox {}", env!("CARGO_PKG_VERSION"));
    let options = Options {
        file: arguments.file.clone(),
        config_id: arguments.config_id.as_deref().map(Box::from),
        control: arguments.control.as_str().into(),
        consoles: arguments.consoles.iter().map(|path| path.as_str().into()).collect(),
        keep: Keep { addresses: arguments.keep_vips, services: arguments.keep_ipvs },
        found,
        budget: usize::MAX,
        role: Role::Daemon,
        birth: None,
    };
    match run::run(config, options) {
        Ok(_) => {
            log::info!("Stopped");
            OK
        }
        Err(error) => refuse(format_args!("{error}")),
    }
}

fn refuse(reason: core::fmt::Arguments<'_>) -> u8 {
    log::error!("{reason}");
    FAILED
}
