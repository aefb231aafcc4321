//! SIGTERM and SIGINT stop, a second one ends at once; SIGHUP reads the configuration again. The appliance starts
//! again after a stop, is switched off by SIGUSR2, and waits for the children that it never started.

use std::rc::Rc;

use smol::future::yield_now;

use super::reactor::Source;
use super::reload::Force;
use super::shell::Shell;
use crate::kernel::machine::{self, End};
use crate::kernel::signals::{Signal, Signals};
use crate::observe::log::CHANGE;

/// Reads signals for ever.
pub(super) async fn run(shell: Rc<Shell>, signals: Source<Signals>) {
    loop {
        match signals.read(Signals::read).await {
            Ok((Signal::Stop, sender)) => {
                log::info!(target: CHANGE, "Stopped by a signal of process {sender}");
                shell.stop();
            }
            Ok((Signal::Reload, sender)) => {
                log::info!(target: CHANGE, "Reload asked for by a signal of process {sender}");
                shell.desk.request(Force::No);
            }
            Ok((Signal::PowerOff, sender)) => {
                log::info!(target: CHANGE, "Switched off by a signal of process {sender}");
                shell.stop_machine(End::PowerOff);
            }
            // One signal may stand for several children.
            Ok((Signal::Child, _)) => while machine::reap().is_some() {},
            // The descriptor cannot fail once it is open.
            Err(_) => return,
        }
        // Signals that come faster than they are read are no reason to hold the loop.
        yield_now().await;
    }
}
