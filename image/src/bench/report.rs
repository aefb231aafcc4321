//! The page that `tests/bench` prints: on which machine, a table of rows as they come, how figures grow, how to read
//! it; and the same as one document of JSON. No line of the page is longer than [`WIDTH`]; a row of JSON may be.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::row::{Row, Section, TICK, what};
use crate::guest;

/// Columns of the page.
pub const WIDTH: usize = 100;

/// How the page is read; its end.
pub const LEGEND: &str = "\
How to read it: both programs run the same configuration in turn, in one emulated guest with one
processor (--here: on this machine). Times of an emulated machine say nothing by themselves; the
ratio lvsbox / keepalived does. Image and boot are lvsbox's alone, its machine one of its own.
Processor time is that of all threads and processes of a program, those that ended included. PSS
divides pages among the processes that share them; RSS counts them in each. `table complete` is
the kernel's IPVS table as configured. A reload's processor time ends when the program is idle.
System calls are strace's count, divided by the connections that the real servers saw meanwhile.
takeover: milliseconds; `first advert` beyond the instant that the protocol sets (the master down
interval; after priority 0 the skew), `all ARPs within` from the first announcement to the last,
all else from the first advert on. Each address is counted once, however often it is announced.
`above the kernel's floor` is without what the same requests to the kernel cost a program that does
nothing else; that floor stands in the first column, and is neither program's. Goals are ratios,
or, of takeovers, to be no later than keepalived by more than the milliseconds given.
";

/// What is known about where and of what the figures are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(Vec<(String, String)>);

impl Facts {
    /// What this machine says of itself and of the programs; `binary` is lvsbox.
    pub fn gather(binary: &Path) -> Self {
        let mut facts = Self::default();
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().unwrap_or("?").to_owned();
        facts.add("date", &said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]));
        facts.add(
            "machine",
            &format!(
                "{}, {cores} cores, load {load} at the start",
                model.map_or("?", |(_, name)| name.trim())
            ),
        );
        facts.add("kernel", &said("uname", &["-sr"]));
        facts.add("lvsbox", &said(&binary.to_string_lossy(), &["version"]));
        facts.add("revision", &revision());
        facts.add("keepalived", &said("keepalived", &["--version"]));
        facts
    }

    /// The guest, which is emulated. `clock` says what its clock counts.
    pub fn add_guest(&mut self, clock: &str) {
        self.add("emulator", &said("qemu-system-x86_64", &["--version"]));
        self.add("guest", &format!("emulated by TCG (no KVM), one processor, 4,096 MiB, {clock}"));
        self.add("guest's kernel", &guest::kernel().0.file_name().unwrap_or_default().to_string_lossy());
    }

    /// One more.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The head of the page.
    pub fn head(&self) -> String {
        self.0.iter().map(|(name, value)| clipped(&format!("{name:15} {value}")) + "\n").collect()
    }
}

/// The first line that a command says; `?` if it cannot be run.
fn said(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return "?".to_owned() };
    // keepalived says its version on standard error.
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    text.lines().next().unwrap_or("?").to_owned()
}

/// The revision in git, if the sources are in one.
fn revision() -> String {
    let hash = said("git", &["rev-parse", "--short", "HEAD"]);
    if !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return "not in git".to_owned();
    }
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]);
    hash + if matches!(&*changed, "?" | "") { "" } else { ", with changes" }
}

fn clipped(line: &str) -> String {
    line.trim_end().chars().take(WIDTH).collect()
}

/// Lines of at most [`WIDTH`] columns, all but the first indented.
fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            lines.push_str("\n   ");
            width = 3;
        }
        if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines + "\n"
}

/// The head of the table.
pub fn columns() -> String {
    format!("{:46} {:4} {:>11} {:>11} {:>8} {:>7} {}\n", "", "", "lvsbox", "keepalived", "ratio", "goal", "")
        .replace(" \n", "\n")
}

/// What separates the rows of a section from those before.
pub fn heading(section: Section) -> String {
    format!("-- {section} {}\n", "-".repeat(WIDTH - 4 - section.to_string().len()))
}

/// A row as a line of the table.
pub fn line(row: &Row) -> String {
    let what = &row.what;
    if let Some(why) = &row.failed {
        return wrapped(&format!("{what}: failed: {why}"));
    }
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let ratio = row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.3}"));
    let (goal, mark) = match row.goal().zip(row.is_met()) {
        Some((goal, is_met)) => (goal.to_string(), if is_met { "met" } else { "NOT MET" }),
        None => (String::new(), ""),
    };
    let (ours, theirs) = (cell(row.ours), cell(row.theirs));
    clipped(&format!("{what:46} {:4} {ours:>11} {theirs:>11} {ratio:>8} {goal:>7} {mark}", row.unit)) + "\n"
}

/// How figures grow with the number of real servers.
pub fn growth(rows: &[Row]) -> String {
    let mut text = String::from("growth, lvsbox / keepalived\n");
    let memory = |name: &str| series(rows, name);
    let mut block = |title: &str, cells: Vec<(String, Option<f64>, Option<f64>)>| {
        if !cells.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {title}");
        }
        for (place, ours, theirs) in cells {
            let cell =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let _ = writeln!(text, "    {place:42} {:>11} {:>11}", cell(ours), cell(theirs));
        }
    };
    for (title, name) in [
        ("bytes of memory (PSS) for each further real server", what::PSS),
        ("the same while checking", what::PSS_CHECKING),
    ] {
        block(title, between(&memory(name)));
    }
    for (title, name, is_each) in [
        ("reload of every weight: processor time, ms per 1,000 real servers", what::ALL, true),
        ("the same without the kernel's floor", what::ABOVE, true),
        ("reload of one weight: processor time, ms", what::ONE, false),
        ("reload of nothing: processor time, ms", what::NOTHING, false),
        ("one failed server: processor time, ms", what::FAILED, false),
    ] {
        let cells = series(rows, name).into_iter().map(|(count, ours, theirs)| {
            let scale = if is_each { 1_000.0 / real(count) } else { 1.0 };
            (Section::Servers(count).to_string(), ours.map(|ms| ms * scale), theirs.map(|ms| ms * scale))
        });
        block(title, cells.collect());
    }
    text
}

/// Real servers, lvsbox's value, keepalived's, by size.
type Series = Vec<(usize, Option<f64>, Option<f64>)>;

fn series(rows: &[Row], name: &str) -> Series {
    let of_size = |row: &Row| match row.section {
        Section::Servers(count) if row.what == name => Some((count, row.ours, row.theirs)),
        Section::Servers(_) | Section::Files | Section::Takeover | Section::Boot => None,
    };
    let mut found: Series = rows.iter().filter_map(of_size).collect();
    found.sort_by_key(|(count, ..)| *count);
    found
}

/// KiB by size become bytes per real server from one size to the next.
fn between(series: &Series) -> Vec<(String, Option<f64>, Option<f64>)> {
    let each = |few: Option<f64>, many: Option<f64>, more: usize| Some((many? - few?) * 1_024.0 / real(more));
    let steps = series.windows(2).map(|two| {
        let ((few, a, b), (many, c, d)) = (two[0], two[1]);
        (format!("{few} to {many}"), each(a, c, many - few), each(b, d, many - few))
    });
    steps.collect()
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Everything as one document of JSON.
pub fn json(facts: &Facts, rows: &[Row]) -> String {
    let facts: Vec<String> =
        facts.0.iter().map(|(name, value)| format!("    {}: {}", quoted(name), quoted(value))).collect();
    let rows: Vec<String> = rows.iter().map(|row| format!("    {}", object(row))).collect();
    format!(
        "{{\n  \"facts\": {{\n{}\n  }},\n  \"takeover_tolerance_ms\": {TICK},\n  \"rows\": [\n{}\n  ]\n}}\n",
        facts.join(",\n"),
        rows.join(",\n")
    )
}

fn object(row: &Row) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
    let text = |value: Option<String>| value.map_or_else(|| "null".to_owned(), |value| quoted(&value));
    let servers = match row.section {
        Section::Servers(count) => count.to_string(),
        Section::Files | Section::Takeover | Section::Boot => "null".to_owned(),
    };
    format!(
        "{{\"section\":{},\"real_servers\":{servers},\"what\":{},\"unit\":{},\"lvsbox\":{},\"keepalived\":{},\
         \"ratio\":{},\"goal\":{},\"met\":{},\"failed\":{}}}",
        quoted(&row.section.to_string()),
        quoted(&row.what),
        quoted(&row.unit),
        number(row.ours),
        number(row.theirs),
        number(row.ratio()),
        text(row.goal().map(|goal| goal.to_string())),
        row.is_met().map_or("null", |is_met| if is_met { "true" } else { "false" }),
        text(row.failed.clone()),
    )
}

/// A string of JSON (RFC 8259 section 7).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(count: usize, name: &str, ours: f64, theirs: f64) -> Row {
        Row::new(Section::Servers(count), name, "KiB", Some(ours), Some(theirs))
    }

    #[test]
    fn lines_fit_and_say_whether_the_goal_is_met() {
        let met = line(&row(4_096, what::PSS, 1_000.0, 4_000.0));
        assert!(met.ends_with("0.250  <=0.25 met\n"), "{met}");
        let missed = line(&row(16_384, what::CHECK, 12_345_678.0, 12_345_678.0));
        assert!(missed.ends_with("1.000   <=0.5 NOT MET\n") && missed.len() <= WIDTH + 1, "{missed}");
        let alone = Row { theirs: None, ..row(65_536, what::CHECK, 1.0, 0.0) };
        assert!(line(&alone).ends_with("1.00           -\n"), "{}", line(&alone));
        let failed = Row::failed(Section::Servers(40), "keepalived: with checks", &"no table ".repeat(30));
        let failed = line(&failed);
        assert!(failed.starts_with("keepalived: with checks: failed: no table"), "{failed}");
        assert!(failed.matches("table").count() == 30 && failed.lines().all(|line| line.len() <= WIDTH));
        let ours = Row { ours: None, ..row(4_096, what::PSS, 0.0, 4_000.0) };
        assert!(line(&ours).ends_with(" -     4000.00\n"), "{}", line(&ours));
        let others = [LEGEND.to_owned(), columns(), heading(Section::Servers(16_384))].concat();
        assert!(others.lines().all(|line| line.len() <= WIDTH), "{others}");
    }

    #[test]
    fn growth_is_per_further_real_server() {
        let rows = [row(1_000, what::PSS, 1_100.0, 3_000.0), row(40, what::PSS, 1_000.0, 2_000.0)];
        let text = growth(&rows);
        let line = text.lines().find(|line| line.contains("40 to 1000")).unwrap();
        assert!(line.contains(" 106.67 ") && line.ends_with(" 1066.67"), "{line}");
    }

    #[test]
    fn the_document_is_json() {
        let mut facts = Facts::default();
        facts.add("machine", "a \"quoted\" one\t");
        let rows = [row(40, what::PSS, 1.5, 3.0), Row::failed(Section::Boot, "boot", "why\\not")];
        let text = json(&facts, &rows);
        assert!(text.contains(r#""machine": "a \"quoted\" one\u0009""#), "{text}");
        assert!(text.contains(
            r#""real_servers":40,"what":"memory (PSS)","unit":"KiB","lvsbox":1.5,"keepalived":3,"#
        ));
        assert!(text.contains(r#""failed":"why\\not""#));
        assert_eq!(text.matches(['{', '[']).count(), text.matches(['}', ']']).count());
    }
}
