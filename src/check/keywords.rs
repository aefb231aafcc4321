//! The keywords of checkers: what they share, what each has of its own, and the draft that a block becomes.
//!
//! Targets, defaults and the merging with the real server's and the service's values are the business of
//! `config/probe_build.rs`. What a checker has of its own stands in its file; [`checkers`] makes a row of each.

use core::net::IpAddr;

use super::http_get::{Recovery, Regex, Version, regex};
use super::registry::{Checker, FORMS};
use super::text;
use crate::syntax::keyword::{INVALID, MISSING, Value};
use crate::syntax::{Context, Given, Keyword, Kind, Line, NodeId, Position, Table, Walk};
use crate::time::Duration;
use crate::wire::link::LinkName;

/// Longest time of a connection: keepalived's limit, as many microseconds as fit 32 bits.
pub const LONGEST: Duration = Duration::from_micros(4_294_967_295);
/// Shortest useful time of a check.
pub const SHORTEST: Duration = Duration::from_millis(1);
/// Longest pause between two checks: 136 years, so that whoever writes "never" as a large number can.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(4_294_967_295);

/// Times and retries; each can be given for a checker, its real server or the whole service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// `delay_loop`
    pub delay_loop: Option<Given<Duration>>,
    /// `connect_timeout`
    pub connect_timeout: Option<Given<Duration>>,
    /// `retry`
    pub retry: Option<Given<u32>>,
    /// `delay_before_retry`
    pub delay_before_retry: Option<Given<Duration>>,
    /// `warmup`
    pub warmup: Option<Given<Duration>>,
    /// `alpha`
    pub alpha: Option<Given<bool>>,
    /// `via_vip`
    pub via: Option<Given<bool>>,
}

impl Pace {
    /// Own values first, then those of the enclosing block.
    pub fn or(&self, outer: &Self) -> Self {
        Self {
            delay_loop: self.delay_loop.or(outer.delay_loop),
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            warmup: self.warmup.or(outer.warmup),
            alpha: self.alpha.or(outer.alpha),
            via: self.via.or(outer.via),
        }
    }
}

/// A checker's block as written.
#[derive(Debug)]
pub struct Draft {
    /// Which, with what its own keywords have set.
    pub checker: Checker,
    /// Where its keyword stands.
    pub at: Position,
    /// `connect_ip`
    pub connect_ip: Option<Given<IpAddr>>,
    /// `connect_port`
    pub connect_port: Option<Given<u32>>,
    /// `bindto`
    pub bind_ip: Option<Given<IpAddr>>,
    /// `bind_port`
    pub bind_port: Option<Given<u32>>,
    /// `bind_if`
    pub bind_link: Option<LinkName>,
    /// `fwmark`
    pub mark: Option<u32>,
    /// `host` blocks of an SMTP_CHECK: the same check of another place each, with these values first.
    pub hosts: Vec<Draft>,
    /// Times and retries.
    pub pace: Pace,
    /// `virtualhost`
    pub host: Option<Box<str>>,
    /// `fast_recovery`
    pub recovery: Recovery,
    /// `http_protocol`
    pub protocol: Version,
    /// `url` blocks with a valid path.
    pub urls: Vec<UrlDraft>,
    /// `enable_sni`
    pub sni: bool,
    /// `sni_name`
    pub sni_name: Option<Box<str>>,
}

/// A `url` block as written.
#[derive(Debug, Default)]
pub struct UrlDraft {
    /// `path`
    pub path: Option<Box<str>>,
    /// `virtualhost`
    pub host: Option<Box<str>>,
    /// `status_code`
    pub statuses: Vec<(u16, u16)>,
    /// `digest`
    pub digest: Option<[u8; 16]>,
    /// `regex` and what belongs to it.
    pub regex: regex::Draft,
    /// The pattern that came of it.
    pub body: Option<Regex>,
}

/// A draft that collects checkers.
pub trait Checked {
    /// Its checkers so far.
    fn checkers(&mut self) -> &mut Vec<Draft>;
}

/// A draft with times and retries.
pub trait Paced {
    /// Its own values.
    fn pace(&mut self) -> &mut Pace;
}

impl Paced for Draft {
    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }
}

const UNCHECKED: &str = "the real server is not checked by it; use TCP_CHECK or HTTP_GET";

/// The checkers as keywords of a real server.
#[allow(clippy::indexing_slicing, reason = "made when compiling, where a wrong index is an error")]
pub const fn checkers<B: Checked>() -> [Keyword<B>; FORMS.len()] {
    const fn row<B: Checked>(text: &'static str) -> Keyword<B> {
        Keyword { text, kind: Kind::Block(|b, cx, node| checker(b.checkers(), cx, node)) }
    }
    let mut rows = [const { row("") }; FORMS.len()];
    let mut at = 0;
    while at < FORMS.len() {
        rows[at] = row(FORMS[at].help);
        at += 1;
    }
    rows
}

const NONE: usize = if cfg!(feature = "tls") { 3 } else { 4 };

/// The checkers that there are not.
pub const fn refused<B>() -> [Keyword<B>; NONE] {
    const fn refused<B>(text: &'static str, instead: &'static str) -> Keyword<B> {
        Keyword { text, kind: Kind::Unsupported(instead) }
    }
    [
        #[cfg(not(feature = "tls"))]
        refused(
            "SSL_GET|none|HTTP_GET over TLS",
            "this lvsbox was built without the feature `tls`; TCP_CHECK sees whether the server accepts",
        ),
        refused(
            "MISC_CHECK|none|up if a script succeeds",
            "no script runs here and the server is unchecked; use TCP_CHECK or HTTP_GET",
        ),
        refused("FILE_CHECK|none|weight from a tracked file", UNCHECKED),
        refused("BFD_CHECK|none|up while a BFD session is", UNCHECKED),
    ]
}

/// Times and retries as keywords of a checker, a real server or a service.
pub const fn paces<B: Paced>() -> [Keyword<B>; 8] {
    const fn timer<B>(
        word: &'static str,
        min: Duration,
        max: Duration,
        set: fn(&mut B, Given<Duration>),
    ) -> Keyword<B> {
        Keyword { text: word, kind: Kind::Timer { min, max, set } }
    }
    [
        timer("delay_loop|60 s|time between two checks", SHORTEST, LONGEST_PAUSE, |b, given| {
            b.pace().delay_loop = Some(given)
        }),
        timer("connect_timeout|5 s|time limit of a connection", SHORTEST, LONGEST, |b, given| {
            b.pace().connect_timeout = Some(given)
        }),
        Keyword {
            text: "retry|1|further tries before an up server counts as down",
            kind: Kind::Integer { min: 0, max: u32::MAX, set: |b, given| b.pace().retry = Some(given) },
        },
        Keyword { text: "nb_get_retry", kind: Kind::OldName("retry") },
        timer(
            "delay_before_retry|1 s; HTTP_GET 3 s|pause before each further try",
            Duration::ZERO,
            LONGEST_PAUSE,
            |b, given| b.pace().delay_before_retry = Some(given),
        ),
        timer(
            "warmup|delay_loop, at most 1 s|first check at a random moment within",
            Duration::ZERO,
            LONGEST_PAUSE,
            |b, given| b.pace().warmup = Some(given),
        ),
        Keyword {
            text: "alpha|off|down until the first check succeeds",
            kind: Kind::Bool(|b, given| b.pace().alpha = Some(given)),
        },
        Keyword {
            text: "via_vip|off|DR, TUN: connect to the virtual address on this server",
            kind: Kind::Bool(|b, given| b.pace().via = Some(given)),
        },
    ]
}

const fn port(word: &'static str, set: fn(&mut Draft, Given<u32>)) -> Keyword<Draft> {
    Keyword { text: word, kind: Kind::Integer { min: 1, max: 65_535, set } }
}

const fn ignored<B>(word: &'static str, values: u8, why: &'static str) -> Keyword<B> {
    idle(word, Value::Words(values), why)
}

const fn idle<B>(word: &'static str, value: Value, why: &'static str) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Ignored { value, why } }
}

/// Times and retries of a checker.
pub(super) const PACES: &[Keyword<Draft>] = &paces();

/// Where every checker connects to and from, and what it ignores.
pub(super) const COMMON: &[Keyword<Draft>] = &[
    Keyword {
        text: "connect_ip|the real server's|address that is checked instead",
        kind: Kind::Address(|b, given| b.connect_ip = Some(given)),
    },
    port("connect_port|the real server's|port that is checked instead", |b, given| {
        b.connect_port = Some(given)
    }),
    Keyword {
        text: "bindto|the kernel's choice|source address of the check",
        kind: Kind::Address(|b, given| b.bind_ip = Some(given)),
    },
    port("bind_port|the kernel's choice|source port of the check", |b, given| b.bind_port = Some(given)),
    Keyword {
        text: "bind_if|none|interface that the check leaves by",
        kind: Kind::Words { expected: "an interface such as eth0", set: bind_link },
    },
    Keyword {
        text: "fwmark|0|mark of the check's packets",
        kind: Kind::Integer { min: 0, max: u32::MAX, set: |b, given| b.mark = Some(given.value) },
    },
    idle(
        "log_all_failures|off|log every failed try",
        Value::Bool,
        "every failure is kept with its reason, see `show checks`",
    ),
];

const TLS_ONLY: &str = "it concerns SSL_GET only";

const HTTP: &[Keyword<Draft>] = &[
    Keyword {
        text: "url|none|a path to ask for; several allowed",
        kind: Kind::Block(|b, cx, node| b.urls.extend(url(cx, node))),
    },
    Keyword {
        text: "virtualhost|the real server's|Host of the request",
        kind: Kind::Words { expected: "a host name", set: |b, line| b.host = host(line).or(b.host.take()) },
    },
    Keyword {
        text: "fast_recovery|off|one success is enough to come up again",
        kind: Kind::Bool(|b, given| b.recovery = recovery(given.value)),
    },
    Keyword {
        text: "http_protocol|1.0|version of HTTP; 1.0C has Connection: close",
        kind: Kind::Words { expected: "1.0, 1.0C or 1.1", set: protocol },
    },
];

const PLAIN: &[Keyword<Draft>] = &[
    ignored("enable_sni|off|send the host name with TLS", 0, TLS_ONLY),
    ignored("sni_name|virtualhost|host name sent with TLS", 1, TLS_ONLY),
    ignored("tls_compliant|off|a TLS connection must end properly", 0, TLS_ONLY),
];

#[cfg(feature = "tls")]
const SECURE: &[Keyword<Draft>] = &[
    Keyword {
        text: "enable_sni|off|send the host name with TLS",
        kind: Kind::Bool(|b, given| b.sni = given.value),
    },
    Keyword {
        text: "sni_name|virtualhost|host name sent with TLS",
        kind: Kind::Words {
            expected: "a host name",
            set: |b, line| b.sni_name = host(line).or(b.sni_name.take()),
        },
    },
    ignored(
        "tls_compliant|off|a TLS connection must end properly",
        0,
        "a reply that is complete counts, however its connection ends",
    ),
];

const URL_ROWS: &[Keyword<UrlDraft>] = &[
    Keyword {
        text: "path|none|what is asked for",
        kind: Kind::Words { expected: "a path such as /index.html", set: path },
    },
    Keyword {
        text: "status_code|200-299|statuses that are good",
        kind: Kind::Words { expected: "a status such as 200, or a range such as 200-299", set: statuses },
    },
    Keyword {
        text: "virtualhost|the real server's|Host of the request",
        kind: Kind::Words { expected: "a host name", set: |b, line| b.host = host(line).or(b.host.take()) },
    },
    Keyword {
        text: "digest|none|MD5 of a good body",
        kind: Kind::Words { expected: "an MD5 in 32 hexadecimal digits", set: digest },
    },
];

/// `HTTP_GET { … }`
pub static HTTP_GET: Table<Draft> = Table { name: "HTTP_GET", rows: &[PACES, COMMON, HTTP, PLAIN] };
/// `SSL_GET { … }`
#[cfg(feature = "tls")]
pub static SSL_GET: Table<Draft> = Table { name: "SSL_GET", rows: &[PACES, COMMON, HTTP, SECURE] };
/// `url { … }`
pub static URL: Table<UrlDraft> = Table { name: "url", rows: &[URL_ROWS, regex::ROWS] };

/// Keywords of checkers that are refused as a whole: their help, and so that they are not called unknown where they are
/// misplaced. What all checkers share is not repeated. One row of `word|default|meaning` a line.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "MISC_CHECK",
        "misc_dynamic|off|the exit status sets the weight\n\
         misc_path|none|the script\n\
         misc_timeout|delay_loop|its time limit\n\
         user|script_user|user and group it runs as",
    ),
    (
        "FILE_CHECK",
        "track_file|none|name of the file's block\n\
         weight|1|what the file's number is multiplied by",
    ),
    (
        "BFD_CHECK",
        "alpha|off|down until the session is up\n\
         name|none|name of the session's block",
    ),
];

fn recovery(fast: bool) -> Recovery {
    if fast { Recovery::Fast } else { Recovery::FullPass }
}

/// The block of a checker that has set nothing yet.
pub(super) fn draft(checker: Checker, at: Position) -> Draft {
    Draft {
        checker,
        at,
        connect_ip: None,
        connect_port: None,
        bind_ip: None,
        bind_port: None,
        bind_link: None,
        mark: None,
        hosts: Vec::new(),
        pace: Pace::default(),
        host: None,
        recovery: Recovery::FullPass,
        protocol: Version::V10,
        urls: Vec::new(),
        sni: false,
        sni_name: None,
    }
}

fn checker(drafts: &mut Vec<Draft>, cx: &mut Context<'_>, node: NodeId) {
    let keyword = cx.tree.keyword(node);
    let Some(form) = FORMS.iter().find(|form| form.keyword == keyword.text) else { return };
    // Large: it is filled where it stays.
    drafts.push(draft((form.new)(), keyword.at));
    let Some(draft) = drafts.last_mut() else { return };
    Walk::block(cx, node, form.table, draft);
    if !(form.complete)(draft, cx) {
        drafts.pop();
    }
}

/// Reports a checker that cannot be made of its block.
pub(super) fn incomplete(draft: &Draft, cx: &mut Context<'_>, lacks: &str, write: &str) -> bool {
    cx.error(
        MISSING,
        draft.at,
        format_args!("{} has no valid {lacks} and is left out", draft.checker.form().keyword),
        format_args!("write {write}; the server is not checked by it now"),
    );
    false
}

/// [`super::Form::complete`] of an HTTP_GET.
pub(super) fn has_url(draft: &Draft, cx: &mut Context<'_>) -> bool {
    !draft.urls.is_empty() || incomplete(draft, cx, "`url` block", "`url {`, `path /` and `}` on three lines")
}

fn url(cx: &mut Context<'_>, node: NodeId) -> Option<UrlDraft> {
    let mut draft = UrlDraft::default();
    Walk::block(cx, node, &URL, &mut draft);
    if draft.path.is_none() {
        cx.error(
            MISSING,
            cx.tree.position(node),
            format_args!("this `url` has no valid `path` and is left out"),
            format_args!("write `path /` or what the server shall be asked for"),
        );
        return None;
    }
    draft.body = draft.regex.finish(cx);
    Some(draft)
}

fn path(draft: &mut UrlDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    // A blank or a control character would end the request line early (RFC 9112 section 3).
    if word.text.starts_with('/') && word.text.bytes().all(|byte| byte.is_ascii_graphic()) {
        draft.path = Some(word.text.into());
    } else {
        line.invalid(&word, "a path that starts with `/` and holds no blank");
    }
}

/// A host name for a header; nothing, and an error, if it could break out of it.
pub fn host(line: &mut Line<'_, '_>) -> Option<Box<str>> {
    let word = line.word()?;
    if !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(word.text.into());
    }
    line.invalid(&word, "a host name without blanks");
    None
}

fn statuses(draft: &mut UrlDraft, line: &mut Line<'_, '_>) {
    while let Some(word) = line.word() {
        let (low, high) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
        let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
        match (code(low), code(high)) {
            (Some(low), Some(high)) if low <= high => draft.statuses.push((low, high)),
            _ => {
                line.cx.error(
                    INVALID,
                    word.at,
                    format_args!(
                        "status_code: {} is no status",
                        crate::syntax::diagnostic::Quoted(&word.text)
                    ),
                    format_args!("write a number from 100 to 599 or a range such as 200-299; it is left out"),
                );
            }
        }
    }
}

fn protocol(draft: &mut Draft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    draft.protocol = match &*word.text {
        "1.0" => Version::V10,
        "1.0C" | "1.0c" => Version::V10Close,
        "1.1" => Version::V11,
        _ => return line.invalid(&word, "1.0, 1.0C or 1.1"),
    };
}

fn digest(draft: &mut UrlDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    draft.digest = text::bytes(&word.text).and_then(|bytes| <[u8; 16]>::try_from(&*bytes).ok());
    if draft.digest.is_none() {
        line.invalid(&word, "an MD5 in 32 hexadecimal digits, as `lvsbox digest` prints it");
    }
}

fn bind_link(draft: &mut Draft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    match LinkName::new(&word.text) {
        Some(link) => draft.bind_link = Some(link),
        None => line.invalid(&word, "an interface such as eth0 (1 to 15 characters, no `/` and no `:`)"),
    }
}
