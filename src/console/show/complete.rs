//! `complete KIND [PARTIAL]`: names that begin so, one a line, for the TAB of a terminal. Kinds are the first words of
//! commands: `real` for real servers, `why` for all that it explains, `set` for track files; and `service`.

use core::fmt::{self, Write};
use core::net::{IpAddr, SocketAddr};

use crate::config::ids::{Id, InstanceId};
use crate::console::answer::{Next, Place};
use crate::console::view::View;
use crate::wire::genl_ipvs::ServiceKey;

const INSTANCES: u8 = 0;
const ADDRESSES: u8 = 1;
const SERVICES: u8 = 2;
const SERVERS: u8 = 3;
const VARIABLES: u8 = 4;

/// A row looks at one object.
pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let (kind, partial) = view.argument.split_once(' ').unwrap_or((view.argument, ""));
    let asked = match place.phase {
        SERVICES => ["why", "service"].contains(&kind),
        SERVERS => ["why", "real"].contains(&kind),
        VARIABLES => kind == "set",
        _ => kind == "why",
    };
    match asked.then(|| name(view, place)).flatten() {
        Some(name) => {
            if name.starts_with(partial)
                && !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_graphic())
            {
                writeln!(out, "{name}")?;
            }
            Ok(Some(place.next_row(place.phase)))
        }
        None if place.phase < VARIABLES => Ok(Some(Place::phase(place.phase + 1))),
        None => Ok(None),
    }
}

type Name = heapless::String<64>;

/// The name of a row; empty if it has none that can be typed as one word, `None` behind the last one.
fn name(view: &View<'_>, place: Place) -> Option<Name> {
    let (config, row) = (view.director.config(), place.row);
    let mut name = Name::new();
    // A name that is too long is none.
    let written = match place.phase {
        INSTANCES => {
            config.instances.get(row)?;
            name.write_str(config.instance_name(InstanceId::from_index(row)))
        }
        ADDRESSES => write!(name, "{}", config.addresses.get(row)?.address),
        SERVICES => match config.services.get(row)?.key {
            ServiceKey::Address { address, port, .. } => socket(&mut name, address, port),
            ServiceKey::Mark { .. } => Ok(()),
        },
        SERVERS => {
            let key = config.written_destinations().get(row)?.key;
            socket(&mut name, key.address, key.port)
        }
        _ => name.write_str(config.texts.get(config.variables.get(row)?.name)),
    };
    if written.is_err() {
        name.clear();
    }
    Some(name)
}

fn socket(name: &mut Name, address: IpAddr, port: u16) -> fmt::Result {
    write!(name, "{}", SocketAddr::new(address, port))
}
