//! `real RIP:PORT drain|enable|weight N [SERVICE]`: what is meant, and what becomes of it.

use core::fmt::Write;

use super::answer::{STATUS_OK, STATUS_USAGE};
use super::shell::Shell;
use crate::config::ids::{DestinationId, ServiceId};
use crate::console::endpoint::{self, Endpoint};
use crate::console::{self, Buf, Command};
use crate::director::event::Event;
use crate::director::overrides::{Order, meant};

/// Services that are named in an answer; of more only the number is said.
const MOST: usize = 16;
/// Services that one word can name: they differ in their protocol.
const NAMED: usize = 4;

/// Does it. A status; what was done, or why not, is written to `piece`.
pub(super) fn run(shell: &Shell, command: Command, words: &str, piece: &mut Buf) -> u8 {
    let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
    let Some(server) = Endpoint::parse(name).map(Endpoint::server) else {
        let _ = writeln!(piece, "{name} is not a real server such as 10.0.0.11:80 or [2001:db8::1]:80");
        return STATUS_USAGE;
    };
    let (value, of) =
        if command == Command::Weight { rest.split_once(' ').unwrap_or((rest, "")) } else { ("0", rest) };
    let weight = match (command, value.parse::<u16>()) {
        (Command::Enable, _) => None,
        (_, Ok(weight)) => Some(weight),
        (_, Err(_)) => {
            let _ = writeln!(piece, "a weight is a number from 0 to 65535");
            return STATUS_USAGE;
        }
    };
    // All services, or those that are named.
    let mut services: heapless::Vec<Option<ServiceId>, NAMED> = heapless::Vec::new();
    if of.is_empty() {
        let _ = services.push(None);
    } else {
        let director = shell.director.borrow();
        services.extend(endpoint::services(of, director.config()).map(Some).take(NAMED));
    }
    let mut found = 0;
    for service in services {
        let order = Order { server, service, weight };
        shell.handle(Event::Override(order));
        let director = shell.director.borrow();
        for id in meant(order, director.config(), director.ipvs_plan()) {
            found += 1;
            if found <= MOST {
                told(&director, id, piece);
            }
        }
    }
    match found {
        0 if of.is_empty() => {
            let _ = writeln!(piece, "no service has a real server {name} (show checks)");
            STATUS_USAGE
        }
        0 => {
            let _ = writeln!(piece, "there is no service {of} with a real server {name} (show checks)");
            STATUS_USAGE
        }
        _ => {
            if found > MOST {
                let _ = writeln!(piece, "and in {} more services", found - MOST);
            }
            STATUS_OK
        }
    }
}

fn told(director: &crate::director::Director, id: DestinationId, piece: &mut Buf) {
    // A line too many is not written.
    let _ = console::weight_line(director, id, piece);
}
