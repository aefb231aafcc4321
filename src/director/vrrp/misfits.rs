//! Peers whose adverts do not fit ours: who, in which field, since when. What was found stays until that peer's adverts
//! fit, or a reload changes the instance, so that somebody sees it however long after; the log has it once.

use core::net::IpAddr;

use super::Reject;
use crate::time::Instant;

/// Misfits remembered for one instance; a network has two or three directors.
const MOST: usize = 4;

/// The field of an advert that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// It was refused because of this one.
    Refused(Reject),
    /// Other addresses, some of them ours; accepted.
    List,
    /// None of our addresses: another virtual router has the same VRID.
    Vrid,
}

/// A peer that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// Its address; unspecified where the packet could not be read that far.
    pub from: IpAddr,
    /// What does not fit.
    pub field: Field,
    /// What stands there, as in [`Reason::Rejected`](crate::director::journal::Reason::Rejected); of a list its length.
    pub seen: u8,
    /// When it was first found.
    pub since: Instant,
    /// When it was last found.
    pub last: Instant,
    /// How many adverts.
    pub total: u64,
}

/// The misfits of one instance.
#[derive(Debug, Clone, Copy, Default)]
pub struct Misfits([Option<Misfit>; MOST]);

/// What became of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    New,
    Known,
    /// There are too many already.
    Full,
}

impl Misfits {
    /// In no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Misfit> {
        self.0.iter().flatten()
    }

    pub(super) fn note(&mut self, now: Instant, (from, field): (IpAddr, Field), seen: u8) -> Noted {
        let known = self.0.iter_mut().flatten().find(|one| one.from == from && one.field == field);
        if let Some(known) = known {
            (known.last, known.seen, known.total) = (now, seen, known.total.saturating_add(1));
            return Noted::Known;
        }
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(Misfit { from, field, seen, since: now, last: now, total: 1 });
                Noted::New
            }
            None => Noted::Full,
        }
    }

    /// Adverts of `from` fit, but for the field `still`; true if something is over by that.
    pub(super) fn mend(&mut self, from: IpAddr, still: Option<Field>) -> bool {
        let mut mended = false;
        for place in &mut self.0 {
            if place.is_some_and(|one| one.from == from && Some(one.field) != still) {
                (*place, mended) = (None, true);
            }
        }
        mended
    }
}

/// Whether a refusal is a matter of configuration on one of both sides, and not of a damaged or forged packet.
pub(super) fn is_misfit(reject: Reject) -> bool {
    matches!(
        reject,
        Reject::Ttl
            | Reject::Version
            | Reject::AuthType
            | Reject::AuthMismatch
            | Reject::Password
            | Reject::Interval
            | Reject::Destination
            | Reject::Source
    )
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::time::Duration;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 12));

    #[test]
    fn a_misfit_is_new_once_and_over_when_its_peer_mends_it() {
        let mut misfits = Misfits::default();
        let (early, late) = (Instant::ZERO, Instant::ZERO + Duration::from_secs(3));
        let password = Field::Refused(Reject::Password);
        assert_eq!(misfits.note(early, (PEER, password), 0), Noted::New);
        assert_eq!(misfits.note(late, (PEER, password), 0), Noted::Known);
        let found = misfits.iter().next().unwrap();
        assert_eq!((found.since, found.last, found.total), (early, late, 2));
        assert_eq!(misfits.note(late, (PEER, Field::List), 2), Noted::New);
        assert!(!misfits.mend(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 13)), None));
        assert!(misfits.mend(PEER, Some(Field::List)));
        assert_eq!(misfits.iter().map(|one| one.field).collect::<Vec<_>>(), [Field::List]);
        assert!(misfits.mend(PEER, None));
        assert_eq!(misfits.iter().count(), 0);
    }

    #[test]
    fn a_crowd_of_forged_senders_displaces_nobody() {
        let mut misfits = Misfits::default();
        for last in 0..=255 {
            let from = IpAddr::V4(Ipv4Addr::new(198, 51, 100, last));
            let noted = misfits.note(Instant::ZERO, (from, Field::Refused(Reject::Password)), 0);
            assert_eq!(noted, if usize::from(last) < MOST { Noted::New } else { Noted::Full });
        }
    }
}
