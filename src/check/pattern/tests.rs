//! Cases of pcre2pattern by hand, and an independent engine for the rest.

use super::*;
use proptest::prelude::*;

fn options(names: &str) -> Options {
    let mut options = Options::default();
    for name in names.split_ascii_whitespace() {
        assert!(options.add(name), "{name}");
    }
    options
}

/// Whether a pattern matches, the body in pieces of this length.
fn found(pattern: &Pattern, window: Window, body: &[u8], piece: usize) -> bool {
    let mut search = Search::default();
    body.chunks(piece).for_each(|part| {
        search.feed(pattern, window, part);
    });
    search.end(pattern, window)
}

#[track_caller]
fn assert_matches(pattern: &str, names: &str, bodies: &[&str], others: &[&str]) {
    let compiled = Pattern::new(pattern.as_bytes(), options(names)).unwrap();
    for (bodies, expected) in [(bodies, true), (others, false)] {
        for body in bodies {
            for piece in 1..=body.len().max(1) {
                assert_eq!(
                    found(&compiled, ANYWHERE, body.as_bytes(), piece),
                    expected,
                    "{pattern} in {body:?} by {piece}"
                );
            }
        }
    }
}

#[test]
fn a_pattern_is_found_wherever_it_stands_and_however_the_body_is_cut() {
    assert_matches("ok", "", &["ok", "a ok b", "ook"], &["", "o", "OK", "o k"]);
    assert_matches("", "", &["", "a"], &[]);
    assert_matches("a(?:b|cd|)e", "", &["abe", "xacde", "ae"], &["abcde"]);
    assert_matches("x{2,3}y", "", &["xxy", "xxxxxy"], &["xy", "xx"]);
    assert_matches("^(ab){2}?$", "", &["abab"], &["ab", "ababab"]);
    assert_matches("a{,2}b{x}", "", &["a{,2}b{x}"], &["aab"]);
    assert_matches("(?:a*)*b", "", &["b", "aab"], &["aa"]);
    assert_matches("x(?#a comment)y", "", &["xy"], &["x"]);
    assert_matches("(?<name>a)(?'other'b)(?P<n>c)", "", &["abc"], &["ac"]);
}

#[test]
fn anchors_are_pcre_s() {
    assert_matches("^a", "", &["ab"], &["ba", "b\na"]);
    assert_matches("b$", "", &["ab", "ab\n"], &["ab\n\n", "b\na"]);
    assert_matches("b$", "dollar_endonly", &["ab"], &["ab\n"]);
    assert_matches("b$", "multiline", &["b\na", "ab\n\n"], &["ba"]);
    assert_matches("^a", "multiline", &["b\na"], &["ba"]);
    // Behind the last line feed there is no line.
    assert_matches("\n^", "multiline", &["a\nb"], &["a\n"]);
    assert_matches(r"\Aa\z", "multiline", &["a"], &["a\n", "b\na"]);
    assert_matches(r"a\Z", "", &["a", "a\n"], &["a\n\n"]);
    assert_matches("a$\\n", "", &["a\n"], &["a", "a\nb"]);
    assert_matches(r"\bfoo\b", "", &["foo", "a foo b", "-foo-"], &["food", "xfoo"]);
    assert_matches(r"a\Bb", "", &["ab"], &["a b"]);
    assert_matches("^$", "", &["", "\n"], &["a"]);
}

#[test]
fn classes_and_escapes_are_pcre_s() {
    assert_matches(r"^\d\D\w\W\s\S$", "", &["1a_- x"], &["aa_- x", "1a_--x"]);
    assert_matches("[]a]", "", &["]", "a"], &["b"]);
    assert_matches("^[^]a]$", "", &["b", "\n"], &["]", "a"]);
    assert_matches("^[a-c-]+$", "", &["a-c"], &["d"]);
    assert_matches(r"^[\d.-]+$", "", &["1.2-3"], &["a"]);
    assert_matches("^[[:alpha:]_[:^space:]]$", "", &["a", "_", "1"], &[" "]);
    assert_matches("^[[]$", "", &["["], &["]"]);
    assert_matches(r"\x41\x{42}\x43\t\.\/\cA", "", &["ABC\t./\x01"], &["abc\t./\x01"]);
    assert_matches(r"\Qa.b\E.", "", &["a.bc"], &["axbc", "a.b"]);
    assert_matches("a.b", "", &["axb"], &["a\nb"]);
    assert_matches(r"a\Nb", "dotall", &["axb"], &["a\nb"]);
}

#[test]
fn options_hold_from_where_they_are_set_to_the_end_of_their_group() {
    assert_matches("oK", "caseless", &["ok", "OK"], &["0k"]);
    assert_matches("[^k]", "caseless", &["x"], &["k", "K"]);
    assert_matches("a.b", "dotall", &["a\nb"], &["ab"]);
    assert_matches("a b # all of it\n c", "extended", &["abc"], &["a b"]);
    assert_matches("ok", "firstline", &["a ok\n"], &["a\nok"]);
    assert_matches("(a(?i)b|c)d", "", &["abd", "aBd", "Cd"], &["Abd", "abD"]);
    assert_matches("(?i:a)b(?s-i).c", "", &["Ab\nc"], &["AB\nc"]);
    let mut options = options("caseless ungreedy no_auto_possess multiline");
    assert_eq!(options.to_string(), "caseless multiline");
    assert!(!options.add("ucp") && !options.add("bogus") && !options.add(""));
}

#[test]
fn what_needs_backtracking_is_refused_where_it_stands() {
    for (pattern, at, what) in [
        ("ab(?=c)", 2, "look-around"),
        ("a(?!c)", 1, "look-around"),
        ("(?<=c)a", 0, "look-around"),
        ("(?<!c)a", 0, "look-around"),
        (r"(a)\1", 3, "back-reference"),
        (r"(?<n>a)\k<n>", 7, "back-reference"),
        ("(?P<n>a)(?P=n)", 8, "back-reference"),
        ("x(?>a)", 1, "atomic"),
        ("a++", 2, "possessive"),
        ("a(?R)?", 1, "recursion"),
        ("(?(1)a)", 0, "kind of group"),
        ("(*UTF)a", 0, "verb"),
        (r"a\p{L}", 1, "escape"),
        ("a(b", 1, "without its `)`"),
        ("a)b", 1, "too many"),
        ("a**", 2, "quantifier of nothing"),
        ("*a", 0, "quantifier of nothing"),
        ("a|{2}b", 2, "quantifier of nothing"),
        ("a{3,2}", 5, "out of order"),
        ("x[a", 1, "class"),
        ("[b-a]", 2, "out of order"),
        ("[[:nope:]]", 1, "unknown"),
        (r"a\", 1, "at the end"),
        (r"\x{100}", 4, "beyond"),
    ] {
        let flaw = Pattern::new(pattern.as_bytes(), Options::default()).unwrap_err();
        assert_eq!((flaw.at, flaw.what.contains(what)), (at, true), "{pattern}: {flaw:?}");
    }
}

#[test]
fn the_limits_hold_at_n_and_not_at_n_plus_1() {
    let new = |text: &str| Pattern::new(text.as_bytes(), Options::default());
    let states = |count: usize| "a".repeat(count);
    assert!(new(&states(MAX_PATTERN_STATES - 1)).is_ok());
    assert!(new(&states(MAX_PATTERN_STATES)).is_err());
    assert!(new("a{511}").is_ok() && new("a{512}").is_err() && new("a{99999999999999999999}").is_err());
    assert!(new("((((((a{9}){9}){9}){9}){9}){9}){9}").is_err());
    let nested = |depth: usize| "(".repeat(depth) + "a" + &")".repeat(depth);
    assert!(new(&nested(32)).is_ok() && new(&nested(33)).is_err());
    let held: Vec<_> = (0..MAX_PATTERNS).map(|number| new(&format!("n{number}")).unwrap()).collect();
    assert!(new("one more").unwrap_err().what.contains("limit is 256"));
    assert!(Rc::ptr_eq(&new("n7").unwrap(), &held[7]), "equal ones are one");
    drop(held);
    assert!(new("one more").is_ok());
}

#[test]
fn a_match_may_begin_from_the_first_to_the_last_offset() {
    let pattern = Pattern::new(b"ab", Options::default()).unwrap();
    for at in 0..6_u32 {
        let body = [&b"xxxxxx"[..at as usize], b"abxxxx"].concat();
        for (min, max) in [(0, 0), (2, 4), (3, 3), (5, 9)] {
            for piece in 1..8 {
                let expected = (min..=max).contains(&at);
                assert_eq!(found(&pattern, Window { min, max }, &body, piece), expected, "{at} {min} {max}");
            }
        }
    }
}

fn notation() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "c",
        ".",
        "[ab]",
        "[^a]",
        r"\n",
        r"\w",
        r"\s",
        r"\b",
        r"\B",
        r"\A",
        r"\z",
        "(?m:$)",
        "",
        "(?i:A)",
        "(?i:[^B])",
        "(?s:.)",
        r"[^\w]",
        "[b-c ]",
        r"\W",
        "[[:^alpha:]]",
        "(?x: a b )",
        "(?i)",
        "(?s)",
        "^",
        "|",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|list| list.concat()),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("(?:{one}|{other})")),
            (inner, prop::sample::select(vec!["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?"]))
                .prop_map(|(one, many)| format!("(?:{one}){many}")),
        ]
    })
}

proptest! {
    #[test]
    fn it_finds_what_another_engine_finds(
        text in notation(),
        body in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", " ", "\n"]), 0..12),
        piece in 1..5_usize,
    ) {
        let body = body.concat();
        let other = regex_lite::Regex::new(&text).unwrap();
        let pattern = Pattern::new(text.as_bytes(), Options::default()).unwrap();
        prop_assert_eq!(found(&pattern, ANYWHERE, body.as_bytes(), piece), other.is_match(&body), "{} {:?}", text, body);
    }

    #[test]
    fn no_pattern_and_no_body_panics(text: Vec<u8>, body: Vec<u8>) {
        if let Ok(pattern) = Pattern::new(&text, Options::default()) {
            found(&pattern, ANYWHERE, &body, 7);
        }
    }
}

/// `cargo test --release -- --ignored --nocapture a_turn`
#[test]
#[ignore = "a measurement"]
fn a_turn_of_the_worst_pattern() {
    for (text, body) in
        [("hello", "x"), ("[a-z]+@[a-z]+", "a"), ("(?:x{0,20}y){5}", "x"), ("(?:(?:x?){100}y?){2}z", "x")]
    {
        let pattern = Pattern::new(text.as_bytes(), Options::default()).unwrap();
        let body = body.repeat(pattern.appetite());
        let start = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        found(&pattern, ANYWHERE, body.as_bytes(), body.len());
        let end = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        println!("{text}: {} bytes a turn, {:?}", body.len(), end.saturating_sub(start));
    }
}
