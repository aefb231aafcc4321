//! Files that are no configuration, given to the real `lvsbox check`: one clear message each, within a time and within
//! a size of the process that is far from what a small box has.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::secs;
use lvsbox::limits;

/// Address space for a file of ordinary size; the program alone takes a few MiB.
const SMALL: usize = 64 << 20;
/// For a file of [`limits::MAX_CONFIG_BYTES`], which is held in memory.
const LARGE: usize = 384 << 20;
/// Even a build without optimisation on a busy machine.
const LONGEST: Duration = secs(90);

const SERVICE: &str = "virtual_server 10.0.0.1 80 {\n    lb_algo wrr\n    lb_kind DR\n    protocol TCP\n    \
                       real_server 10.0.1.1 80 {\n    }\n}\n";

/// The status of `lvsbox check` on `path` and what it said, with single blanks. `wrapper` is put before the program.
fn check_as(
    wrapper: &[&str],
    program: &Path,
    path: &Path,
    memory: usize,
    scratch: &Scratch,
) -> (i32, String) {
    let mut command = Command::new("prlimit");
    command.arg(format!("--as={memory}")).arg("--core=0").args(wrapper).arg(program).arg("check").arg(path);
    let what = format!("lvsbox check {}", path.display());
    let mut process = Process::spawn(command, &what, &scratch.join("said"));
    let status = process.wait_exit(LONGEST);
    let said = process.log().split_whitespace().collect::<Vec<_>>().join(" ");
    let status = status.code().unwrap_or_else(|| panic!("{what}: {status:?}: {said}"));
    (status, said)
}

fn check(path: &Path, memory: usize, scratch: &Scratch) -> (i32, String) {
    check_as(&[], &crate::rig::binary(), path, memory, scratch)
}

/// `text` is refused, and each of `expected` is in what is said.
#[track_caller]
fn refused(text: impl AsRef<[u8]>, memory: usize, expected: &[&str]) {
    let scratch = Scratch::new("bad");
    let file = scratch.join("c.conf");
    fs::write(&file, text).unwrap();
    let (status, said) = check(&file, memory, &scratch);
    assert_eq!(status, 1, "{said}");
    for expected in expected {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
    assert!(said.len() <= 100 * 1_000, "{} bytes of messages", said.len());
}

/// `text` is taken without a word.
#[track_caller]
fn clean(text: impl AsRef<[u8]>) {
    let scratch = Scratch::new("odd");
    let file = scratch.join("c.conf");
    fs::write(&file, text).unwrap();
    let (status, said) = check(&file, SMALL, &scratch);
    assert!(status == 0 && said.contains("no errors") && said.contains("real servers 1"), "{said}");
}

#[test]
fn brace_or_quote_that_is_never_closed_is_reported_where_it_was_opened() {
    let open = SERVICE.trim_end().trim_end_matches('}');
    refused(
        open,
        SMALL,
        &["c.conf:1:28: fatal error[E0001]", "`virtual_server` is never closed", ": 1 fatal error"],
    );
    let quote = format!("{SERVICE}global_defs {{\n    router_id \"lb1\n}}\n");
    refused(
        quote,
        SMALL,
        &["c.conf:9:15: fatal error[E0002]", "this quote is never closed", ": 1 fatal error"],
    );
}

#[test]
fn line_with_a_nul_and_line_over_the_limit_are_each_named_once() {
    refused(SERVICE.replace("wrr", "w\0rr"), SMALL, &["c.conf:2:1: error[E0006]", "NUL", ": 1 error"]);
    let long = format!("global_defs {{\nrouter_id {}\n}}\n{SERVICE}", "x".repeat(1 << 20));
    refused(long, SMALL, &["c.conf:2:1: error[E0005]", "over 4096 bytes", ": 1 error"]);
    let many = format!("x {}\n", "y".repeat(1 << 20)).repeat(20);
    refused(many, SMALL, &["c.conf:20:1: error[E0005]", ": 20 errors"]);
}

#[test]
fn nesting_of_10000_is_reported_at_the_limit_and_at_the_word() {
    let deep = format!("{}{}{SERVICE}", "a {\n".repeat(10_000), "}\n".repeat(10_000));
    refused(
        deep,
        SMALL,
        &["c.conf:1:1: error[E0101]", "c.conf:17:3: error[E0007]", "more than 16 blocks", ": 2 errors"],
    );
}

#[test]
fn line_ends_of_dos_a_byte_order_mark_and_old_encodings_are_no_trouble() {
    clean(SERVICE.replace('\n', "\r\n"));
    clean(format!("\u{feff}{SERVICE}"));
    clean(format!("# Verfügbarkeit\n{SERVICE}"));
    clean([b"# r\xe9partition\n", SERVICE.as_bytes()].concat());
}

#[test]
fn numbers_beyond_64_bits_are_out_of_range() {
    let digits = "340282366920938463463374607431768211456";
    for (line, right) in
        [("lb_algo wrr", "quorum"), ("lb_kind DR", "delay_loop"), ("protocol TCP", "hysteresis")]
    {
        let text = SERVICE.replace(line, &format!("{line}\n    {right} {digits}"));
        refused(text, SMALL, &["error[E0105]", &format!("{right}: `{digits}` is out of range"), ": 1 error"]);
    }
}

#[test]
fn file_of_64_mib_is_bounded_in_time_and_memory() {
    let fill = |line: &str| line.repeat(limits::MAX_CONFIG_BYTES / line.len());
    let limit = limits::MAX_STATEMENTS.to_string();
    for line in ["a\n", "a{}\n", "vrrp_instance a{}\n", SERVICE] {
        refused(fill(line), LARGE, &["fatal error[E0015]", &limit, "the file cannot be used"]);
    }
    refused(
        fill("a a a a a a a a a a a a a a a a a a a a\n"),
        LARGE,
        &["E0015", &limits::MAX_WORDS.to_string()],
    );
    refused(fill("{"), LARGE, &["error[E0005]"]);
    refused(vec![0; limits::MAX_CONFIG_BYTES], LARGE, &["error[E0005]"]);
    refused(vec![0xff; limits::MAX_CONFIG_BYTES], LARGE, &["error[E0005]"]);
    let mut text = fill("\n");
    text.push_str("\n\n");
    text.truncate(limits::MAX_CONFIG_BYTES + 1);
    refused(text, SMALL, &["over 67108864 bytes", "file too large"]);
}

/// What explains itself by lines far above must not look through all of them for each line.
#[test]
fn many_swallowed_braces_take_no_more_than_their_number() {
    refused("!a{\n}\nb\n".repeat(300_000), SMALL, &["error[E0003]", "line 1 is a comment"]);
}

#[test]
fn what_is_no_regular_file_is_named_at_once() {
    let scratch = Scratch::new("files");
    let fifo = scratch.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let loops = scratch.join("loop");
    symlink(&loops, &loops).unwrap();
    for (path, expected) in [
        (scratch.path(), "is a directory"),
        (&fifo, "not a regular file"),
        (Path::new("/dev/zero"), "not a regular file"),
        (Path::new("/dev/null"), "not a regular file"),
        (&scratch.join("none"), "no such file"),
        (&scratch.join("none/c.conf"), "no such file"),
        (&loops, "symbolic link"),
    ] {
        let (status, said) = check(path, SMALL, &scratch);
        assert!(status == 1 && said.starts_with("lvsbox: read "), "{}: {status}: {said}", path.display());
        assert!(said.contains(expected), "{}: {said}", path.display());
    }
}

/// Files of the kernel's have no size; they are read to their end, which must come.
#[test]
fn file_without_a_size_is_read_to_its_end_and_one_that_cannot_be_read_is_named() {
    let scratch = Scratch::new("kernel");
    let (status, said) = check(Path::new("/proc/self/status"), SMALL, &scratch);
    assert!(status == 1 && said.contains("unknown keyword `Name`"), "{said}");
    let (status, said) = check(Path::new("/proc/self/mem"), SMALL, &scratch);
    assert!(status == 1 && said.starts_with("lvsbox: read /proc/self/mem"), "{said}");
}

#[test]
fn file_that_may_not_be_read_is_named() {
    let scratch = Scratch::new("secret");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = scratch.write("c.conf", SERVICE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let program = scratch.join("lvsbox");
    fs::copy(crate::rig::binary(), &program).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let (status, said) = check_as(&nobody, &program, &file, SMALL, &scratch);
    assert!(status == 1 && said.contains("c.conf") && said.contains("permission denied"), "{said}");
}
