//! The commands: one row each with its words, its help line and what renders it. Parsing, `help` and dispatch read
//! this table and nothing else. Unique prefixes of words suffice; a mistake says what was meant, perhaps.

mod argument;
mod following;
mod mistake;

pub use argument::Argument;
pub(super) use following::{follow, hints, question};
pub use mistake::Mistake;

use super::answer::Renderer;
use super::ipvs::View;
use super::nearest::nearest;
use super::show;
use crate::limits::MAX_COMMAND_BYTES;

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The commands.
    Help,
    /// Those that begin with a word.
    HelpOf,
    /// One screen about everything.
    Status,
    /// Instances.
    Vrrp,
    /// The kernel's table: made by the shell with the functions of [`super::ipvs`].
    Ipvs,
    /// The same with the services that lead checks through virtual addresses.
    IpvsAll,
    /// Checks of real servers.
    Checks,
    /// What was configured, in canonical form.
    Config,
    /// Tables, heap, process.
    Memory,
    /// How the loop spends its time.
    Loop,
    /// Read the configuration again. The shell does it; the answer then says how it went.
    Reload,
    /// The same, although the file has errors.
    ReloadForce,
    /// The lines of the log: read by the shell, rendered by [`super::log`].
    Log,
    /// Interfaces and their addresses: read from the kernel by the shell.
    Interfaces,
    /// The kernel's neighbours: read by the shell.
    Arp,
    /// The kernel's routes: read by the shell.
    Routes,
    /// The stages of the boot.
    Boot,
    /// ICMP echo requests, sent by the shell.
    Ping,
    /// ARP requests, sent by the shell.
    Arping,
    /// Lines of the log as they are written.
    LogFollow,
    /// Changes of state as they happen.
    LogChanges,
    /// Set a variable that instances track: the argument is its name and the value.
    SetTrack,
    /// Forget the alarms that stay: peers that do not fit, addresses that others speak for.
    AlarmClear,
    /// Start the machine again. The shell does it, or says why not.
    Reboot,
    /// Switch the machine off. The shell does it, or says why not.
    PowerOff,
    /// Everything about one object; the shell adds the last lines of the log about it.
    Why,
    /// Name and version.
    Version,
    /// No new connections to a real server: the argument is its name, and a service if it is about one.
    Drain,
    /// The configured weight again.
    Enable,
    /// Another weight: the argument is the name, the weight, and perhaps a service.
    Weight,
    /// Names for a word that is being typed; a terminal asks for them.
    Complete,
    /// A view of IPVS: made by the shell. The argument says of which services, and whether in full digits.
    IpvsOf(View),
    /// Set the counters of services to zero: by the shell.
    ZeroIpvs,
    /// Another command, again and again: by the shell. The argument is that command, perhaps behind seconds.
    Watch,
    /// Rules of the firewall with their counters: the shell has the director look at them first.
    Firewall,
    /// Settings of the kernel: read by the shell, rendered by [`super::sysctl`].
    Sysctl,
}

/// How the answer shall look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// A command that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub command: Command,
    /// How.
    pub format: Format,
    /// The operator's own word, of a command that takes one.
    pub argument: Argument,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) words: &'static [&'static str],
    pub(super) help: &'static str,
    pub(super) command: Command,
    pub(super) text: Renderer,
    pub(super) json: Renderer,
}

/// Stands in a row for a word of the operator's, at its end for all that are left. What has one has no JSON: it is
/// prose.
const NAME: &str = "NAME";
/// The same for a real server.
const SERVER: &str = "RIP:PORT";
/// The same for an IP address.
const ADDRESS: &str = "ADDRESS";
/// The same for the first word of commands.
const WORD: &str = "WORD";
/// The same for a number.
const VALUE: &str = "VALUE";
/// The same for a service; it may be left out and may have several words.
const SERVICE: &str = "[SERVICE]";

/// What may be written there.
const OF_SERVICE: &str = "only in this service: 192.0.2.1:80 or fwmark 7; else in all";

/// The same for a command of several words.
const COMMAND: &str = "COMMAND";

/// True if a row's word stands for one of the operator's.
fn is_own(word: &str) -> bool {
    [NAME, SERVER, ADDRESS, WORD, VALUE, COMMAND, SERVICE].contains(&word)
}

/// Behind every other command.
const JSON: &str = "json";

impl Row {
    fn takes_argument(&self) -> bool {
        self.words.iter().any(|word| is_own(word))
    }

    /// The word at a depth; the last one may stand for several.
    fn word(&self, depth: usize) -> Option<&'static str> {
        let last = || self.words.last().copied().filter(|last| [NAME, SERVICE].contains(last));
        self.words.get(depth).copied().or_else(last)
    }

    /// True if the command may end after so many words.
    fn ends_at(&self, depth: usize) -> bool {
        let needed = self.words.len() - usize::from(self.words.last() == Some(&SERVICE));
        let soaks = self.word(self.words.len()).is_some();
        if soaks { depth >= needed } else { depth == needed }
    }

    /// Terminals use it, nobody else: it is not listed and has to be written out.
    pub(super) fn is_hidden(&self) -> bool {
        self.help.is_empty()
    }

    /// True for a word of the operator's that may stand behind those of the row.
    fn takes_behind(&self, word: &[u8]) -> bool {
        let of_ipvs = matches!(self.command, Command::Ipvs | Command::IpvsOf(_) | Command::ZeroIpvs);
        let selects = [b"exact".as_slice(), b"fwmark"].contains(&word)
            || word.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'[');
        self.command == Command::Watch || (of_ipvs && selects)
    }
}

/// All commands, in the order of `help`.
#[rustfmt::skip]
pub(super) static TABLE: &[Row] = &[
    Row { words: &["status"], help: "everything on one screen", command: Command::Status,
          text: show::status::text, json: show::status::json },
    Row { words: &["show", "vrrp"], help: "instances: state, why, timers, addresses, refused adverts", command: Command::Vrrp,
          text: show::vrrp::text, json: show::vrrp::json },
    Row { words: &["show", "ipvs"], help: "the kernel's table, as ipvsadm -Ln, or a SERVICE of it", command: Command::Ipvs,
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "stats"], help: "counters, as --stats; `exact`: all digits; SERVICE", command: Command::IpvsOf(View::Stats),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "rate"], help: "by second, as --rate; `exact`; SERVICE", command: Command::IpvsOf(View::Rate),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "connections"], help: "as ipvsadm -Lnc; SERVICE: 192.0.2.1:80 or fwmark 7", command: Command::IpvsOf(View::Connections),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "thresholds"], help: "as --thresholds; SERVICE", command: Command::IpvsOf(View::Thresholds),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "persistent"], help: "templates, as --persistent-conn; SERVICE", command: Command::IpvsOf(View::Persistent),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "tun-info"], help: "encapsulation, as --tun-info; SERVICE", command: Command::IpvsOf(View::Tunnels),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "timeouts"], help: "of idle connections, as --timeout", command: Command::IpvsOf(View::Timeouts),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "daemon"], help: "the sync daemons, as --daemon", command: Command::IpvsOf(View::Daemon),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "save"], help: "as ipvsadm -Sn, with thresholds; SERVICE", command: Command::IpvsOf(View::Save),
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "ipvs", "all"], help: "also what checks with via_vip go through", command: Command::IpvsAll,
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["show", "checks"], help: "real servers: last result, reason, next check", command: Command::Checks,
          text: show::checks::text, json: show::checks::json },
    Row { words: &["show", "config"], help: "the configuration in force, in canonical form", command: Command::Config,
          text: show::config::text, json: show::config::json },
    Row { words: &["show", "interfaces"], help: "state, MAC, MTU, addresses and counters of the kernel's", command: Command::Interfaces,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["show", "arp"], help: "neighbours of the kernel, IPv4 and IPv6", command: Command::Arp,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["show", "routes"], help: "routes of the kernel's main table", command: Command::Routes,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["show", "firewall"], help: "rules with their counters, and addresses with no_accept", command: Command::Firewall,
          text: show::firewall::text, json: show::firewall::json },
    Row { words: &["show", "memory"], help: "tables against their limits, heap, process", command: Command::Memory,
          text: show::memory::text, json: show::memory::json },
    Row { words: &["show", "loop"], help: "how late the loop wakes, and what takes its time", command: Command::Loop,
          text: show::turns::text, json: show::turns::json },
    Row { words: &["show", "boot"], help: "stages of the boot, their times and problems", command: Command::Boot,
          text: show::boot::text, json: show::boot::json },
    Row { words: &["show", "log"], help: "the log in memory, newest last", command: Command::Log,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["show", "sysctl"], help: "kernel settings and limits: now, wished, by whom, why", command: Command::Sysctl,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["why", NAME], help: "an instance, address, service or real server: why it is so", command: Command::Why,
          text: show::why::text, json: show::other::nothing },
    Row { words: &["log", "follow"], help: "the log as it is written, until a key is pressed", command: Command::LogFollow,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["log", "changes"], help: "changes of state as they happen, until a key is pressed", command: Command::LogChanges,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["ping", ADDRESS], help: "5 ICMP echo requests; a key ends it", command: Command::Ping,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["arping", ADDRESS], help: "3 ARP requests: who has it, twice if two have; a key ends it", command: Command::Arping,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["set", "track", NAME, VALUE], help: "a track_file's number, kept across a reload", command: Command::SetTrack,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["alarm", "clear"], help: "forget misfit peers and duplicate addresses seen so far", command: Command::AlarmClear,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["real", SERVER, "drain", SERVICE], help: "weight 0: no new connections, 0 for the quorum", command: Command::Drain,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["real", SERVER, "enable", SERVICE], help: "its configured weight again, at once", command: Command::Enable,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["real", SERVER, "weight", VALUE, SERVICE], help: "0 to 65535; kept across a reload", command: Command::Weight,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["complete", NAME], help: "", command: Command::Complete,
          text: show::complete::text, json: show::other::nothing },
    Row { words: &["zero", "ipvs"], help: "counters to 0, of a SERVICE or all", command: Command::ZeroIpvs,
          text: show::other::ipvs, json: show::other::ipvs_json },
    Row { words: &["watch", COMMAND], help: "`watch 5 show ipvs rate`: again and again, until a key", command: Command::Watch,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["reload"], help: "read the configuration again; one with an error changes nothing", command: Command::Reload,
          text: show::other::reload, json: show::other::reload_json },
    Row { words: &["reload", "force"], help: "the same, leaving out what an error concerns", command: Command::ReloadForce,
          text: show::other::reload, json: show::other::reload_json },
    Row { words: &["reboot"], help: "start the appliance again, priority 0 first", command: Command::Reboot,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["poweroff"], help: "switch the appliance off, priority 0 first", command: Command::PowerOff,
          text: show::other::nothing, json: show::other::nothing },
    Row { words: &["version"], help: "name and version", command: Command::Version,
          text: show::other::version, json: show::other::version_json },
    Row { words: &["help"], help: "this list; unique prefixes suffice, `json` behind gives JSON", command: Command::Help,
          text: show::other::help, json: show::other::help_json },
    Row { words: &["help", WORD], help: "commands that begin with it: `help show`", command: Command::HelpOf,
          text: show::other::help_of, json: show::other::nothing },
];

/// First words that are no command alone, and what is about to follow.
const GROUPS: [(&str, &str); 6] = [
    ("show", "tables and states"),
    ("log", "the log as it grows"),
    ("set", "a number that instances track"),
    ("alarm", "alarms that stay until they are cleared"),
    ("real", "a real server: drain, enable, another weight"),
    ("zero", "counters of IPVS"),
];

/// The row of a command.
pub(super) fn row_of(command: Command) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.command == command)
}

/// A set of rows that agree in their first words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    bits: u64,
    /// Which of their words is asked for.
    depth: usize,
}

impl Rows {
    fn all() -> Self {
        Self { bits: u64::MAX, depth: 0 }.keep(|_| true)
    }

    fn iter(self) -> impl Iterator<Item = &'static Row> {
        TABLE.iter().enumerate().filter(move |(place, _)| self.bits & 1_u64 << place != 0).map(|(_, row)| row)
    }

    /// The words at the set's depth; neighbours that are equal count once.
    fn words(self) -> impl Iterator<Item = &'static str> {
        let mut last = None;
        self.iter().filter(|row| !row.is_hidden()).filter_map(move |row| {
            let word = row.word(self.depth);
            if core::mem::replace(&mut last, word) == word { None } else { word }
        })
    }

    fn keep(self, wanted: impl Fn(&Row) -> bool) -> Self {
        let bits = TABLE
            .iter()
            .enumerate()
            .filter(|(_, row)| wanted(row))
            .fold(0, |bits, (place, _)| bits | 1_u64 << place);
        Self { bits: self.bits & bits, ..self }
    }

    /// What `help` is asked for about these: their first word, or what has many views.
    fn about(self) -> &'static str {
        let row = self.iter().next().filter(|_| self.depth > 0);
        let word = |at: usize| row.and_then(|row| row.words.get(at).copied());
        word(1).filter(|word| *word == "ipvs" && self.depth > 1).or_else(|| word(0)).unwrap_or("")
    }

    /// The command that ends here.
    fn ending(self) -> Option<&'static Row> {
        self.iter().find(|row| row.ends_at(self.depth))
    }

    fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// True if a command ends here that has a form for programs.
    fn has_json(self) -> bool {
        self.depth > 0 && self.iter().any(|row| row.words.len() == self.depth && !row.takes_argument())
    }

    /// Those whose next word is `word` or, if there is none, begins with it.
    fn fitting(self, word: &[u8]) -> Self {
        let named = self.keep(|row| row.word(self.depth).is_some_and(is_own));
        if !named.is_empty() {
            return named;
        }
        let next = |row: &Row| row.words.get(self.depth).map(|known| known.as_bytes());
        let exact = self.keep(|row| next(row) == Some(word));
        if exact.is_empty() {
            self.keep(|row| !row.is_hidden() && next(row).is_some_and(|known| known.starts_with(word)))
        } else {
            exact
        }
    }
}

/// Understands a line.
pub fn parse(line: &[u8]) -> Result<Request, Mistake<'_>> {
    if line.len() > MAX_COMMAND_BYTES {
        return Err(Mistake::TooLong);
    }
    let mut rows = Rows::all();
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut format = Format::Text;
    let mut argument = Argument::NONE;
    for word in words {
        let depth = rows.depth;
        if word == JSON.as_bytes() && rows.has_json() && format == Format::Text {
            format = Format::Json;
            continue;
        }
        let fitting = rows.fitting(word);
        if fitting.is_empty() {
            let complete = rows.has_json();
            if complete && JSON.as_bytes().starts_with(word) && format == Format::Text {
                format = Format::Json;
                continue;
            }
            if rows.ending().is_some_and(|row| row.takes_behind(word)) {
                argument = argument.and(word).ok_or(Mistake::Unknown {
                    word,
                    nearest: None,
                    about: rows.about(),
                })?;
                continue;
            }
            let known = rows.words().chain((complete && format == Format::Text).then_some(JSON));
            return Err(Mistake::Unknown { word, nearest: nearest(word, known), about: rows.about() });
        }
        if fitting.words().nth(1).is_some() {
            return Err(Mistake::Ambiguous { word, rows: fitting });
        }
        rows = Rows { depth: depth + 1, ..fitting };
        if rows.iter().any(|row| row.word(depth).is_some_and(is_own)) {
            argument =
                argument.and(word).ok_or(Mistake::Unknown { word, nearest: None, about: rows.about() })?;
        }
    }
    if rows.depth == 0 {
        return Err(Mistake::Empty);
    }
    match rows.ending() {
        Some(row) => Ok(Request { command: row.command, format, argument }),
        None => Err(Mistake::Incomplete { rows }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(line: &str) -> Request {
        parse(line.as_bytes()).unwrap_or_else(|mistake| panic!("{line}: {mistake}"))
    }

    fn mistake(line: &[u8]) -> String {
        parse(line).unwrap_err().to_string()
    }

    #[test]
    fn every_row_is_reached_by_its_words_and_json_follows_each() {
        for row in TABLE {
            let line = row.words.join(" ");
            let own = row.words.iter().filter(|word| is_own(word));
            let argument = own.fold(Argument::NONE, |all, word| all.and(word.as_bytes()).unwrap());
            assert_eq!(understood(&line), Request { command: row.command, format: Format::Text, argument });
            if argument == Argument::NONE {
                let json = understood(&format!(" {line}\tjson\r\n"));
                assert_eq!(json, Request { command: row.command, format: Format::Json, argument });
            }
        }
    }

    #[test]
    fn unique_prefixes_suffice() {
        assert_eq!(understood("sh v").command, Command::Vrrp);
        assert_eq!(understood("sho che").command, Command::Checks);
        let argument = Argument::NONE;
        assert_eq!(understood("st j"), Request { command: Command::Status, format: Format::Json, argument });
        assert_eq!(understood("wh VI_1").argument.as_str(), "VI_1");
        assert_eq!(understood("h").command, Command::Help);
    }

    #[test]
    fn mistakes_say_what_was_meant() {
        assert_eq!(mistake(b"why"), "why needs NAME");
        assert_eq!(mistake(b"why \x1b[2J"), "unknown word `?[2J`; `help why` explains what may follow");
        assert_eq!(mistake(b"s"), "`s` may be status, show, set");
        assert_eq!(
            mistake(b"show"),
            "show what? One of vrrp, ipvs, checks, config, interfaces, arp, routes,\nfirewall, memory, loop, boot, log, sysctl"
        );
        assert_eq!(mistake(b"stauts"), "unknown word `stauts`: did you mean `status`?");
        assert_eq!(mistake(b"show check5"), "unknown word `check5`: did you mean `checks`?");
        assert_eq!(mistake(b"show vrrp jsno"), "unknown word `jsno`: did you mean `json`?");
        assert_eq!(
            mistake(b"status json json"),
            "unknown word `json`; `help status` explains what may follow"
        );
        assert_eq!(mistake(b"show ipvs xyzzy"), "unknown word `xyzzy`; `help ipvs` explains what may follow");
        assert_eq!(mistake(b"zero"), "zero needs `ipvs`");
        assert_eq!(mistake(b"xyzzy"), "unknown word `xyzzy`; `help` lists the commands");
        assert_eq!(mistake(b" \r\n"), "no command; `help` lists them");
        assert_eq!(mistake(&[b'x'; MAX_COMMAND_BYTES + 1]), "longer than 512 bytes");
    }

    #[test]
    fn control_bytes_come_back_as_question_marks() {
        assert_eq!(mistake(b"\x1b[2Jstat\xffus"), "unknown word `?[2Jstat?us`; `help` lists the commands");
        let long = mistake(&[7; 100]);
        assert!(long.len() < 80 && long.bytes().all(|byte| (32..127).contains(&byte)), "{long}");
    }
}
