//! What must hold for every text, however damaged: the bodies of the fuzz targets. They run here over a committed
//! corpus, in `mutate.rs` over what becomes of it, and in `tests/fuzz` under cargo-fuzz.
//!
//! They name nothing but `lvsbox`, because they are compiled into two programs.

#![allow(dead_code, unreachable_pub, reason = "each program that it is compiled into uses some of it")]

use std::time::{Duration, Instant};

use lvsbox::check::Checker;
use lvsbox::config::ids::Id;
use lvsbox::config::{Config, Loader, load, report};
use lvsbox::limits;
use lvsbox::syntax::{Diagnostics, Progress, Reader, Severity, Tree};
use lvsbox::task::load::text;

/// No text of a fuzzer takes this long, even on a busy machine with debug assertions: a megabyte takes 0.3 s there.
const LONGEST: Duration = Duration::from_secs(20);

/// Reads `text` and stops behind every `lines` lines.
fn read(text: &str, lines: usize) -> (Tree, bool, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut reader = Reader::new("t", text.to_owned());
    let mut steps = 0;
    // A step that wants a file and is given none refuses it.
    while reader.step(lines, &mut diagnostics) != Progress::Done {
        steps += 1;
        assert!(steps <= text.len() + 1 + made(text), "every step reads something");
    }
    let (tree, trusted) = reader.into_tree();
    (tree, trusted, diagnostics)
}

/// True if lines may come of a text that do not stand in it: variables, conditions, generators, other files.
fn is_expanded(text: &str) -> bool {
    text.contains(['$', '@', '~']) || text.contains("include")
}

/// Lines that may be made at most.
fn made(text: &str) -> usize {
    if is_expanded(text) { limits::MAX_GENERATED_LINES } else { 0 }
}

/// The reader: words and blocks are pieces of the text, in whatever slices it was read.
pub fn reader(bytes: &[u8]) {
    let text = text(bytes.to_vec());
    let (tree, trusted, diagnostics) = read(&text, usize::MAX);
    let sliced = read(&text, 1);
    assert_eq!(format!("{tree:?}"), format!("{:?}", sliced.0), "the same tree in slices");
    assert_eq!((trusted, &diagnostics), (sliced.1, &sliced.2), "the same messages in slices");
    assert!(is_expanded(&text) || tree.len() <= text.len(), "no statement without a character");
    let (mut cursor, mut seen) = (tree.root(), 0);
    let mut open = Vec::new();
    loop {
        let Some(node) = tree.next(&mut cursor) else {
            match open.pop() {
                Some(outer) => cursor = outer,
                None => break,
            }
            continue;
        };
        seen += 1;
        for index in 0..tree.words(node) {
            let word = tree.word(node, index).expect("a word");
            let source = tree.text(word.at.file);
            let (start, len) = (word.at.offset as usize, word.at.len as usize);
            let raw = source.get(start..start + len).expect("a word is a piece of the text");
            if !is_expanded(&text) {
                assert!(!raw.contains('\n') && word.text.len() <= raw.len(), "{raw:?}");
                assert_line(source, word.at.line, start);
            }
        }
        let longest = if is_expanded(&text) { limits::MAX_EXPANDED_BYTES } else { limits::MAX_LINE_BYTES };
        assert!(tree.weight(node) >= 1 && tree.keyword(node).text.len() <= longest);
        open.push(cursor);
        assert!(open.len() <= limits::MAX_DEPTH + 1, "depth is bounded");
        cursor = tree.children(node);
    }
    assert_eq!(seen, tree.len(), "every statement is in one block");
}

/// Line numbers count from the start of the text; counted only near it, so that a large text takes no square time.
fn assert_line(source: &str, line: u32, offset: usize) {
    if offset <= 4_096 {
        let counted = source.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        assert_eq!(line as usize, counted, "offset {offset}");
    }
}

/// `lvsbox check` as a whole.
pub fn whole(bytes: &[u8]) {
    let text = text(bytes.to_vec());
    let start = Instant::now();
    let loaded = load(&text, "t");
    assert!(start.elapsed() < LONGEST, "{} bytes took {:?}", text.len(), start.elapsed());
    assert_messages(&text, &loaded.diagnostics);
    let fatal = loaded.diagnostics.worst() == Some(Severity::Fatal);
    assert_eq!(loaded.config.is_none(), fatal, "a configuration unless the text cannot be understood");
    if let Some(config) = &loaded.config {
        assert_bounded(config);
        assert_sound(config);
    }
    let mut loader = Loader::new("t", text.clone());
    let mut steps = 0;
    while !loader.step() {
        steps += 1;
        assert!(steps <= 8 * (text.len() + made(&text)) + 16, "every step does something");
    }
    let again = loader.finish();
    assert_eq!(loaded.diagnostics, again.diagnostics, "the same text, the same messages");
    assert_eq!(format!("{:?}", loaded.config), format!("{:?}", again.config), "and the same configuration");
    let mut said = String::new();
    let outcome = report("t", &loaded, &mut said).expect("a string takes everything");
    assert_eq!(outcome.status(), u8::from(loaded.diagnostics.worst() >= Some(Severity::Error)));
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "harmless on a terminal: {said:?}");
    assert!(said.len() <= 2_000 * (limits::MAX_DIAGNOSTICS + 1), "{} bytes of messages", said.len());
}

fn assert_messages(text: &str, diagnostics: &Diagnostics) {
    let source = text.strip_prefix('\u{feff}').unwrap_or(text);
    let total: u64 = [Severity::Warning, Severity::Error, Severity::Fatal]
        .into_iter()
        .map(|severity| diagnostics.count(severity))
        .sum();
    assert!(diagnostics.iter().len() <= limits::MAX_DIAGNOSTICS);
    assert!(diagnostics.iter().len() as u64 == total.min(limits::MAX_DIAGNOSTICS as u64), "kept or counted");
    assert!(diagnostics.iter().map(|it| it.position()).is_sorted(), "in the order of the text");
    for diagnostic in diagnostics.iter() {
        let at = diagnostic.position();
        let (start, len) = (at.offset as usize, at.len as usize);
        if is_expanded(text) {
            continue;
        }
        assert!(start + len <= source.len().max(1), "{} of {}", start + len, source.len());
        assert!(source.is_char_boundary(start.min(source.len())), "{}", diagnostic.summary());
        assert!(at.line >= 1 && diagnostic.column() >= 1 && !diagnostic.message().is_empty());
        assert_line(source, at.line, start);
    }
}

fn assert_bounded(config: &Config) {
    assert!(config.instances.len() <= limits::MAX_INSTANCES);
    assert!(config.addresses.len() <= limits::MAX_ADDRESSES);
    assert!(config.links.len() <= limits::MAX_LINKS);
    assert!(config.services.len() <= limits::MAX_SERVICES);
    assert!(config.destinations.len() <= limits::MAX_REAL_SERVERS + limits::MAX_SERVICES);
    assert!(config.probes.len() <= limits::MAX_PROBES);
    assert!(config.appliance.sysctls.len() <= limits::MAX_APPLIANCE_ROWS);
    assert!(config.appliance.modules.len() <= limits::MAX_APPLIANCE_ROWS);
    assert!(config.appliance.consoles.len() <= limits::MAX_APPLIANCE_ROWS);
    for interface in &config.interfaces {
        assert!(interface.addresses.len() <= limits::MAX_INTERFACE_ADDRESSES);
    }
}

/// Every id is a row of its table: what the rest of the program relies on.
fn assert_sound(config: &Config) {
    for (index, service) in config.services.iter().enumerate() {
        assert!(service.destinations.rows().end <= config.destinations.len());
        assert!(!service.real_servers().is_empty(), "it has a real server");
        for id in service.destinations.iter() {
            let destination = &config.destinations[id.index()];
            assert_eq!(destination.service.index(), index);
            assert!(config.probes_of(destination).iter().all(|probe| probe.index() < config.probes.len()));
        }
    }
    for instance in &config.instances {
        assert!(instance.addresses.rows().end <= config.addresses.len());
        assert!(config.peers_of(instance).len() <= limits::MAX_PEERS);
        assert!(
            config
                .trackers_of(instance)
                .iter()
                .filter_map(|it| it.link())
                .all(|it| it.index() < config.links.len())
        );
        assert!(instance.link.index() < config.links.len());
        assert!(!instance.advert_interval.is_zero());
    }
    for probe in &config.probes {
        // An echo request has no port.
        let ping = matches!(probe.checker, Checker::Ping(_));
        assert!((probe.port == 0) == ping && !probe.interval.is_zero() && !probe.timeout.is_zero());
    }
}
