//! Settings of the kernel, and tunnels that a `real_server_role` needs: as wished at start and at a reload, and not put
//! back afterwards, since the machine may need them for other reasons by then. Which they are is `config::wishes`.
//!
//! A daemon sets what is its process's and what `real_server_role` asks for; the rest belongs to the machine's owner,
//! who is told of limits that are too low. The appliance sets all. `show sysctl` reads them as they are, a row at a
//! time.

use super::answer::STATUS_OK;
use super::dump::Job;
use super::shell::{Role, Shell};
use crate::config::Config;
use crate::config::needs::Needs;
use crate::config::wishes::{DESCRIPTORS, ESTIMATION, NEIGHBOURS, Owner, TABLE_BITS, Value, Wish, wishes};
use crate::console::{Buf, Format, sysctl as show};
use crate::kernel::error::Error;
use crate::kernel::link::Links;
use crate::kernel::{neighbours, process, sysctl};
use crate::wire::link::LinkName;

const TUNL0: &str = "tunl0";
/// The figure behind a file that is not there.
const ENOENT: u16 = 2;
/// In a kernel that has this, threads of their own estimate, and nobody waits for them (Linux 6.2).
const THREADS: &str = "net.ipv4.vs.est_nice";

/// Bytes of what a setting says; more is cut.
const CUT: usize = 64;
/// What a setting says.
type Now = heapless::String<CUT>;

fn module(device: &str) -> &'static str {
    if device == TUNL0 { "ipip" } else { "ip6_tunnel" }
}

/// Sets what `config` wants of the owners that are ours, and sets tunnels up. Returns how many limits are too low; each
/// is named in the log.
pub(super) fn set(config: &Config, needs: &Needs, is_ours: &dyn Fn(Owner) -> bool) -> usize {
    let mut short = 0;
    for wish in wishes(config, needs) {
        let mut told = now(wish.name);
        let put = if is_ours(wish.owner) { put_over(told.as_deref(), &wish) } else { Ok(false) };
        match put {
            Ok(true) if wish.name != DESCRIPTORS => {
                log::info!("{} is set to {} for {}", wish.name, wish.value, wish.owner.word());
            }
            // Limits are told of below.
            Err(error) if !wish.is_limit() => log::error!("{error}: {} needs it", wish.owner.word()),
            Ok(_) | Err(_) => {}
        }
        if !matches!(put, Ok(false)) {
            // It may be less than was asked for, and more than before.
            told = now(wish.name);
        }
        if is_short(&wish, told.as_deref()) {
            short += 1;
            warn(&wish, &told.unwrap_or_default());
        }
    }
    for device in config.tunnels() {
        let name = LinkName::new(device).unwrap_or_default();
        match Links::open().and_then(|mut links| links.set_up(name)) {
            Ok(()) => log::info!("{device} is set up for real_server_role"),
            Err(error) => log::error!("{error} (is the module {} loaded?)", module(device)),
        }
    }
    short
}

/// Makes a setting as it is wished. False if there is nothing to do: it is so, or what is not there limits nothing.
///
/// # Errors
/// The kernel has no such setting or refuses it.
pub fn put(wish: &Wish<'_>) -> Result<bool, Error> {
    put_over(now(wish.name).as_deref(), wish)
}

/// The same for a setting that says `now`.
fn put_over(now: Option<&str>, wish: &Wish<'_>) -> Result<bool, Error> {
    if now.is_some_and(|now| wish.is_met(now)) || is_moot(wish) {
        return Ok(false);
    }
    if let (DESCRIPTORS, Value::AtLeast(need)) = (wish.name, wish.value) {
        return process::raise_descriptor_limit(need.into()).map(|_| true);
    }
    match sysctl::set(wish.name, &wish.value.to_string()) {
        Err(error) if error.number() == ENOENT && !matches!(wish.value, Value::Is(_)) => Ok(false),
        set => set.map(|()| true),
    }
}

/// What the kernel says of it now; nothing if it does not have it.
fn now(name: &str) -> Option<Now> {
    let mut bytes = [0; CUT];
    if name == DESCRIPTORS {
        return number(process::descriptor_limit());
    }
    if name == TABLE_BITS {
        return sysctl::table_bits(&mut bytes)?.parse().ok().and_then(number);
    }
    if let Some(found) = sysctl::read(name, &mut bytes) {
        // Tabs separate numbers.
        return Some(found.chars().map(|letter| if letter == '\t' { ' ' } else { letter }).collect());
    }
    // In a network namespace there is no such file, and the machine's table holds its neighbours all the same.
    let ipv6 = NEIGHBOURS.iter().position(|known| *known == name)? == 1;
    let figures = neighbours::figures(ipv6).ok()??;
    number(figures.limit.into())
}

fn number(value: u64) -> Option<Now> {
    let mut text = Now::new();
    core::fmt::write(&mut text, format_args!("{value}")).ok().map(|()| text)
}

/// True if the kernel does better without.
fn is_moot(wish: &Wish<'_>) -> bool {
    wish.name == ESTIMATION && wish.owner == Owner::Many && sysctl::digit(THREADS).is_some()
}

/// True if that much of a long value is as wished. Who sets it goes by more: what differs behind that is to be set.
fn is_cut_of(now: &str, wish: &Wish<'_>) -> bool {
    // A blank at the end of the piece was taken off.
    now.len() + 1 >= CUT && matches!(wish.value, Value::Is(value) if value.starts_with(now))
}

fn is_short(wish: &Wish<'_>, now: Option<&str>) -> bool {
    wish.is_limit() && now.is_some_and(|now| !wish.is_met(now)) && !is_moot(wish)
}

fn warn(wish: &Wish<'_>, now: &str) {
    let Wish { name, value, reason, .. } = *wish;
    let need = show::Need(value);
    let told = format_args!("{name} is {now}, and this configuration needs {need}: {reason}");
    if name == DESCRIPTORS {
        log::warn!("{told}; start with `ulimit -n {value}` or LimitNOFILE={value}");
    } else {
        log::warn!("{told}; sysctl -w {name}=\"{value}\"");
    }
}

/// True if IPVS estimates no rates.
pub(super) fn are_rates_off() -> bool {
    sysctl::digit(ESTIMATION) == Some(b'0')
}

/// The settings that are being shown.
pub(super) struct Settings {
    format: Format,
    /// How many wishes were shown.
    shown: usize,
    differing: usize,
    short: usize,
    /// What the last rows are for.
    reason: Option<&'static str>,
}

impl Settings {
    /// Nothing shown yet.
    pub(super) const fn new(format: Format) -> Self {
        Self { format, shown: 0, differing: 0, short: 0, reason: None }
    }

    /// Shows one, under the reason if the one before had another.
    fn show(&mut self, wish: &Wish<'_>, out: &mut Buf) {
        let now = now(wish.name);
        let now = now.as_deref();
        let met =
            now.map_or(!matches!(wish.value, Value::Is(_)), |now| wish.is_met(now) || is_cut_of(now, wish));
        let row = show::Row { wish, now, met };
        self.short += usize::from(is_short(wish, now));
        self.differing += usize::from(!met);
        // There is room for a row.
        let _ = match self.format {
            Format::Text => row.text(out, self.reason.replace(wish.reason) != Some(wish.reason)),
            Format::Json => row.json(out, self.shown == 0),
        };
    }
}

impl Job for Settings {
    fn step(&mut self, shell: &Shell, out: &mut Buf) -> Option<u8> {
        let (director, needs) = (shell.director.borrow(), shell.needs.get());
        // What only the box is to have says nothing about a machine of somebody else's.
        let is_box = shell.options.role == Role::Appliance;
        let wishes = wishes(director.config(), &needs);
        let wishes = wishes.filter(|wish| (is_box || wish.owner != Owner::Box) && !is_moot(wish));
        for wish in wishes.skip(self.shown) {
            if out.capacity() - out.len() < show::MAX_ROW {
                return None;
            }
            if self.shown == 0 {
                let _ = show::begin(out, self.format);
            }
            self.show(&wish, out);
            self.shown += 1;
        }
        shell.short.set(self.short);
        let _ = show::end(out, self.format, (self.shown, self.differing));
        Some(STATUS_OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_of_which_the_beginning_agrees_is_shown_as_wished() {
        let ports: Vec<String> = (0..100).map(|n| (50_000 + 2 * n).to_string()).collect();
        let value = ports.join(",");
        let of = |value| Wish { name: "n", value: Value::Is(value), owner: Owner::Sysctl, reason: "" };
        let (cut, other) = (&value[..CUT], value.replace("50000", "40000"));
        assert!(is_cut_of(cut, &of(&value)) && !of(&value).is_met(cut), "it is set all the same");
        assert!(!is_cut_of(cut, &of(&other)));
        assert!(!is_cut_of("50000", &of(&value)), "that is all there is");
    }
}
