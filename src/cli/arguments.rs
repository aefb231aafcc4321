//! What the command line says. One table names every command; `help` is made of it.

use core::fmt::{self, Write};
use core::net::SocketAddr;
use std::ffi::OsString;
use std::path::Path;

use lexopt::{Arg, Parser, ValueExt};

use crate::check::http_get::Url;
use crate::config::canonical::Passwords;
use crate::config::explain::number;
use crate::limits::MAX_CONSOLES;

/// Abstract name of the control socket unless `--control` says otherwise.
pub const DEFAULT_CONTROL: &str = "lvsbox";

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run in the foreground.
    Run(Run),
    /// Say what a file means and what is wrong with it.
    Check {
        /// The file.
        file: Box<Path>,
        /// What `@id` in it is compared with; the first label of the host's name if `None`.
        config_id: Option<String>,
        /// As one JSON document.
        json: bool,
        /// With the memory that it needs.
        memory: bool,
    },
    /// Say what a file means, in canonical form.
    ShowConfig {
        /// The file.
        file: Box<Path>,
        /// As for `check`.
        config_id: Option<String>,
        /// Whether passwords are written.
        passwords: Passwords,
    },
    /// Hand words to the running daemon.
    Ctl {
        /// Its control socket.
        control: String,
        /// The command.
        words: String,
    },
    /// Serve the terminal of standard input.
    Console {
        /// The daemon's control socket.
        control: String,
    },
    /// Say the MD5 of what a web server answers.
    Digest(Asked),
    /// Say the version.
    Version,
    /// Say what can be said.
    Help,
    /// Say where this differs from keepalived on purpose.
    Differences,
    /// Say what a keyword means, or the keywords of a block; the blocks if it is empty.
    Keyword(String),
    /// Say what a code of a message means.
    Code(u16),
}

/// Arguments of `digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The server.
    pub target: SocketAddr,
    /// What it is asked for.
    pub url: Url,
    /// How.
    pub scheme: Scheme,
}

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// As an HTTP_GET does.
    Http,
    /// As an SSL_GET does that verifies nothing.
    #[cfg(feature = "tls")]
    Https,
}

/// Arguments of `run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The configuration.
    pub file: Box<Path>,
    /// Refuse a file with errors.
    pub strict: bool,
    /// Leave the virtual addresses when stopped.
    pub keep_vips: bool,
    /// Leave the IPVS table when stopped.
    pub keep_ipvs: bool,
    /// What `@id` in it is compared with; the first label of the host's name if `None`.
    pub config_id: Option<String>,
    /// Abstract name of the control socket.
    pub control: String,
    /// Terminals to serve.
    pub consoles: Vec<String>,
}

/// Usage and meaning of every command.
pub const COMMANDS: [(&str, &str); 11] = [
    (
        "run FILE [--strict] [--keep-vips] [--keep-ipvs]\n             [--config-id ID] [--control NAME] [--console DEVICE]...",
        "run in the foreground: SIGHUP reads FILE again, SIGTERM takes everything\n\
         down; --config-id is what `@id` in it means, else the host's first label;\n\
         --strict refuses a file with errors, --keep-vips and --keep-ipvs\n\
         leave what is installed; --console serves a terminal or serial line",
    ),
    (
        "check FILE [--config-id ID] [--json] [--memory]",
        "say what is wrong with a configuration; status 1 if there is an error;\n\
         --json says it as one JSON document; --memory says what running it takes",
    ),
    (
        "show-config FILE [--config-id ID] [--passwords]",
        "what a configuration means, in canonical form: effective values, defaults\n\
         as comments, passwords as *** unless asked for",
    ),
    ("ctl [--control NAME] WORDS...", "hand a command to the running daemon"),
    ("console [--control NAME]", "type commands to the running daemon, with history and completion"),
    (
        "digest [https://]ADDRESS:PORT PATH [--virtualhost NAME]",
        "say the MD5 of what a web server answers, for `digest` of an HTTP_GET\n\
         or SSL_GET, whose certificate is not verified; PATH may stand behind PORT",
    ),
    ("version", "say the version"),
    ("help", "say this"),
    ("help keyword [NAME]", "say what a keyword means; what a block holds; which blocks there are"),
    ("help CODE", "say what a message's code means, such as E0105, with an example"),
    ("help differences", "say where lvsbox differs from keepalived on purpose, and why"),
];

/// Why the arguments mean nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No command.
    Nothing,
    /// A command that is not in the table.
    Unknown(String),
    /// An argument is missing.
    Missing(&'static str),
    /// An argument too many, or one that the command does not have.
    Unexpected(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no command"),
            Self::Unknown(word) => write!(f, "unknown command {word:?}"),
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Self {
        Self::Unexpected(error.to_string())
    }
}

/// The text of `help`.
#[inline(never)]
pub fn help() -> String {
    let mut text = String::from("lvsbox: an LVS director\n");
    for (usage, meaning) in COMMANDS {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  lvsbox {usage}\n");
        for line in meaning.lines() {
            let _ = writeln!(text, "      {}", line.trim_start());
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// True for the first word of a command, and for the options that stand for one.
pub fn is_command(word: &std::ffi::OsStr) -> bool {
    let known = |usage: &str| usage.split(' ').next().is_some_and(|name| word == name);
    word.as_encoded_bytes().starts_with(b"-") || COMMANDS.iter().any(|(usage, _)| known(usage))
}

/// Reads the arguments; the first is the program's name.
///
/// # Errors
/// What is not understood.
#[inline(never)]
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_iter(arguments);
    let word = match parser.next()? {
        None => return Err(Error::Nothing),
        Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help),
        Some(Arg::Short('V') | Arg::Long("version")) => return Ok(Command::Version),
        Some(Arg::Value(word)) => word.string()?,
        Some(other @ (Arg::Short(_) | Arg::Long(_))) => return Err(unexpected(other)),
    };
    match word.as_str() {
        "run" => parse_run(&mut parser),
        "check" => {
            let (mut file, mut config_id, mut json, mut memory) = (None, None, false, false);
            while let Some(argument) = parser.next()? {
                match argument {
                    Arg::Long("config-id") => config_id = Some(value(&mut parser)?),
                    Arg::Long("json") => json = true,
                    Arg::Long("memory") => memory = true,
                    other @ (Arg::Long(_) | Arg::Short(_) | Arg::Value(_)) => take(other, &mut file)?,
                }
            }
            Ok(Command::Check { file: file.ok_or(Error::Missing("FILE"))?, config_id, json, memory })
        }
        "show-config" => parse_show_config(&mut parser),
        "ctl" => parse_ctl(&mut parser),
        "console" => {
            let mut control = DEFAULT_CONTROL.to_owned();
            while let Some(argument) = parser.next()? {
                match argument {
                    Arg::Long("control") => control = name(&mut parser)?,
                    other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => {
                        return Err(unexpected(other));
                    }
                }
            }
            Ok(Command::Console { control })
        }
        "digest" => parse_digest(&mut parser),
        "version" => end(&mut parser, Command::Version),
        "help" => parse_help(&mut parser),
        _ => Err(Error::Unknown(word)),
    }
}

fn parse_digest(parser: &mut Parser) -> Result<Command, Error> {
    let (mut words, mut host) = (Vec::new(), None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("virtualhost") => host = Some(graphic(value(parser)?)?),
            Arg::Value(word) if words.len() < 2 => words.push(word.string()?),
            other @ (Arg::Value(_) | Arg::Short(_) | Arg::Long(_)) => return Err(unexpected(other)),
        }
    }
    let mut words = words.into_iter();
    let asked = words.next().ok_or(Error::Missing("ADDRESS:PORT"))?;
    let (scheme, target) = scheme(&asked)?;
    // Where there is a path, it begins with the first slash; none stands in an address.
    let (target, path) = match target.find('/').and_then(|at| target.split_at_checked(at)) {
        Some((target, path)) => (target, Some(path.to_owned())),
        None => (target, words.next()),
    };
    if let Some(word) = words.next() {
        return Err(unexpected(Arg::Value(word.into())));
    }
    let path = graphic(path.ok_or(Error::Missing("PATH"))?)?;
    let target = target
        .parse()
        .map_err(|_| Error::Unexpected(format!("{target:?} is no address and port such as 192.0.2.1:80")))?;
    let url = Url { path, host, statuses: Box::default(), digest: None, regex: None };
    Ok(Command::Digest(Asked { target, url, scheme }))
}

fn scheme(asked: &str) -> Result<(Scheme, &str), Error> {
    if let Some(rest) = asked.strip_prefix("https://") {
        #[cfg(feature = "tls")]
        return Ok((Scheme::Https, rest));
        #[cfg(not(feature = "tls"))]
        return Err(Error::Unexpected(format!("{rest}: this lvsbox was built without the feature `tls`")));
    }
    Ok((Scheme::Http, asked.strip_prefix("http://").unwrap_or(asked)))
}

/// What may stand in a request line or a header.
fn graphic(word: String) -> Result<Box<str>, Error> {
    if word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(word.into());
    }
    Err(Error::Unexpected(format!("{word:?} has a blank or a control character")))
}

fn parse_help(parser: &mut Parser) -> Result<Command, Error> {
    match parser.next()? {
        None => Ok(Command::Help),
        Some(Arg::Value(topic)) if topic == "differences" => end(parser, Command::Differences),
        Some(Arg::Value(topic)) if topic == "keyword" => {
            let mut name = String::new();
            // The top level has a name of several words.
            while let Some(argument) = parser.next()? {
                let Arg::Value(word) = argument else { return Err(unexpected(argument)) };
                name.push_str(if name.is_empty() { "" } else { " " });
                name.push_str(&word.string()?);
            }
            Ok(Command::Keyword(name))
        }
        Some(Arg::Value(topic)) => {
            let topic = topic.string()?;
            match number(&topic) {
                Some(number) => end(parser, Command::Code(number)),
                None => Err(unexpected(Arg::Value(topic.into()))),
            }
        }
        Some(argument) => Err(unexpected(argument)),
    }
}

fn parse_show_config(parser: &mut Parser) -> Result<Command, Error> {
    let (mut file, mut config_id, mut passwords) = (None, None, Passwords::Hidden);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("config-id") => config_id = Some(value(parser)?),
            Arg::Long("passwords") => passwords = Passwords::Shown,
            argument @ (Arg::Value(_) | Arg::Short(_) | Arg::Long(_)) => take(argument, &mut file)?,
        }
    }
    Ok(Command::ShowConfig { file: file.ok_or(Error::Missing("FILE"))?, config_id, passwords })
}

fn parse_run(parser: &mut Parser) -> Result<Command, Error> {
    let (mut strict, mut keep_vips, mut keep_ipvs) = (false, false, false);
    let (mut file, mut control, mut consoles) = (None, DEFAULT_CONTROL.to_owned(), Vec::new());
    let mut config_id = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("strict") => strict = true,
            Arg::Long("keep-vips") => keep_vips = true,
            Arg::Long("keep-ipvs") => keep_ipvs = true,
            Arg::Long("config-id") => config_id = Some(value(parser)?),
            Arg::Long("control") => control = name(parser)?,
            Arg::Long("console") if consoles.len() < MAX_CONSOLES => {
                consoles.push(value(parser)?);
            }
            argument @ (Arg::Value(_) | Arg::Short(_) | Arg::Long(_)) => take(argument, &mut file)?,
        }
    }
    let file = file.ok_or(Error::Missing("FILE"))?;
    Ok(Command::Run(Run { file, strict, keep_vips, keep_ipvs, config_id, control, consoles }))
}

/// Words that look like options belong to the command of the daemon once it has begun.
fn parse_ctl(parser: &mut Parser) -> Result<Command, Error> {
    let mut control = DEFAULT_CONTROL.to_owned();
    let mut words = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("control") => control = name(parser)?,
            Arg::Value(word) => {
                words.push(word.string()?);
                for word in parser.raw_args()? {
                    words.push(word.string()?);
                }
            }
            other @ (Arg::Short(_) | Arg::Long(_)) => return Err(unexpected(other)),
        }
    }
    if words.is_empty() {
        return Err(Error::Missing("a command"));
    }
    Ok(Command::Ctl { control, words: words.join(" ") })
}

/// What no command takes. (Once for all of them, as `value`: inlined, each is a hundred bytes.)
#[inline(never)]
fn unexpected(argument: Arg<'_>) -> Error {
    argument.unexpected().into()
}

/// The value of an option.
#[inline(never)]
fn value(parser: &mut Parser) -> Result<String, Error> {
    Ok(parser.value()?.string()?)
}

/// An abstract name is what fits `sun_path` behind its leading NUL.
fn name(parser: &mut Parser) -> Result<String, Error> {
    let name = value(parser)?;
    let name = name.strip_prefix('@').unwrap_or(&name);
    if name.is_empty() || name.len() > 107 {
        return Err(Error::Unexpected("the name of a control socket has 1 to 107 bytes".to_owned()));
    }
    Ok(name.to_owned())
}

fn take(argument: Arg<'_>, file: &mut Option<Box<Path>>) -> Result<(), Error> {
    match argument {
        Arg::Value(path) if file.is_none() => {
            *file = Some(Path::new(&path).into());
            Ok(())
        }
        other @ (Arg::Value(_) | Arg::Short(_) | Arg::Long(_)) => Err(unexpected(other)),
    }
}

fn end(parser: &mut Parser, command: Command) -> Result<Command, Error> {
    match parser.next()? {
        None => Ok(command),
        Some(argument) => Err(unexpected(argument)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Error> {
        parse(core::iter::once("lvsbox").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn options_stand_before_or_behind_the_file() {
        for line in
            ["run --strict a.conf --control @x --keep-ipvs", "run a.conf --keep-ipvs --strict --control=x"]
        {
            let expected = Run {
                file: Path::new("a.conf").into(),
                strict: true,
                keep_vips: false,
                keep_ipvs: true,
                config_id: None,
                control: "x".to_owned(),
                consoles: Vec::new(),
            };
            assert_eq!(parsed(line), Ok(Command::Run(expected)), "{line}");
        }
    }

    #[test]
    fn passwords_are_shown_only_if_asked_for() {
        let of = |passwords| {
            Ok(Command::ShowConfig { file: Path::new("a.conf").into(), config_id: None, passwords })
        };
        assert_eq!(parsed("show-config a.conf"), of(Passwords::Hidden));
        assert_eq!(parsed("show-config --passwords a.conf"), of(Passwords::Shown));
        assert_eq!(parsed("show-config --passwords"), Err(Error::Missing("FILE")));
    }

    #[test]
    fn words_of_a_control_command_are_handed_on_as_they_are() {
        let expected = Command::Ctl { control: "lvsbox".to_owned(), words: "show ipvs --json -x".to_owned() };
        assert_eq!(parsed("ctl show ipvs --json -x"), Ok(expected));
        assert_eq!(parsed("ctl"), Err(Error::Missing("a command")));
    }

    #[test]
    fn a_digest_is_of_a_server_and_a_path() {
        let url = Url {
            path: "/a".into(),
            host: Some("x".into()),
            statuses: Box::default(),
            digest: None,
            regex: None,
        };
        let expected =
            Command::Digest(Asked { target: "[::1]:80".parse().unwrap(), url, scheme: Scheme::Http });
        assert_eq!(parsed("digest [::1]:80 /a --virtualhost x"), Ok(expected));
        assert_eq!(parsed("digest 10.0.0.1:80"), Err(Error::Missing("PATH")));
        for line in ["digest 10.0.0.1 /", "digest 10.0.0.1:80 / /", "digest web:80 /"] {
            assert!(matches!(parsed(line), Err(Error::Unexpected(_))), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parsed(""), Err(Error::Nothing));
        assert_eq!(parsed("rnu a"), Err(Error::Unknown("rnu".to_owned())));
        assert_eq!(parsed("run"), Err(Error::Missing("FILE")));
        for line in
            ["run a b", "run a --fast", "version now", "check a b", "run a --control", "run a --control @"]
        {
            assert!(matches!(parsed(line), Err(Error::Unexpected(_))), "{line}");
        }
    }

    #[test]
    fn words_of_a_kernel_s_command_line_are_no_commands() {
        let is = |word: &str| is_command(std::ffi::OsStr::new(word));
        assert!(COMMANDS.iter().all(|(usage, _)| is(usage.split(' ').next().unwrap())) && is("--help"));
        assert!(!["", "ro", "splash", "single", "runlevel", "FILE"].iter().any(|word| is(word)));
    }

    #[test]
    fn help_names_every_command_that_is_understood() {
        for (usage, _) in COMMANDS {
            let word = usage.split(' ').next().unwrap();
            assert!(!matches!(parsed(word), Err(Error::Unknown(_))), "{word}");
            assert!(help().contains(usage));
        }
        assert!(help().lines().all(|line| line.chars().count() <= 80), "a serial console has 80 columns");
        assert_eq!(parsed("help differences"), Ok(Command::Differences));
        assert_eq!(parsed("help keyword the top level"), Ok(Command::Keyword("the top level".to_owned())));
        assert_eq!(parsed("help keyword"), Ok(Command::Keyword(String::new())));
        for code in ["E0105", "e0105", "W0105", "w0105"] {
            assert_eq!(parsed(&format!("help {code}")), Ok(Command::Code(105)), "{code}");
        }
        for code in ["E105", "X0105", "E01055", "E01x5", "0105"] {
            assert!(matches!(parsed(&format!("help {code}")), Err(Error::Unexpected(_))), "{code}");
        }
        let file: Box<Path> = Path::new("a").into();
        for (line, json, memory) in [
            ("check a --json", true, false),
            ("check --json a", true, false),
            ("check --memory a", false, true),
            ("check a --json --memory", true, true),
        ] {
            let command = Command::Check { file: file.clone(), config_id: None, json, memory };
            assert_eq!(parsed(line), Ok(command), "{line}");
        }
        assert!(matches!(parsed("help differnces"), Err(Error::Unexpected(_))));
    }
}
