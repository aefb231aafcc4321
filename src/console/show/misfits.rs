//! Peers that do not fit, as sentences: who, which field, what stands there and what here, how often, when last.

use core::fmt::{self, Write};

use super::labelled;
use crate::config::model::{Authentication, Instance, Transport};
use crate::console::json::{Object, Shown};
use crate::console::text::{Ago, Count};
use crate::console::view::View;
use crate::director::vrrp::{Field, Misfit, Misfits, Reject};

/// Says it of an instance's configuration; the peer comes first.
pub(super) fn sentence(view: &View<'_>, instance: &Instance, misfit: &Misfit) -> impl fmt::Display {
    let (misfit, now) = (*misfit, view.now);
    let here = Here {
        version: instance.version.number(),
        auth: auth_type(&instance.authentication),
        seconds: instance.advert_interval.as_secs(),
        unicast: matches!(instance.transport, Transport::Unicast { .. }),
        vrid: instance.vrid.get(),
        addresses: instance.advertised,
    };
    fmt::from_fn(move |f| {
        if misfit.from.is_unspecified() {
            f.write_str("a router ")?;
        } else {
            write!(f, "{} ", misfit.from)?;
        }
        here.compare(f, misfit.field, misfit.seen)?;
        let ago = Ago { now, at: misfit.last };
        write!(f, "; {}, last {ago}", Count(misfit.total, "advert"))
    })
}

struct Here {
    version: u8,
    auth: u8,
    seconds: u64,
    unicast: bool,
    vrid: u8,
    addresses: u8,
}

impl Here {
    fn compare(&self, f: &mut fmt::Formatter<'_>, field: Field, seen: u8) -> fmt::Result {
        match field {
            Field::List => {
                let ours = self.addresses;
                write!(f, "lists other addresses ({seen}, here {ours})")
            }
            Field::Vrid => {
                write!(f, "uses VRID {} for none of our addresses: is it another group?", self.vrid)
            }
            Field::Refused(Reject::Version) => write!(f, "speaks version {seen}, here {}", self.version),
            Field::Refused(Reject::AuthType | Reject::AuthMismatch) => {
                write!(f, "authenticates by {}, here {}", auth_name(seen), auth_name(self.auth))
            }
            Field::Refused(Reject::Password) => f.write_str("has another password"),
            Field::Refused(Reject::Interval) => {
                write!(f, "advertises every {seen} s, here {} s", self.seconds)
            }
            Field::Refused(Reject::Destination) => {
                let (theirs, ours) =
                    if self.unicast { ("multicast", "unicast") } else { ("unicast", "multicast") };
                write!(f, "speaks {theirs}, here {ours}")
            }
            Field::Refused(Reject::Source) => f.write_str("is not in unicast_peer here"),
            Field::Refused(Reject::Ttl) => write!(f, "sends with TTL {seen}: it is not of this network"),
            Field::Refused(other) => f.write_str(other.name()),
        }
    }
}

/// RFC 2338 section 5.3.6.
fn auth_type(authentication: &Authentication) -> u8 {
    u8::from(*authentication != Authentication::None)
}

fn auth_name(number: u8) -> &'static str {
    match number {
        0 => "nothing",
        1 => "PASS",
        2 => "AH",
        _ => "an unknown type",
    }
}

/// A line for each.
pub(super) fn text(
    view: &View<'_>,
    instance: &Instance,
    misfits: &Misfits,
    out: &mut dyn Write,
) -> fmt::Result {
    misfits
        .iter()
        .try_for_each(|one| labelled(out, "PEER", format_args!("{}", sentence(view, instance, one))))
}

/// A list of objects.
pub(super) fn json(view: &View<'_>, misfits: &Misfits, out: &mut dyn Write) -> fmt::Result {
    out.write_char('[')?;
    for (place, one) in misfits.iter().enumerate() {
        if place > 0 {
            out.write_char(',')?;
        }
        let mut object = Object::begin(out)?;
        object.field("from", (!one.from.is_unspecified()).then_some(Shown(one.from)))?;
        object.field(
            "field",
            match one.field {
                Field::Refused(reject) => reject.name(),
                Field::List => "address-list",
                Field::Vrid => "vrid",
            },
        )?;
        object.field("seen", one.seen)?;
        object.field("since", view.now.since(one.since))?;
        object.field("last", view.now.since(one.last))?;
        object.field("adverts", one.total)?;
        object.end()?;
    }
    out.write_char(']')
}
