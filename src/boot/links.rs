//! Interfaces: the configuration's blocks, then every other interface that it names. Devices that it does not name
//! stay as they are.

use core::fmt::Write;

use super::{Boot, Report};
use crate::config::model::Interface;
use crate::kernel::error::Error;
use crate::kernel::link::Links;

/// Sets up everything that is there; what is absent or refused is named, and the next one follows.
pub(super) fn set_up(boot: &mut Boot, report: &mut Report) {
    let mut links = match Links::open() {
        Ok(links) => links,
        Err(error) => return report.problem(error),
    };
    for name in links.names().collect::<Vec<_>>() {
        if name.as_str() == "lo"
            && let Err(error) = links.set_up(name)
        {
            report.problem(error);
        }
    }
    if links.names().all(|name| name.as_str() == "lo") {
        report.problem("the kernel has found no network card");
    }
    let blocks = &boot.config.interfaces;
    // A VLAN cannot go up before the interface that carries it.
    let (plain, vlans) = (
        blocks.iter().filter(|block| block.vlan.is_none()),
        blocks.iter().filter(|block| block.vlan.is_some()),
    );
    for block in plain.chain(vlans) {
        match start(&mut links, block, report) {
            Ok(()) => {
                let _ = write!(report.done, "{} ", block.name);
            }
            Err(error) => report.problem(error),
        }
    }
    for name in &boot.config.links {
        if blocks.iter().any(|block| block.name == *name) {
            continue;
        }
        match links.set_up(*name) {
            Ok(()) => {
                let _ = write!(report.done, "{name} ");
            }
            Err(error) => report.problem(error),
        }
    }
    report.done.push_str("up");
}

fn start(links: &mut Links, block: &Interface, report: &mut Report) -> Result<(), Error> {
    if let Some(vlan) = block.vlan {
        links.add_vlan(block.name, vlan.id, vlan.parent)?;
    }
    // Its own MTU matters less than that it is up.
    if let Some(Err(error)) = block.mtu.map(|mtu| links.set_mtu(block.name, mtu)) {
        report.problem(error);
    }
    links.set_up(block.name)?;
    for (address, prefix) in &block.addresses {
        if let Err(error) = links.add_address(block.name, *address, *prefix) {
            report.problem(error);
        }
    }
    Ok(())
}
