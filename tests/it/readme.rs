//! What the README shows is read by what it is for: configurations, the board, names of commands. Its transcript of the
//! console is played by `image/demo.rs`.

use lab::board::Board;
use lab::scratch::Scratch;
use lvsbox::config::load;

pub(crate) const README: &str = include_str!("../../README.md");

/// Blocks of indented lines, without the indent.
fn blocks() -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in README.lines() {
        let last = blocks.last_mut().unwrap();
        match line.strip_prefix("    ") {
            Some(text) => *last += &format!("{text}\n"),
            None if line.is_empty() && !last.is_empty() => last.push('\n'),
            None if last.is_empty() => {}
            None => blocks.push(String::new()),
        }
    }
    blocks
}

fn blocks_with(word: &str) -> Vec<String> {
    blocks().into_iter().filter(|block| block.lines().any(|line| line.starts_with(word))).collect()
}

#[test]
fn configurations_have_nothing_to_object_to() {
    let [first, more] = ["vrrp_instance", "firewall"].map(|word| blocks_with(word).concat());
    assert!(first.len() > 500 && more.len() > 500, "{first}{more}");
    let mut configurations = blocks_with("appliance");
    assert_eq!(configurations.len(), 1, "{configurations:?}");
    // The second one goes on where the first one ends.
    configurations.extend([first.clone() + &more, first]);
    for text in configurations {
        let loaded = load(&text, "README.md");
        assert!(loaded.diagnostics.worst().is_none(), "{}", loaded.diagnostics);
    }
}

#[test]
fn board_is_one() {
    let boards = blocks_with("target ");
    assert_eq!(boards.len(), 1);
    let scratch = Scratch::new("board");
    scratch.write("board.conf", &boards[0]);
    let board = Board::read(scratch.path()).unwrap();
    assert_eq!(board.console, ("ttyS1".to_owned(), 115_200));
    assert!(board.modules.contains(&"ip_vs".to_owned()));
}

/// The transcript of the console: commands, and the rows of their answers.
pub(crate) fn transcript() -> Vec<(String, Vec<String>)> {
    let block = blocks_with("lb1> ").pop().expect("a transcript");
    let mut asked: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.trim_end().lines() {
        match (line.strip_prefix("lb1> "), asked.last_mut()) {
            (Some(command), _) => asked.push((command.to_owned(), Vec::new())),
            (None, Some((_, rows))) => rows.push(line.to_owned()),
            (None, None) => panic!("{line:?} stands before the first prompt"),
        }
    }
    asked
}

/// A row without what differs from one time to the next: times, counts, widths.
pub(crate) fn shape(row: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in row.split_whitespace() {
        let hardware = word.trim_end_matches(':').split(':').filter(|part| part.len() == 2).count() == 6;
        let word = if hardware { "MAC" } else { word };
        let digits = word.chars().any(|c| c.is_ascii_digit());
        let number = digits && word.chars().all(|c| c.is_ascii_digit() || "().,:".contains(c));
        let unit =
            ["us", "ms", "s", "min", "h", "d", "days"].contains(&word.trim_end_matches([',', ')', '.']));
        match (words.last(), number, unit) {
            (Some(last), true, _) if last == "#" => {}
            (Some(last), _, true) if last == "#" => {}
            // What the loop did before it was late.
            (Some(last), ..) if last == "after" => {}
            (_, true, _) => words.push("#".to_owned()),
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

#[test]
fn shapes_differ_in_words_and_not_in_times() {
    assert_eq!(shape("up 3.2 s, worst 1 min 5 s ago"), shape("up  10 min 3 s, worst 0.4 ms ago"));
    assert_ne!(shape("VI_1 MASTER for 3 s"), shape("VI_1 BACKUP for 3 s"));
    assert_ne!(shape("2 of 2 alive"), shape("QUORUM LOST"));
}
