//! The settings of the kernel that the configuration wants, and then what it says: before the interfaces come.

use core::fmt::Write;

use super::{Boot, Report};
use crate::config::needs;
use crate::config::wishes::{Owner, wishes};
use crate::task::settings;

/// Sets all of them. What is missing is told with what goes wrong.
pub(super) fn set(boot: &mut Boot, report: &mut Report) {
    let needs = needs::count(&boot.config);
    let (mut needed, mut configured) = (0, 0);
    for wish in wishes(&boot.config, &needs) {
        let count = if wish.owner == Owner::Sysctl { &mut configured } else { &mut needed };
        match settings::put(&wish) {
            Ok(_) => *count += 1,
            Err(error) if wish.owner == Owner::Sysctl => report.problem(error),
            Err(error) => report.problem(format_args!("{error} ({})", wish.reason)),
        }
    }
    let _ = write!(report.done, "{needed} needed, {configured} configured");
}
