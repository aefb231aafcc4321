//! The keywords of checkers: what they share, what each has of its own, and the draft that a block becomes.
//!
//! Targets, defaults and the merging with the real server's and the service's values are the business of
//! `config/service_build.rs`. A new checker is a row in [`checkers`] and a table like [`HTTP_GET`].

use core::net::IpAddr;

use super::http_get::Recovery;
use crate::syntax::keyword::{INVALID, MISSING};
use crate::syntax::{Context, Given, Keyword, Kind, Line, NodeId, Position, Table, Walk};
use crate::time::Duration;

/// Longest time of a check (keepalived's limit for times).
pub const LONGEST: Duration = Duration::from_secs(1_000);
/// Shortest useful time of a check.
pub const SHORTEST: Duration = Duration::from_millis(1);
/// Longest pause between two checks: a day.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

/// Which checker a block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `TCP_CHECK`
    Tcp,
    /// `HTTP_GET`
    Http,
}

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
}

impl Pace {
    /// Own values first, then those of the enclosing block.
    pub fn or(self, outer: Self) -> Self {
        Self {
            delay_loop: self.delay_loop.or(outer.delay_loop),
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            warmup: self.warmup.or(outer.warmup),
        }
    }
}

/// A checker's block as written.
#[derive(Debug)]
pub struct Draft {
    /// Which.
    pub form: Form,
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
    /// Times and retries.
    pub pace: Pace,
    /// `virtualhost`
    pub host: Option<Box<str>>,
    /// `fast_recovery`
    pub recovery: Recovery,
    /// `url` blocks with a valid path.
    pub urls: Vec<UrlDraft>,
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
pub const fn checkers<B: Checked>() -> [Keyword<B>; 10] {
    const fn refused<B>(word: &'static str) -> Keyword<B> {
        Keyword { text: word, kind: Kind::Unsupported(UNCHECKED) }
    }
    [
        Keyword {
            text: "TCP_CHECK|none|up if a TCP connection can be made",
            kind: Kind::Block(|b, cx, node| b.checkers().push(tcp_check(cx, node))),
        },
        Keyword {
            text: "HTTP_GET|none|up if all URLs answer as they should",
            kind: Kind::Block(|b, cx, node| b.checkers().extend(http_get(cx, node))),
        },
        Keyword {
            text: "SSL_GET|none|HTTP_GET over TLS",
            kind: Kind::Unsupported(
                "the real server is not checked by it; TCP_CHECK sees whether it accepts",
            ),
        },
        refused("SMTP_CHECK|none|up if a mail server greets"),
        refused("DNS_CHECK|none|up if a name server answers"),
        refused("UDP_CHECK|none|up unless a datagram is refused"),
        refused("PING_CHECK|none|up if an echo request is answered"),
        Keyword {
            text: "MISC_CHECK|none|up if a script succeeds",
            kind: Kind::Unsupported(
                "no script runs here and the server is unchecked; use TCP_CHECK or HTTP_GET",
            ),
        },
        refused("FILE_CHECK|none|weight from a tracked file"),
        refused("BFD_CHECK|none|up while a BFD session is"),
    ]
}

/// Times and retries as keywords of a checker, a real server or a service.
pub const fn paces<B: Paced>() -> [Keyword<B>; 6] {
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
            kind: Kind::Integer { min: 0, max: 1_000_000, set: |b, given| b.pace().retry = Some(given) },
        },
        Keyword { text: "nb_get_retry", kind: Kind::OldName("retry") },
        timer(
            "delay_before_retry|1 s; HTTP_GET 3 s|pause before each further try",
            Duration::ZERO,
            LONGEST,
            |b, given| b.pace().delay_before_retry = Some(given),
        ),
        timer(
            "warmup|delay_loop, at most 1 s|first check at a random moment within",
            Duration::ZERO,
            LONGEST_PAUSE,
            |b, given| b.pace().warmup = Some(given),
        ),
    ]
}

const fn port(word: &'static str, set: fn(&mut Draft, Given<u32>)) -> Keyword<Draft> {
    Keyword { text: word, kind: Kind::Integer { min: 1, max: 65_535, set } }
}

const fn ignored<B>(word: &'static str, values: usize, why: &'static str) -> Keyword<B> {
    Keyword { text: word, kind: Kind::Ignored { values, why } }
}

const PACES: &[Keyword<Draft>] = &paces();

const COMMON: &[Keyword<Draft>] = &[
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
        kind: Kind::Unsupported("write `bindto` with the address of that interface"),
    },
    Keyword {
        text: "fwmark|none|mark of the check's packets",
        kind: Kind::Unsupported("the check's packets carry no mark"),
    },
    Keyword {
        text: "alpha|off|down until the first check succeeds",
        kind: Kind::Only {
            values: &["off", "false", "no"],
            instead: "the server counts as up until its first check, which is made at once",
        },
    },
    ignored(
        "log_all_failures|off|log every failed try",
        0,
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
        text: "http_protocol|1.0|version of HTTP",
        kind: Kind::Only { values: &["1.0"], instead: "requests are made with HTTP/1.0" },
    },
    ignored("enable_sni|off|send the host name with TLS", 0, TLS_ONLY),
    ignored("sni_name|virtualhost|host name sent with TLS", 1, TLS_ONLY),
    ignored("tls_compliant|off|a TLS connection must end properly", 0, TLS_ONLY),
];

const NO_BODY: &str = "the body of the reply is not looked at; the status is";

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
    Keyword { text: "digest|none|MD5 of a good body", kind: Kind::Unsupported(NO_BODY) },
    Keyword { text: "regex|none|pattern that a good body matches", kind: Kind::Unsupported(NO_BODY) },
    Keyword {
        text: "regex_no_match|none|pattern that a good body does not match",
        kind: Kind::Unsupported(NO_BODY),
    },
    ignored(
        "regex_options|none|how the pattern is read",
        1,
        "it changes how `regex` matches, and that is left out",
    ),
    ignored(
        "regex_stack|none|memory of the pattern",
        1,
        "it changes how `regex` matches, and that is left out",
    ),
    ignored(
        "regex_min_offset|0|where in the body a match may begin",
        1,
        "it changes how `regex` matches, and that is left out",
    ),
    ignored(
        "regex_max_offset|none|where in the body a match must have begun",
        1,
        "it changes how `regex` matches, and that is left out",
    ),
];

/// `TCP_CHECK { … }`
pub static TCP_CHECK: Table<Draft> = Table { name: "TCP_CHECK", rows: &[PACES, COMMON] };
/// `HTTP_GET { … }`
pub static HTTP_GET: Table<Draft> = Table { name: "HTTP_GET", rows: &[PACES, COMMON, HTTP] };
/// `url { … }`
pub static URL: Table<UrlDraft> = Table { name: "url", rows: &[URL_ROWS] };

/// Keywords of checkers that are refused as a whole: their help, and so that they are not called unknown where they are
/// misplaced. What all checkers share is not repeated. One row of `word|default|meaning` a line.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "SMTP_CHECK",
        "helo_name|smtp_helo_name|how the server is greeted\n\
         host|the real server|a block with the address to check",
    ),
    (
        "DNS_CHECK",
        "name|.|name that is asked for\n\
         type|SOA|type that is asked for: A NS CNAME SOA MX TXT AAAA",
    ),
    (
        "UDP_CHECK",
        "max_reply_length|255|longest good reply, in bytes\n\
         min_reply_length|0|shortest good reply, in bytes\n\
         payload|32 bytes of text|what is sent, in hexadecimal\n\
         require_reply|off|a reply must come, and begin with these bytes",
    ),
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

fn draft(form: Form, at: Position) -> Draft {
    Draft {
        form,
        at,
        connect_ip: None,
        connect_port: None,
        bind_ip: None,
        bind_port: None,
        pace: Pace::default(),
        host: None,
        recovery: Recovery::FullPass,
        urls: Vec::new(),
    }
}

fn tcp_check(cx: &mut Context<'_>, node: NodeId) -> Draft {
    let mut draft = draft(Form::Tcp, cx.tree.position(node));
    Walk::block(cx, node, &TCP_CHECK, &mut draft);
    draft
}

fn http_get(cx: &mut Context<'_>, node: NodeId) -> Option<Draft> {
    let mut draft = draft(Form::Http, cx.tree.position(node));
    Walk::block(cx, node, &HTTP_GET, &mut draft);
    if draft.urls.is_empty() {
        cx.error(
            MISSING,
            draft.at,
            format_args!("HTTP_GET has no valid `url` block and is left out"),
            format_args!(
                "write `url {{`, `path /` and `}}` on three lines; the server is not checked by it now"
            ),
        );
        return None;
    }
    Some(draft)
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
