//! The fuzz targets' bodies on the committed corpus, and a mutation loop that runs on stable for as long as wished.
//!
//! `cargo test --test it fuzz` takes the corpus (`tests/data/fuzz`, and all other configurations of `tests/data`) and
//! a fixed number of mutations of it, the same in every run. For long:
//! `LVSBOX_FUZZ_SECONDS=1800 cargo test --test it fuzz -- --ignored --nocapture`. Coverage-guided, with nightly:
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz check tests/data/fuzz`.

mod body;
mod mutate;

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::Mutator;

/// Files of the corpus of the repository, and their bytes.
const MAX_FILES: usize = 60;
const MAX_BYTES: u64 = 200 << 10;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder)
}

/// Everything that is a configuration, or was one before somebody damaged it.
fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folders = ["fuzz", "config", "config/compare"];
    let paths = folders.into_iter().flat_map(|folder| files(&data(folder)));
    paths.map(|path| (path.clone(), fs::read(path).expect("a file of the corpus"))).collect()
}

fn both(bytes: &[u8]) {
    body::reader(bytes);
    body::whole(bytes);
}

#[test]
fn corpus_is_small_and_every_file_of_it_is_read_without_harm() {
    let own = files(&data("fuzz"));
    let bytes: u64 = own.iter().map(|path| fs::metadata(path).map_or(0, |it| it.len())).sum();
    assert!(
        (20..=MAX_FILES).contains(&own.len()) && bytes <= MAX_BYTES,
        "{} files, {bytes} bytes",
        own.len()
    );
    for (path, bytes) in corpus() {
        if let Err(panic) = panic::catch_unwind(|| both(&bytes)) {
            eprintln!("{}", path.display());
            panic::resume_unwind(panic);
        }
    }
}

#[test]
fn mutations_of_the_corpus_are_read_without_harm() {
    let texts = corpus().into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(texts, 1);
    for round in 0..1_500 {
        let bytes = mutator.next();
        if let Err(panic) = panic::catch_unwind(|| both(&bytes)) {
            eprintln!("round {round}: {}", String::from_utf8_lossy(&bytes));
            panic::resume_unwind(panic);
        }
    }
}

/// Runs until the time is over; what is found is kept in the temporary directory, and the loop goes on.
#[test]
#[ignore = "runs for LVSBOX_FUZZ_SECONDS"]
fn fuzz_for_long() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = number("LVSBOX_FUZZ_SECONDS").unwrap_or(1_800);
    let seed = number("LVSBOX_FUZZ_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let texts = corpus().into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(texts, seed);
    let (start, mut reported) = (Instant::now(), 0);
    let (mut executions, mut bytes_total, mut findings) = (0_u64, 0, 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        let bytes = mutator.next();
        executions += 1;
        bytes_total += bytes.len();
        if panic::catch_unwind(|| both(&bytes)).is_err() {
            findings += 1;
            let file = std::env::temp_dir().join(format!("lvsbox-fuzz-{seed}-{executions}.conf"));
            fs::write(&file, &bytes).expect("keep the finding");
            println!("finding {findings}: {}", file.display());
            assert!(findings < 20, "enough");
        }
        let minute = start.elapsed().as_secs() / 60;
        if minute > reported {
            reported = minute;
            println!("{minute} min: {executions} executions, {bytes_total} bytes, {findings} findings");
        }
    }
    println!("seed {seed}: {executions} executions, {bytes_total} bytes, {findings} findings");
    assert_eq!(findings, 0);
}
