//! The kernel's sync daemons: in `why lvs_sync_daemon`, below the instance that they follow, and among the alarms.

use core::fmt::{self, Write};

use super::{labelled, line, state_word};
use crate::console::lines::Names;
use crate::console::view::View;
use crate::wire::errno::Text;
use crate::wire::genl_ipvs::DaemonRole;

/// What is wrong with them.
pub(super) fn alarms(view: &View<'_>, say: &mut dyn FnMut(fmt::Arguments<'_>) -> fmt::Result) -> fmt::Result {
    let (director, plan) = (view.director, view.director.ipvs_plan());
    let Some(daemon) = director.config().global.sync_daemon else { return Ok(()) };
    if director.links().known() && !director.links().get(daemon.link).exists() {
        say(format_args!("the sync daemon waits for interface {}", daemon.spec.link))?;
    }
    DaemonRole::ALL.into_iter().try_for_each(|role| match plan.daemon_error(role) {
        Some(errno) => {
            say(format_args!("sync daemon, {}: {} (why lvs_sync_daemon)", role.name(), Text(errno.0)))
        }
        None => Ok(()),
    })
}

/// All about them.
pub(super) fn explain(view: &View<'_>, out: &mut dyn Write) -> fmt::Result {
    let (director, plan) = (view.director, view.director.ipvs_plan());
    let config = director.config();
    let Some(daemon) = config.global.sync_daemon else {
        return line(out, format_args!("no lvs_sync_daemon is configured"));
    };
    line(out, format_args!("sync daemon on {}, id {}", daemon.spec.link, daemon.spec.id))?;
    match daemon.instance {
        None => labelled(out, "why", format_args!("it follows no instance: master and backup run"))?,
        Some(id) => {
            let state = director.vrrp().get(id).map_or("?", |router| state_word(router.state));
            let name = Names(config).instance(id);
            labelled(out, "why", format_args!("it follows {name}, which is {state}"))?;
        }
    }
    if !director.links().get(daemon.link).exists() {
        labelled(out, "waits", format_args!("for interface {}", daemon.spec.link))?;
    }
    for role in DaemonRole::ALL {
        let words = match (director.daemon_wish(role).is_some(), plan.daemon(role).is_some()) {
            (true, true) => "runs",
            (true, false) => "shall run, and does not",
            (false, true) => "runs, and shall not",
            (false, false) => "does not run",
        };
        labelled(out, role.name(), format_args!("{words}"))?;
        if let Some(errno) = plan.daemon_error(role) {
            labelled(out, "refused", format_args!("by the kernel: {}; tried again", Text(errno.0)))?;
        }
    }
    Ok(())
}
