//! The same files to `keepalived -t` and to `lvsbox check`: both take a file or both refuse it, or
//! `tests/data/config/compare/differences.txt` says why not. An excuse that is needed no longer is a failure, so that
//! the table shrinks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use lab::netns::{Lan, Namespace};
use lvsbox::config::differences::DIFFERENCES;

/// How many files are judged at the same time.
const WORKERS: usize = 8;
/// keepalived's own end of a `-t` now and then (128 + SIGTERM): it has not judged then.
const TERMINATED: i32 = 143;
const UNSUPPORTED: &str = "not supported by this version: ";
const PENDING: &str = "pending: ";
/// The codes of what this version does not do.
const UNSUPPORTED_CODES: [&str; 3] = ["E0108", "E0109", "E0202"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config/compare")
}

/// What one program made of one file.
struct Verdict {
    accepted: bool,
    /// Everything it said, with single blanks.
    said: String,
}

impl Verdict {
    fn of(output: &Output) -> Self {
        let text = [&*output.stdout, &*output.stderr].concat();
        let words: Vec<String> =
            String::from_utf8_lossy(&text).split_whitespace().map(str::to_owned).collect();
        Self { accepted: output.status.success(), said: words.join(" ") }
    }

    fn name(&self) -> &'static str {
        if self.accepted { "takes" } else { "refuses" }
    }
}

/// Exit statuses of `keepalived -t`: 0; 1, 2, 5 or 6 for a file that is refused; killed by its own mistake counts as
/// that, too.
fn keepalived(host: &Namespace, file: &Path) -> Verdict {
    for _ in 0..5 {
        let mut command = host.command("keepalived");
        let output = command.arg("-t").arg("-f").arg(file).output().expect("keepalived");
        let terminated = output.status.signal() == Some(15) || output.status.code() == Some(TERMINATED);
        if !terminated {
            return Verdict::of(&output);
        }
    }
    panic!("{}: keepalived is terminated again and again", file.display());
}

fn lvsbox(file: &Path) -> Verdict {
    let output = Command::new(crate::rig::binary()).arg("check").arg(file).output().expect("lvsbox");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {:?}", file.display(), output.status);
    Verdict::of(&output)
}

/// Every file with both verdicts, in the order of the names.
fn verdicts() -> BTreeMap<String, (Verdict, Verdict)> {
    let lan = Lan::new();
    let host = lan.host("cmp", &["10.9.0.1/24"]);
    lan.attach(&host, "eth1");
    let files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    let (queue, done) = (Mutex::new(files), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(file) = { queue.lock().unwrap().pop() } {
                    let verdicts = (keepalived(&host, &file), lvsbox(&file));
                    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    done.lock().unwrap().insert(name, verdicts);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// The table: file, reason.
fn excuses() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("differences.txt")).expect("the table");
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut table = BTreeMap::new();
    for row in rows {
        let (file, reason) = row.split_once(": ").expect("FILE: REASON");
        assert!(table.insert(file.to_owned(), reason.to_owned()).is_none(), "{file} stands there twice");
    }
    table
}

/// Why the reason does not explain the difference; nothing if it does.
fn objection(reason: &str, keepalived: &Verdict, lvsbox: &Verdict) -> Option<String> {
    if let Some(what) = reason.strip_prefix(UNSUPPORTED) {
        let codes: Vec<&str> = lvsbox.said.split("error[").skip(1).filter_map(|rest| rest.get(..5)).collect();
        let only = !codes.is_empty() && codes.iter().all(|code| UNSUPPORTED_CODES.contains(code));
        let named = what.split(", ").all(|word| lvsbox.said.contains(word));
        return (lvsbox.accepted || !only || !named)
            .then(|| format!("its errors are not (only) about {what}: {codes:?}"));
    }
    if reason.starts_with(PENDING) {
        return None;
    }
    if !DIFFERENCES.iter().any(|difference| difference.title == reason) {
        return Some("`lvsbox help differences` has no such title".to_owned());
    }
    let warned = lvsbox.accepted && lvsbox.said.contains("warning[");
    (reason == "`check` fails on errors only" && (keepalived.accepted || !warned))
        .then(|| "lvsbox must warn of what keepalived refuses".to_owned())
}

#[test]
fn lvsbox_takes_and_refuses_what_keepalived_does_or_the_table_says_why_not() {
    let (verdicts, mut excuses) = (verdicts(), excuses());
    assert!(verdicts.len() >= 60, "{} files", verdicts.len());
    let (mut agreed, mut wrong) = (0, String::new());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for (file, (theirs, ours)) in &verdicts {
        let excuse = excuses.remove(file);
        let differ = theirs.accepted != ours.accepted;
        match excuse {
            None if differ => {
                let _ = writeln!(
                    wrong,
                    "{file}: keepalived {} it: {}\n    lvsbox {} it: {}",
                    theirs.name(),
                    theirs.said,
                    ours.name(),
                    ours.said
                );
            }
            None => agreed += 1,
            Some(reason) if !differ => {
                let _ = writeln!(
                    wrong,
                    "{file}: both programs now {} it; remove the row ({reason})",
                    if ours.accepted { "take" } else { "refuse" }
                );
            }
            Some(reason) => {
                if let Some(objection) = objection(&reason, theirs, ours) {
                    let _ = writeln!(wrong, "{file}: {reason}: {objection}");
                }
                let kind = reason.split(": ").next().unwrap_or_default();
                *reasons.entry(kind.to_owned()).or_default() += 1;
            }
        }
    }
    println!("{} files, {agreed} agreed, excused: {reasons:?}", verdicts.len());
    for (file, _) in excuses {
        let _ = writeln!(wrong, "{file}: there is no such file");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
