//! Codes of messages: every constant of the sources has an entry in the table that `lvsbox help CODE` prints.

use lvsbox::config::explain::{CODES, code};

#[test]
fn every_code_of_the_sources_is_explained_and_no_other() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(entry).unwrap();
                let numbers =
                    text.split(": Code = Code(").skip(1).map(|rest| rest.split(')').next().unwrap());
                found.extend(numbers.filter_map(|number| number.parse::<u16>().ok()));
            }
        }
    }
    found.sort_unstable();
    let explained: Vec<_> = CODES.iter().map(|(number, _)| *number).collect();
    assert_eq!(found, explained, "constants, and the table in its order, each once");
    for (number, meaning) in CODES {
        let shown = code(*number).unwrap();
        assert!(shown.contains(meaning) && shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
    assert_eq!(code(999), None);
}
