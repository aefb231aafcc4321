//! The variants of the protocol: their texts and their times.

use std::time::Duration;

use lab::wait::secs;

use crate::rig::Instance;

pub(super) const HIGH: u8 = 150;
pub(super) const LOW: u8 = 100;

/// How adverts are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    None,
    Pass,
    Ah,
}

/// What adverts look like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    pub(super) v3: bool,
    pub(super) v6: bool,
    pub(super) seal: Seal,
    pub(super) unicast: bool,
}

pub(super) const V2_PASS: Variant = Variant { v3: false, v6: false, seal: Seal::Pass, unicast: false };
pub(super) const V2_AH: Variant = Variant { seal: Seal::Ah, ..V2_PASS };
pub(super) const V2_UNICAST: Variant = Variant { seal: Seal::None, unicast: true, ..V2_PASS };
pub(super) const V2_UNICAST_PASS: Variant = Variant { unicast: true, ..V2_PASS };
pub(super) const V2_UNICAST_AH: Variant = Variant { unicast: true, ..V2_AH };
pub(super) const V3: Variant = Variant { v3: true, v6: false, seal: Seal::None, unicast: false };
pub(super) const V3_UNICAST: Variant = Variant { unicast: true, ..V3 };
pub(super) const V6: Variant = Variant { v6: true, ..V3 };
pub(super) const V6_UNICAST: Variant = Variant { unicast: true, ..V6 };

impl Variant {
    pub(super) fn interval(self) -> Duration {
        if self.v3 { Duration::from_millis(300) } else { secs(1) }
    }

    /// RFC 3768 section 6.1, RFC 9568 section 6.1.
    pub(super) fn skew(self, priority: u8) -> Duration {
        self.interval() * (256 - u32::from(priority)) / 256
    }

    pub(super) fn master_down(self, priority: u8) -> Duration {
        3 * self.interval() + self.skew(priority)
    }

    /// How late a loaded machine may be: less than three intervals, or a skew would not be told from a silence.
    pub(super) fn late(self) -> Duration {
        if self.v3 { Duration::from_millis(600) } else { Duration::from_millis(900) }
    }

    pub(super) fn delay(self) -> Duration {
        if self.v3 { secs(1) } else { secs(2) }
    }

    /// One instance as text. The side is 0 for the first host and 1 for the second.
    pub(super) fn instance(self, side: usize, number: u8, lines: &str, password: &'static str) -> String {
        let last = 99 + number;
        let addresses = match self.v6 {
            true => vec![format!("fe80::{last}/64"), format!("2001:db8:9::{last}/64")],
            false => vec![format!("10.9.0.{last}/24")],
        };
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let mut instance =
            Instance::new([HIGH, LOW][side], &addresses).named(&format!("VI_{number}"), 50 + number);
        if self.v3 {
            instance = instance.v3("0.3");
        }
        if self.seal != Seal::None {
            instance = instance.password(password);
        }
        if self.unicast {
            let own = if self.v6 { ["fd00:9::1", "fd00:9::2"] } else { ["10.9.0.1", "10.9.0.2"] };
            instance = instance.unicast(own[side], own[1 - side]);
        }
        let text =
            instance.to_string().replacen("    state BACKUP\n", &format!("    state BACKUP\n{lines}"), 1);
        if self.seal == Seal::Ah { text.replace("auth_type PASS", "auth_type AH") } else { text }
    }
}
