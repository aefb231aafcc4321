//! Short ways to write the rows of keyword tables, and what several tables share. The first argument of each is the
//! row's text, `word|default|meaning`.

use crate::syntax::keyword::{INVALID, RANGE, Value};
use crate::syntax::value::{self, Invalid};
use crate::syntax::{Context, Given, Keyword, Kind, Line, NodeId, Position};
use crate::time::Duration;
use crate::wire::link::LinkName;

/// Longest time of a gratuitous ARP setting; keepalived's numbers of seconds have 32 bits.
const LONGEST: Duration = Duration::from_secs(4_294_967_295);

pub(super) const fn flag<B>(word: &'static str, set: fn(&mut B, Position)) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Flag(set) }
}

pub(super) const fn boolean<B>(word: &'static str, set: fn(&mut B, Given<bool>)) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Bool(set) }
}

pub(super) const fn integer<B>(
    word: &'static str,
    min: u32,
    max: u32,
    set: fn(&mut B, Given<u32>),
) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Integer { min, max, set } }
}

pub(super) const fn timer<B>(
    word: &'static str,
    min: Duration,
    max: Duration,
    set: fn(&mut B, Given<Duration>),
) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Timer { min, max, set } }
}

pub(super) const fn words<B>(
    word: &'static str,
    expected: &'static str,
    set: fn(&mut B, &mut Line<'_, '_>),
) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Words { expected, set } }
}

pub(super) const fn list<B>(word: &'static str, set: fn(&mut B, &mut Line<'_, '_>)) -> Keyword<B> {
    Keyword { text: word, kind: Kind::List(set) }
}

pub(super) const fn block<B>(word: &'static str, set: fn(&mut B, &mut Context<'_>, NodeId)) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Block(set) }
}

pub(super) const fn ignored<B>(word: &'static str, values: u8, why: &'static str) -> Keyword<B> {
    idle(word, Value::Words(values), why)
}

/// A number from 0 or 1 up, and one with a sign.
pub(super) const COUNT: Value = Value::Number(0, 0xffff_ffff);
pub(super) const POSITIVE: Value = Value::Number(1, 0xffff_ffff);
pub(super) const SIGNED: Value = Value::Number(-0x8000_0000, 0x7fff_ffff);

/// The same, with a value that keepalived looks at.
pub(super) const fn idle<B>(word: &'static str, value: Value, why: &'static str) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Ignored { value, why } }
}

pub(super) const fn unsupported<B>(word: &'static str, instead: &'static str) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Unsupported(instead) }
}

/// An old spelling of another word of the same block.
pub(super) const fn old<B>(word: &'static str, name: &'static str) -> Keyword<B> {
    Keyword { text: word, kind: Kind::OldName(name) }
}

/// Off is what happens anyway; on is not supported.
pub(super) const fn off<B>(word: &'static str, instead: &'static str) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Off(instead) }
}

/// Gratuitous ARP as written, in `global_defs` or an instance.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct GarpDraft {
    pub(super) delay: Option<Given<Duration>>,
    pub(super) repeat: Option<Given<u32>>,
    pub(super) refresh: Option<Given<Duration>>,
    pub(super) refresh_repeat: Option<Given<u32>>,
    pub(super) lower_delay: Option<Given<Duration>>,
    pub(super) lower_repeat: Option<Given<u32>>,
}

/// A draft with gratuitous ARP settings.
pub(super) trait Announcing {
    fn garp(&mut self) -> &mut GarpDraft;
}

/// The six rows, by the names they have in this block.
pub(super) const fn garp_rows<B: Announcing>(names: [&'static str; 6]) -> [Keyword<B>; 6] {
    const fn span<B>(word: &'static str, set: fn(&mut B, Given<Duration>)) -> Keyword<B> {
        timer(word, Duration::ZERO, LONGEST, set)
    }
    let [delay, repeat, refresh, refresh_repeat, lower_delay, lower_repeat] = names;
    [
        span(delay, |b, given| b.garp().delay = Some(given)),
        integer(repeat, 1, 255, |b, given| b.garp().repeat = Some(given)),
        span(refresh, |b, given| b.garp().refresh = Some(given)),
        integer(refresh_repeat, 1, 255, |b, given| b.garp().refresh_repeat = Some(given)),
        span(lower_delay, |b, given| b.garp().lower_delay = Some(given)),
        integer(lower_repeat, 0, 255, |b, given| b.garp().lower_repeat = Some(given)),
    ]
}

/// Why commands are passed over.
pub(super) const SCRIPTS: &str = "no scripts run, see `log changes`";

/// What an instance and a group tell others about their states, where programs run.
pub(super) const fn notify_rows<B>() -> [Keyword<B>; 7] {
    [
        ignored("notify|none|command at every change of state", 1, SCRIPTS),
        ignored("notify_master|none|command on becoming MASTER", 1, SCRIPTS),
        ignored("notify_backup|none|command on becoming BACKUP", 1, SCRIPTS),
        ignored("notify_fault|none|command on becoming FAULT", 1, SCRIPTS),
        ignored("notify_stop|none|command at the stop", 1, SCRIPTS),
        idle("notify_priority_changes|off|tell about changes of priority, too", Value::Bool, SCRIPTS),
        idle("smtp_alert|off|mail about changes of state", Value::Bool, "no mail is sent, see the log"),
    ]
}

/// The next word as the name of an interface.
pub(super) fn link(line: &mut Line<'_, '_>) -> Option<Given<LinkName>> {
    let word = line.need("the name of an interface")?;
    let name = LinkName::new(&word.text);
    if name.is_none() {
        line.invalid(&word, "an interface such as eth0 (1 to 15 characters, no `/` and no `:`)");
    }
    name.map(|value| Given { value, at: word.at })
}

/// The next word as a weight of a tracker, up to `most` with either sign.
pub(super) fn weight(line: &mut Line<'_, '_>, most: i16) -> Option<Given<i16>> {
    let word = line.need(&format!("a weight from -{most} to {most}"))?;
    match value::signed(&word.text, most) {
        Ok(value) => Some(Given { value, at: word.at }),
        Err(why) => {
            let code = if why == Invalid::Form { INVALID } else { RANGE };
            line.cx.error(
                code,
                word.at,
                format_args!("{} is no weight", crate::syntax::diagnostic::Quoted(&word.text)),
                format_args!(
                    "write a number from -{most} to {most}; it counts as 0 now, so that down means FAULT"
                ),
            );
            None
        }
    }
}
