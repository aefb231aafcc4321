//! The lexical rules of keepalived, one test each.

use super::*;
use proptest::prelude::*;

fn read_in(text: &str, lines: usize) -> (Tree, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut reader = Reader::new("t.conf", text.into());
    while reader.step(lines, &mut diagnostics) != Progress::Done {}
    (reader.into_tree().0, diagnostics)
}

/// The tree in one line: words joined by `,`, blocks in braces.
fn shape(tree: &Tree, cursor: super::super::Cursor) -> String {
    let mut out = String::new();
    for node in tree.iter(cursor) {
        let words: Vec<_> =
            (0..tree.words(node)).map(|n| tree.word(node, n).unwrap().text.into_owned()).collect();
        out += &words.join(",");
        if tree.has_block(node) {
            out += &format!("{{{}}}", shape(tree, tree.children(node)));
        }
        out += ";";
    }
    out
}

fn read(text: &str) -> String {
    let (tree, diagnostics) = read_in(text, 200);
    assert_eq!(diagnostics.worst(), None, "{diagnostics}");
    shape(&tree, tree.root())
}

fn complaints(text: &str) -> Vec<String> {
    let (_, mut diagnostics) = read_in(text, 200);
    diagnostics.sort();
    diagnostics.iter().map(|d| format!("{} | {}", d.summary(), d.hint())).collect()
}

#[test]
fn braces_may_stand_at_the_end_on_their_own_line_or_inline() {
    for text in
        ["a b {\n c d\n}\n", "a b\n{\n c d\n}", "a b { c d }", "a b{\nc d}", "a b\n\n# x\n{ c d\n}\r\n"]
    {
        assert_eq!(read(text), "a,b{c,d;};", "{text:?}");
    }
}

#[test]
fn text_behind_a_brace_is_a_new_line() {
    assert_eq!(read("a {\n b 1\n} c {\n d }"), "a{b,1;};c{d;};");
    assert_eq!(read("a { }\nb"), "a{};b;");
}

#[test]
fn a_comment_starts_anywhere_but_in_quotes() {
    assert_eq!(read("a b#c d\n! x {\n!}\nb \"#1\" \"\" c\\#d\\!\n#\n"), "a,b;b,#1,,c#d!;");
}

#[test]
fn quotes_make_one_word_and_split_what_is_glued_to_them() {
    assert_eq!(read("a \"b  c\"d\"{}\""), "a,b  c,d,{};");
}

#[test]
fn one_line_is_one_statement() {
    assert_eq!(read("interface ens33 ; virtual_router_id 6"), "interface,ens33,;,virtual_router_id,6;");
}

#[test]
fn braces_of_variables_and_generators_are_not_blocks() {
    let (tree, _) = read_in("a ${_X 1 2}x {\n b\n}\n", 200);
    assert_eq!(shape(&tree, tree.root()), "a,${_X 1 2}x{b;};");
    assert_eq!(read("~LST({a,b},{1,2}) c {\n d\n}\n"), "c{d;};");
}

#[test]
fn a_block_never_closed_is_fatal_and_reported_where_it_was_opened() {
    assert_eq!(
        complaints("a {\n b {\n }\n"),
        ["t.conf:1:3: fatal error[E0001]: the block of `a` is never closed | \
             write the `}` that is missing at the end of it or of a block inside it"]
    );
    assert_eq!(
        complaints("a {\n b\n#}\n"),
        ["t.conf:1:3: fatal error[E0001]: the block of `a` is never closed | \
          line 3 is a comment, and its `}` with it"]
    );
}

#[test]
fn a_quote_never_closed_is_fatal_and_reported_where_it_was_opened() {
    assert_eq!(
        complaints("a\n  b \"c\nd \"e\"\n"),
        ["t.conf:2:5: fatal error[E0002]: this quote is never closed: a quoted word ends on its line | \
          write a second `\"` behind the word, or remove this one"]
    );
}

#[test]
fn a_comment_that_swallowed_an_opening_explains_the_extra_brace() {
    assert_eq!(
        complaints("! vrrp_instance X {\n state MASTER\n}\na {\n}\n"),
        ["t.conf:3:1: error[E0003]: this `}` closes nothing: line 1 is a comment, and its `{` with it | \
          line 1 is `! vrrp_instance X {`: remove its comment sign, or comment out all lines down to here"]
    );
    assert_eq!(
        complaints("# a {\n# }\n}\n"),
        ["t.conf:3:1: error[E0003]: this `}` closes nothing: every block above is closed already | \
          remove it, or look above for a `}` too many or a missing `{`"]
    );
}

#[test]
fn a_brace_without_keyword_is_an_error_and_its_block_is_skipped() {
    let (tree, diagnostics) = read_in("{ a\n}\nb { c }\n{ d }\ne", 200);
    assert_eq!(shape(&tree, tree.root()), "{a;};b{c;};{d;};e;");
    assert_eq!(diagnostics.iter().map(|d| d.code()).collect::<Vec<_>>(), [LONELY_BRACE, LONELY_BRACE]);
}

#[test]
fn lines_with_nul_and_lines_over_the_limit_are_left_out() {
    let limit = format!("a{}\n", " ".repeat(MAX_LINE_BYTES - 1));
    assert_eq!(read(&limit), "a;");
    for (text, code) in [
        (format!("a{}\nb\n", " ".repeat(MAX_LINE_BYTES)), LONG_LINE),
        (format!("a{}\nb\n", "x".repeat(MAX_STEP_BYTES * 3)), LONG_LINE),
        ("a \0 {\nb\n".to_owned(), NUL_LINE),
    ] {
        let (tree, diagnostics) = read_in(&text, 200);
        assert_eq!(shape(&tree, tree.root()), "b;");
        assert_eq!(
            diagnostics.iter().map(|d| (d.code(), d.position().line)).collect::<Vec<_>>(),
            [(code, 1)]
        );
        let line = tree.position(tree.iter(tree.root()).next().unwrap()).line;
        assert_eq!(line, 2);
    }
}

#[test]
fn nesting_is_kept_to_the_limit_and_skipped_beyond() {
    let nested = |depth: usize| format!("{}{}\nb\n", "a {\n".repeat(depth), "}\n".repeat(depth));
    let (_, fine) = read_in(&nested(MAX_DEPTH), 200);
    assert_eq!(fine.worst(), None);
    let (tree, deep) = read_in(&nested(MAX_DEPTH + 1), 200);
    assert_eq!(deep.iter().map(Diagnostic::code).collect::<Vec<_>>(), [TOO_DEEP]);
    assert!(shape(&tree, tree.root()).ends_with(";b;"));
}

#[test]
fn positions_are_the_words_own() {
    let (tree, _) = read_in("a\n\tbb  \"c d\" {\n}\n", 200);
    let node = tree.iter(tree.root()).nth(1).unwrap();
    let at = tree.word(node, 1).unwrap().at;
    assert_eq!((at.line, at.offset, at.len), (2, 8, 3));
}

use super::super::Diagnostic;

proptest! {
    #[test]
    fn any_text_is_read_and_slices_make_no_difference(
        text in "([a-z\"{}#!$~()\\\\ \n\t\r\0é]|vrrp_instance|\\{\n|\n\\}){0,200}",
        lines in 1usize..7,
    ) {
        let (tree, diagnostics) = read_in(&text, 100_000);
        let (other, others) = read_in(&text, lines);
        prop_assert_eq!(shape(&tree, tree.root()), shape(&other, other.root()));
        prop_assert_eq!(&diagnostics, &others);
        for line in diagnostics.to_string().lines() {
            prop_assert!(line.chars().count() <= 80 || !line.contains(' '), "{}", line);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}

#[test]
fn statements_and_words_are_counted_against_their_limits() {
    let words = |count: usize| {
        let lines = "a ".repeat(1_024) + "\n";
        lines.repeat(count / 1_024) + &"a ".repeat(count % 1_024)
    };
    for (at, over) in [
        ("a\n".repeat(MAX_STATEMENTS), "a\n".repeat(MAX_STATEMENTS + 1)),
        (words(MAX_WORDS), words(MAX_WORDS + 1)),
    ] {
        assert_eq!(complaints(&at), Vec::<String>::new());
        let complaints = complaints(&over);
        let limits = format!("the limits are {MAX_STATEMENTS} statements and {MAX_WORDS} words");
        assert!(complaints.len() == 1 && complaints[0].contains("fatal error[E0015]"), "{complaints:?}");
        assert!(complaints[0].contains(&limits), "{complaints:?}");
    }
}

/// A word with its line and column.
type Place = (String, u32, usize);

/// Every word, blocks in braces; and what was said, by line.
fn places(text: &str) -> (Vec<Place>, Vec<(u32, Code)>) {
    fn visit(tree: &Tree, cursor: super::super::Cursor, out: &mut Vec<Place>) {
        for node in tree.iter(cursor) {
            for word in (0..tree.words(node)).filter_map(|index| tree.word(node, index)) {
                let column = tree.line_around(word.at).1;
                out.push((word.text.into_owned(), word.at.line, column));
            }
            if tree.has_block(node) {
                out.push(("{".into(), tree.position(node).line, 0));
                visit(tree, tree.children(node), out);
                out.push(("}".into(), 0, 0));
            }
            out.push((";".into(), 0, 0));
        }
    }
    let (tree, mut diagnostics) = read_in(text, 3);
    diagnostics.sort();
    let mut words = Vec::new();
    visit(&tree, tree.root(), &mut words);
    (words, diagnostics.iter().map(|one| (one.position().line, one.code())).collect())
}

proptest! {
    /// Most lines are taken in one pass, those with a comment are not: both must mean the same.
    #[test]
    fn a_line_is_read_alike_with_and_without_a_comment_behind_it(
        lines in proptest::collection::vec("[ \t]{0,2}((a|b1|include|x\\(y\\)|é)[ \t\x0b\r]{0,2}){0,3}[{}]{0,2} ?[{}a]?\r?", 0..12),
    ) {
        let lines: Vec<_> = lines.iter().filter(|line| !line.trim_start().starts_with("include")).collect();
        let plain: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let commented: String = lines.iter().map(|line| format!("{line} #\n")).collect();
        prop_assert_eq!(places(&plain), places(&commented));
    }
}
