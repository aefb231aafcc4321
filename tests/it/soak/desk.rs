//! Terminals at the simulated box: the real session, editor, pager, table of commands and renderers; what the shell
//! does for a command is done here with the director, the simulated kernel and a ring of lines. Views that only a real
//! kernel can answer (connections, neighbours, pings) end at once: they are asked of the real program elsewhere.

use std::path::Path;

use lvsbox::console::endpoint::{self, Endpoint};
use lvsbox::console::session::{Session, Want};
use lvsbox::console::table::Argument;
use lvsbox::console::view::{self, View};
use lvsbox::console::{self, Answer, Buf, Command, Format, Request, ipvs};
use lvsbox::director::event::Event;
use lvsbox::director::overrides::Order;
use lvsbox::observe::ring::{Cursor, Ring};
use lvsbox::time::{Duration, Instant};
use lvsbox::wire::genl_ipvs::{DestinationEntry, ServiceEntry};

use crate::support::{Dice, Node};

/// Lines of the log, as the shell keeps them.
pub(crate) type Log = Ring<{ 16 << 10 }>;

/// What the box is besides the director.
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) log: Log,
    pub(crate) file: Box<Path>,
    pub(crate) outcome: Option<view::Reload>,
    pub(crate) found: view::Diagnostics,
    /// A reload is wanted; forced if true.
    pub(crate) wanted: Option<bool>,
    pub(crate) reloads_total: u64,
}

/// What runs at a terminal.
#[expect(clippy::large_enum_variant, reason = "there are four of them")]
enum Running {
    Reload(u64),
    Rendered(Answer),
    /// The simulated kernel's table from this service on.
    Table(usize),
    Log(Cursor, bool),
    Watch(Argument, Instant, Option<Answer>),
    /// Nothing more to say than this.
    Said(Buf),
}

/// A terminal.
pub(crate) struct Terminal {
    session: Session,
    running: Option<Running>,
    changes: Cursor,
    /// Commands begun and ended.
    pub(crate) begun: u64,
    /// Of them, questions of TAB.
    pub(crate) asked: u64,
    pub(crate) ended: u64,
    /// Bytes that the terminal took.
    pub(crate) shown: u64,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let mut session = Session::default();
        session.set_columns(80);
        session.set_rows(24);
        session.set_prompt("lb1");
        session.greet(format_args!("hello"));
        Self { session, running: None, changes: Cursor::default(), begun: 0, asked: 0, ended: 0, shown: 0 }
    }

    pub(crate) fn type_in(&mut self, keys: &[u8]) {
        self.session.handle(keys);
    }

    /// Runs as long as something moves, a few rounds at most; `takes` bytes are taken of what is shown in a round.
    pub(crate) fn work(&mut self, at: &mut Site, takes: usize) {
        let mut lines = [0; 1_024];
        let (count, _) = at.log.read_lines(&mut self.changes, &mut lines);
        let text = core::str::from_utf8(&lines[..count]).unwrap();
        text.lines().take(4).for_each(|line| self.session.event(line));
        for _ in 0..40 {
            let moved = self.step(at);
            let taken = self.session.output().len().min(takes);
            assert!(self.session.output().iter().all(|byte| (7..=13).contains(byte) || *byte >= 27));
            self.session.sent(taken);
            self.shown += taken as u64;
            if !moved && taken == 0 {
                break;
            }
        }
    }

    fn step(&mut self, at: &mut Site) -> bool {
        let want = self.session.poll_want();
        match want {
            None => {}
            Some(Want::Run) => {
                self.begun += 1;
                self.asked += u64::from(self.session.command().starts_with("complete "));
                self.running = Some(begin(at, self.session.command().as_bytes()));
            }
            // What was given up before it began did not run.
            Some(Want::Cancel) if self.running.is_none() => self.session.end(),
            Some(Want::Cancel) => self.end(),
            Some(Want::Leave) => self.session.greet(format_args!("hello")),
        }
        if self.running.is_none() || !self.session.wants_output() {
            return want.is_some();
        }
        self.advance(at) || want.is_some()
    }

    fn end(&mut self) {
        self.ended += 1;
        self.running = None;
        self.session.end();
    }

    /// A step of the command.
    fn advance(&mut self, at: &mut Site) -> bool {
        let mut piece = Buf::new();
        let Some(running) = &mut self.running else { return false };
        let more = match running {
            Running::Reload(number) if at.reloads_total < *number => return false,
            Running::Reload(_) => {
                let request =
                    Request { command: Command::Reload, format: Format::Text, argument: Argument::NONE };
                *running = Running::Rendered(Answer::new(request));
                true
            }
            Running::Rendered(answer) => render(at, answer, &mut piece),
            Running::Table(row) => table(at, row, &mut piece),
            Running::Log(cursor, follows) => {
                let mut bytes = [0; 1_536];
                let (count, lost) = at.log.read_lines(cursor, &mut bytes);
                console::log::lost(lost, &mut piece).unwrap();
                piece.push_str(core::str::from_utf8(&bytes[..count]).unwrap()).unwrap();
                if *follows && count == 0 {
                    return false;
                }
                *follows || count > 0
            }
            Running::Watch(argument, next, page) => match page {
                Some(answer) => {
                    if self.session.is_page_full() || !render(at, answer, &mut piece) {
                        *page = None;
                    }
                    true
                }
                None if at.node.now < *next => return false,
                None => {
                    *next = at.node.now + Duration::from_secs(2);
                    *page = console::parse(argument.as_str().as_bytes()).ok().map(Answer::new);
                    self.session.begin_page();
                    true
                }
            },
            Running::Said(text) => {
                core::mem::swap(text, &mut piece);
                false
            }
        };
        self.session.write(piece.as_bytes());
        if !more {
            self.end();
        }
        true
    }
}

/// What the shell does with a line.
fn begin(at: &mut Site, line: &[u8]) -> Running {
    let mut said = Buf::new();
    let request = match console::parse(line) {
        Ok(request) => request,
        Err(mistake) => {
            let _ = core::fmt::write(&mut said, format_args!("{mistake}\n"));
            return Running::Said(said);
        }
    };
    let words = request.argument.as_str();
    match request.command {
        Command::Reload | Command::ReloadForce => {
            at.wanted = Some(request.command == Command::ReloadForce);
            Running::Reload(at.reloads_total + 1)
        }
        Command::Log => Running::Log(Cursor::default(), false),
        Command::LogFollow | Command::LogChanges => Running::Log(at.log.end(), true),
        Command::Ipvs | Command::IpvsAll => Running::Table(0),
        Command::Watch => Running::Watch(request.argument, at.node.now, None),
        Command::AlarmClear => {
            at.node.handle(Event::ClearAlarms);
            Running::Said(said)
        }
        Command::SetTrack => {
            let (name, value) = words.split_once(' ').unwrap_or((words, ""));
            let variable = at.node.director.config().variable(name);
            if let (Some(variable), Ok(value @ -10_000..=10_000)) = (variable, value.parse()) {
                at.node.handle(Event::SetVariable { variable, value });
            }
            Running::Said(said)
        }
        Command::Drain | Command::Enable | Command::Weight => {
            weigh(at, request.command, words);
            Running::Said(said)
        }
        Command::Interfaces
        | Command::Arp
        | Command::Routes
        | Command::Sysctl
        | Command::Ping
        | Command::Arping
        | Command::Reboot
        | Command::PowerOff
        | Command::ZeroIpvs
        | Command::IpvsOf(_) => Running::Said(said),
        Command::Help
        | Command::HelpOf
        | Command::Status
        | Command::Vrrp
        | Command::Checks
        | Command::Config
        | Command::Memory
        | Command::Loop
        | Command::Boot
        | Command::Why
        | Command::Version
        | Command::Complete
        | Command::Firewall => Running::Rendered(Answer::new(request)),
    }
}

fn weigh(at: &mut Site, command: Command, words: &str) {
    let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
    let Some(server) = Endpoint::parse(name).map(Endpoint::server) else { return };
    let (value, of) =
        if command == Command::Weight { rest.split_once(' ').unwrap_or((rest, "")) } else { ("0", rest) };
    let weight = value.parse().ok().filter(|_| command != Command::Enable);
    let service = match of {
        "" => None,
        of => match endpoint::services(of, at.node.director.config()).next() {
            None => return,
            service => service,
        },
    };
    at.node.handle(Event::Override(Order { server, service, weight }));
}

/// Rows of the simulated kernel's table.
fn table(at: &Site, row: &mut usize, piece: &mut Buf) -> bool {
    let table = at.node.kernel.ipvs.iter().flatten();
    for (key, (spec, pool)) in table.skip(*row).take(1) {
        ipvs::service_line(piece, &ServiceEntry { key: *key, spec: *spec }).unwrap();
        for (key, spec) in pool {
            let entry = DestinationEntry { key: *key, spec: *spec, active: 0, inactive: 0, persistent: 0 };
            let _ = ipvs::destination_line(piece, &entry);
        }
    }
    *row += 1;
    at.node.kernel.ipvs.as_ref().is_some_and(|table| table.len() >= *row)
}

/// The next piece of an answer. True if there is more.
fn render(at: &Site, answer: &mut Answer, piece: &mut Buf) -> bool {
    let heap = lvsbox::observe::heap::figures();
    let view = View {
        director: &at.node.director,
        now: at.node.now,
        identity: view::Identity {
            version: "0",
            host: "lb1",
            configuration: "soak.conf",
            started: Instant::ZERO,
            pid: 1,
        },
        heap: view::Heap { live: heap.live, peak: heap.peak, allocations_total: heap.allocations_total },
        process: view::Process::default(),
        turns: view::Turns {
            since: Instant::ZERO,
            turns_total: 1,
            wakes: view::Tally::default(),
            worst: view::Worst { late: Duration::ZERO, after: "idle", at: Instant::ZERO },
            work: &[],
            ipvs: view::Traffic::default(),
            classes: &[],
        },
        log: view::LogFigures::default(),
        argument: "",
        boot: &[],
        diagnostics: at.found,
        reload: at.outcome,
        short: 0,
        #[cfg(feature = "tls")]
        clock_set: true,
    };
    answer.next(&view, piece)
}

/// The commands of `help`, each as it is written there.
pub(crate) fn all_commands(at: &Site) -> Vec<String> {
    let mut text = String::new();
    let mut answer = Answer::new(console::parse(b"help json").unwrap());
    loop {
        let mut piece = Buf::new();
        let more = render(at, &mut answer, &mut piece);
        text.push_str(&piece);
        if !more {
            break;
        }
    }
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json.as_object().unwrap().keys().cloned().collect()
}

/// Fills the operator's own words of a command in: with what is configured, or with nonsense.
pub(crate) fn keys(command: &str, dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice, words: &[&str]| {
        words[usize::try_from(dice.below(words.len() as u64)).unwrap()].to_owned()
    };
    let mut line = String::new();
    for word in command.split_whitespace() {
        let own = match word.trim_matches(['[', ']']) {
            "NAME" => pick(
                dice,
                &["VI_1", "VI_2", "load", "203.0.113.1:80", "10.0.1.2:80", "fwmark 7", "eth0", "x"],
            ),
            "RIP:PORT" => format!("10.0.{}.{}:80", dice.below(14), dice.below(9)),
            "ADDRESS" => pick(dice, &["192.0.2.1", "2001:db8::1", "300.1.1.1"]),
            "WORD" => pick(dice, &["show", "ipvs", "real", "zzz"]),
            "VALUE" => pick(dice, &["0", "7", "-3", "65535", "99999999999", "many"]),
            "SERVICE" => pick(dice, &["", "203.0.113.1:80", "fwmark 7", "of 1.2.3.4:5"]),
            "COMMAND" => pick(dice, &["status", "1 show vrrp", "show checks", "reload", "7"]),
            other => other.to_owned(),
        };
        line.push_str(&own);
        line.push(' ');
    }
    if dice.percent(20) {
        line.push_str(&pick(dice, &["json", "exact", "js", "\u{1b}[D\u{1b}[3~", "'\"{}", "\t", "\t\t"]));
    }
    let mut keys = line.into_bytes();
    match dice.below(20) {
        // Half a line, given up.
        0 => {
            keys.truncate(keys.len() / 2);
            keys.extend(b"\x15");
        }
        // Half a line, completed as far as it goes.
        1 => {
            keys.truncate(keys.len() / 2);
            keys.extend(b"\t\t\r");
        }
        2 => (0..40).for_each(|_| keys.push(u8::try_from(dice.below(256)).unwrap() | 1)),
        _ => keys.push(b'\r'),
    }
    keys
}
