//! The layers of the design, read from the sources: which folder may name which, where `unsafe`, `smol` and system
//! calls are, how long files are, and what the director's subsystems may do to each other.
//!
//! It reads tokens, not types (`layering/source.rs`): a path that begins with `crate`, `self`, `super` or the crate's
//! name is resolved by the place of its file. Code under `#[cfg(test)]` may name what it likes.

mod source;

use std::fs;
use std::path::Path;

use source::{Named, Source};

/// What a folder of `src/` may name besides itself, `limits` and `time`.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("time", &[]),
    ("wire", &[]),
    ("syntax", &[]),
    ("check", &["wire", "syntax"]),
    ("config", &["wire", "syntax", "check"]),
    ("import", &["syntax", "config"]),
    ("director", &["wire", "check", "config"]),
    // What the director shows are keys of `wire` and verdicts of `check`: whoever renders them must name them.
    ("console", &["wire", "check", "config", "director"]),
    ("kernel", &["wire"]),
    ("observe", &["kernel"]),
    ("task", &["wire", "syntax", "check", "config", "import", "director", "console", "kernel", "observe"]),
    ("boot", &["config", "console", "kernel", "observe", "task"]),
    (
        "cli",
        &[
            "wire", "syntax", "check", "config", "import", "director", "console", "kernel", "observe",
            "task", "boot",
        ],
    ),
];

/// Layers that make no system call: bytes and values in, bytes and values out.
const PURE: &[&str] =
    &["limits", "time", "wire", "syntax", "check", "config", "import", "director", "console"];

/// What a pure layer may not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::env",
    "std::process",
    "std::thread",
    "std::time",
    "std::os",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "rustix",
    "libc",
];

/// What the director may not name besides: it logs nothing, and what it allocates it allocates at a load.
const NOT_IN_DIRECTOR: &[&str] = &["log", "std::io", "std::fmt::format", "std::sync"];

/// Where `smol` may be named.
const SMOL: &[&str] = &["task", "cli"];

/// Files that may say `unsafe`, as prefixes of their path.
const UNSAFE: &[&str] = &["src/kernel/sys/", "src/kernel/sys.rs", "src/observe/heap.rs"];

/// Lines of a file, its tests not counted.
const MAX_LINES: usize = 500;
/// Lines of the director's router, which holds no protocol condition.
const MAX_ROUTER_LINES: usize = 250;
/// Tables of keywords or commands: one row after the other is not long.
const LONG_TABLES: &[&str] =
    &["src/config/keywords.rs", "src/console/commands.rs", "src/config/differences.rs"];

/// The director's subsystems: the file or folder, and the type that owns its tables. Those of later issues are named
/// already; a row whose file exists must name a type of it (tested below).
const SUBSYSTEMS: &[(&str, &str)] = &[
    ("links", "Links"),
    ("track", "Tracks"),
    ("vrrp", "Vrrp"),
    ("groups", "Groups"),
    ("garp", "Announcements"),
    ("link_guard", "LinkGuard"),
    ("health", "Health"),
    ("services", "Services"),
    ("net_plan", "NetPlan"),
    ("ipvs_plan", "IpvsPlan"),
    ("nftables_plan", "NftablesPlan"),
    ("survey", "Survey"),
];

/// Every break of the rules in one file; `path` is relative to the repository.
fn breaks(path: &str, text: &str) -> Vec<String> {
    let source = Source::read(path, text);
    let mut found = Vec::new();
    let mut report = |line: usize, what: String| found.push(format!("{path}:{line}: {what}"));
    for line in source.lines_of_word("unsafe") {
        if !UNSAFE.iter().any(|prefix| path.starts_with(prefix)) {
            report(line, "`unsafe` outside kernel/sys and the allocator".to_owned());
        }
    }
    let limit = if path == "src/director/mod.rs" { MAX_ROUTER_LINES } else { MAX_LINES };
    let exempt = path.ends_with("/tests.rs") || LONG_TABLES.contains(&path);
    if !exempt && source.lines > limit {
        report(source.lines, format!("{} lines without tests, {limit} are allowed", source.lines));
    }
    if source.is_test {
        return found;
    }
    for named in source.names() {
        if let Some(what) = forbidden(&source.layer, &named) {
            report(named.line, what);
        }
    }
    for (line, kind) in source.mutable_references() {
        if let Some(what) = forbidden_mutation(path, &source.layer, &kind) {
            report(line, what);
        }
    }
    found
}

/// Why `layer` may not name this path, if it may not.
fn forbidden(layer: &str, named: &Named) -> Option<String> {
    let row = LAYERS.iter().find(|row| row.0 == layer);
    let Some((_, allowed)) = row else {
        // lib.rs declares the layers and main.rs starts the command: both may name all.
        let known = ["lib", "main"].contains(&layer);
        return (!known).then(|| format!("src/{layer} is no layer of the design"));
    };
    if let Some(target) = &named.layer {
        let known = LAYERS.iter().any(|row| row.0 == *target);
        let fine = target == layer
            || ["limits", "time"].contains(&target.as_str())
            || allowed.contains(&target.as_str());
        if known && !fine {
            return Some(format!("{layer} may not name {target} ({})", named.path));
        }
        let acts = |segment: &str| ["parse", "emit"].iter().any(|verb| segment.starts_with(verb));
        if layer == "director" && target == "wire" && named.path.split("::").any(acts) {
            return Some(format!(
                "the director names types of wire, it neither parses nor emits ({})",
                named.path
            ));
        }
        return None;
    }
    let within = |prefix: &str| named.path == prefix || named.path.starts_with(&format!("{prefix}::"));
    if within("smol") && !SMOL.contains(&layer) {
        return Some(format!("{layer} may not name smol"));
    }
    let pure = PURE.contains(&layer) && IMPURE.iter().any(|prefix| within(prefix));
    let director = layer == "director" && NOT_IN_DIRECTOR.iter().any(|prefix| within(prefix));
    (pure || director).then(|| format!("{layer} may not name {}", named.path))
}

/// Why this file may not hold a `&mut` to the type `kind`, if it may not.
fn forbidden_mutation(path: &str, layer: &str, kind: &str) -> Option<String> {
    if layer == "console" && kind == "Director" {
        return Some("the console only reads the director".to_owned());
    }
    let own = path.strip_prefix("src/director/")?.split(['/', '.']).next()?;
    SUBSYSTEMS.iter().find(|row| row.0 == own)?;
    let foreign =
        ["Director", "Parts"].contains(&kind) || SUBSYSTEMS.iter().any(|row| row.1 == kind && row.0 != own);
    foreign.then(|| format!("{own} sees {kind} mutably: say it over the bus"))
}

fn walk(directory: &Path, root: &Path, found: &mut Vec<String>, files: &mut usize) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, root, found, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            *files += 1;
            found.extend(breaks(name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn sources_keep_to_the_layers_of_the_design() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut files) = (Vec::new(), 0);
    walk(&root.join("src"), root, &mut found, &mut files);
    assert!(files > 20, "the sources were found");
    assert!(found.is_empty(), "{} breaks:\n{}", found.len(), found.join("\n"));
}

#[test]
fn table_of_subsystems_names_types_that_exist() {
    let director = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/director");
    for (file, kind) in SUBSYSTEMS {
        let places = [director.join(format!("{file}.rs")), director.join(file).join("mod.rs")];
        let Some(text) = places.iter().find_map(|path| fs::read_to_string(path).ok()) else { continue };
        assert!(
            text.contains(&format!("struct {kind} ")) || text.contains(&format!("struct {kind}<")),
            "{file}: {kind}"
        );
    }
}

/// The one break that `text` has as the file `path`.
#[track_caller]
fn only_break(path: &str, text: &str) -> String {
    let found = breaks(path, text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn naming_a_layer_above_is_a_break_however_it_is_spelt() {
    let spellings = [
        "use crate::kernel::clock;",
        "use crate::{limits, kernel::clock};",
        "use super::super::kernel::clock;",
        "pub(crate) use lvsbox::kernel::clock as c;",
        "fn f() -> u8 { crate::kernel::clock::now() }",
        "mod inner { use super::super::super::kernel::clock; }",
        "fn f(a: &dyn crate::kernel::Clock) {}",
        "use {crate::kernel::{self as k, clock}};",
    ];
    for text in spellings {
        let text = format!("//! A file.\n{text}");
        let found = breaks("src/wire/vrrp.rs", &text);
        assert!(!found.is_empty(), "{text}");
        assert!(
            found.iter().all(|row| row.starts_with("src/wire/vrrp.rs:2: wire may not name kernel")),
            "{found:?}"
        );
    }
}

#[test]
fn what_the_table_allows_is_no_break() {
    let fine = "use crate::wire::vrrp::Advert;\nuse crate::{limits::MAX_BATCH, time::Instant};\nuse super::bus::Bus;";
    assert!(breaks("src/director/vrrp.rs", fine).is_empty());
    assert!(breaks("src/task/apply.rs", "use smol::future;\nuse crate::director::Director;").is_empty());
    assert!(breaks("src/kernel/sys/mod.rs", "fn f() { unsafe { g() } }").is_empty());
    assert!(breaks("src/lib.rs", "pub mod wire;").is_empty());
}

#[test]
fn words_in_comments_texts_and_tests_are_no_break() {
    let text = "//! unsafe crate::kernel\n/* use crate::kernel; /* nested */ unsafe */\n\
        const A: &str = \"use crate::kernel; unsafe\";\nconst B: &str = r#\"unsafe \"quoted\" \"#;\n\
        const C: char = '\"';\nfn f<'a>(x: &'a u8) -> char { '\\'' }\n\
        #[cfg(test)]\nmod tests {\n use crate::kernel::clock;\n fn g() { let x = [1; 2]; }\n}\n";
    assert_eq!(breaks("src/wire/vrrp.rs", text), [""; 0]);
    let after = format!("{text}use crate::kernel::clock;\n");
    assert!(only_break("src/wire/vrrp.rs", &after).starts_with("src/wire/vrrp.rs:12: "));
}

#[test]
fn unsafe_is_found_in_tests_too() {
    let text = "#[cfg(test)]\nmod tests {\n    fn f() { unsafe {} }\n}\n";
    assert!(only_break("src/task/mod.rs", text).starts_with("src/task/mod.rs:3: `unsafe`"));
}

#[test]
fn long_files_are_breaks_and_their_tests_do_not_count() {
    let line = "const A: u8 = 1;\n";
    assert!(breaks("src/wire/a.rs", &line.repeat(500)).is_empty());
    assert!(only_break("src/wire/a.rs", &line.repeat(501)).contains("501 lines"));
    assert!(only_break("src/director/mod.rs", &line.repeat(251)).contains("251 lines"));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(400));
    assert!(breaks("src/wire/a.rs", &(line.repeat(400) + &tests)).is_empty());
    assert!(breaks("src/wire/a/tests.rs", &line.repeat(900)).is_empty());
}

#[test]
fn clocks_sockets_files_and_logs_are_breaks_in_the_director() {
    for text in [
        "use std::time::Instant;",
        "use std::{fs, fmt};",
        "use std::net::{Ipv4Addr, UdpSocket};",
        "fn f() { log::info!(\"x\"); }",
        "use log::warn;",
        "use rustix::net;",
        "fn f() { std::thread::yield_now() }",
        "use smol::future;",
        "fn f() -> T { format!(\"x\") }",
        "use crate::wire::vrrp::parse;",
    ] {
        let row = only_break("src/director/health.rs", text);
        assert!(row.starts_with("src/director/health.rs:1: "), "{row}");
    }
    assert!(breaks("src/director/health.rs", "use std::net::Ipv4Addr;\nuse std::fmt;").is_empty());
}

#[test]
fn subsystem_sees_no_other_mutably() {
    for text in [
        "fn settle(&mut self, vrrp: &mut super::vrrp::Vrrp) {}",
        "fn settle(&mut self, vrrp: &mut Vrrp) {}",
        "struct View<'a> { vrrp: &'a mut Vrrp }",
        "fn f(d: &mut super::Director) {}",
        "fn f(d: &mut Vrrp<'_>) {}",
    ] {
        assert!(only_break("src/director/garp.rs", text).contains("mutably"), "{text}");
    }
    assert!(breaks("src/director/garp.rs", "fn f(&mut self, vrrp: &Vrrp, bus: &mut Bus) {}").is_empty());
    assert!(breaks("src/director/vrrp/table.rs", "fn f(vrrp: &mut Vrrp) {}").is_empty());
    assert!(breaks("src/director/mod.rs", "fn f(vrrp: &mut Vrrp) {}").is_empty());
    assert!(only_break("src/console/render.rs", "fn f(d: &mut Director) {}").contains("only reads"));
}

#[test]
fn folder_that_is_no_layer_is_a_break() {
    assert!(only_break("src/util/mod.rs", "use std::fmt;").contains("no layer"));
}
