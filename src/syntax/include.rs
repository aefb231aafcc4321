//! `include`: which files a pattern means, as glob(3) and a C shell's braces have it, without opening one.
//!
//! A [`Search`] asks for the names in a folder and is given them; what it found is sorted as glob(3) sorts it, each
//! brace alternative for itself. How bad it is when nothing is found depends on the variant of the word and on
//! `include_check`, as in keepalived.

use crate::limits::MAX_INCLUDES;

/// Alternatives of all braces of one pattern.
const MAX_ALTERNATIVES: usize = 64;

/// What is an error and not a warning: `include_check`, or a letter behind `include`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Checks(u8);

/// In the order of their bits: the letter behind `include`, and the word behind `include_check`.
const CHECKS: [(&str, &str); 4] =
    [("r", "readable"), ("m", "match"), ("w", "wildcard_match"), ("b", "brace_match")];
const WILDCARD: u8 = 4;

impl Checks {
    const ALL: Self = Self(15);

    /// Those of `include` and its variants; nothing for other words.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word.strip_prefix("include")? {
            "" => Some(Self(0)),
            "a" => Some(Self::ALL),
            letter => CHECKS.iter().position(|(known, _)| *known == letter).map(|index| Self(1 << index)),
        }
    }

    /// `include_check` with its words; nothing if one is unknown. `+` adds to what counts, `-` takes away.
    pub(super) fn of_line<'w>(self, words: impl Iterator<Item = &'w str>) -> Option<Self> {
        let (mut bits, mut first) = (0, true);
        for word in words {
            let (add, name) = match word.strip_prefix('-') {
                Some(name) => (false, name),
                None => (true, word.strip_prefix('+').unwrap_or(word)),
            };
            if first && name.len() < word.len() {
                bits = self.0;
            }
            first = false;
            let index = CHECKS.iter().position(|(_, known)| *known == name)?;
            if add {
                bits |= 1 << index;
            } else {
                bits &= !(1 << index);
            }
        }
        Some(if first { Self::ALL } else { Self(bits) })
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A file that is named and cannot be read is an error.
    pub(super) fn any(self) -> bool {
        self.0 != 0
    }

    /// A pattern with wildcards that matches nothing is an error.
    pub(super) fn wildcard(self) -> bool {
        self.0 & WILDCARD != 0
    }
}

/// A file to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: String,
    /// It was named, not matched.
    pub(super) named: bool,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    /// What was found, the first one last, and of which alternative.
    found: Vec<(usize, Found)>,
    todo: Vec<Partial>,
    /// Matches of each alternative.
    hits: Vec<(String, usize)>,
    /// More than may be.
    pub(super) overflow: bool,
}

#[derive(Debug)]
struct Partial {
    alternative: usize,
    /// What is decided, empty or with a `/` at its end.
    folder: String,
    /// What is left of the pattern.
    rest: String,
}

impl Search {
    /// For `pattern`, which a file in `folder` (empty or with a `/` at its end) names.
    pub(super) fn new(folder: &str, pattern: &str) -> Self {
        let mut search = Self { found: Vec::new(), todo: Vec::new(), hits: Vec::new(), overflow: false };
        let alternatives = expand_braces(pattern);
        search.overflow = alternatives.len() > MAX_ALTERNATIVES;
        for (alternative, rest) in alternatives.into_iter().take(MAX_ALTERNATIVES).enumerate() {
            search.hits.push((rest.clone(), 0));
            let folder = if rest.starts_with('/') { String::new() } else { folder.to_owned() };
            search.advance(Partial { alternative, folder, rest }, true);
        }
        search
    }

    /// Moves components without wildcards to what is decided.
    fn advance(&mut self, mut partial: Partial, named: bool) {
        let wild = partial
            .rest
            .split('/')
            .take_while(|component| !is_wild(component))
            .map(|c| c.len() + 1)
            .sum::<usize>();
        if wild > partial.rest.len() {
            let path = partial.folder + &partial.rest;
            return self.push(partial.alternative, Found { path, named });
        }
        let rest = partial.rest.split_off(wild);
        partial.folder.push_str(&partial.rest);
        partial.rest = rest;
        if self.todo.len() < MAX_INCLUDES { self.todo.push(partial) } else { self.overflow = true }
    }

    fn push(&mut self, alternative: usize, found: Found) {
        if let Some((_, hits)) = self.hits.get_mut(alternative) {
            *hits += 1;
        }
        if self.found.len() < MAX_INCLUDES {
            let after = |known: &(usize, Found)| (known.0, &known.1.path) >= (alternative, &found.path);
            self.found.insert(self.found.partition_point(after), (alternative, found));
        } else {
            self.overflow = true
        }
    }

    /// The folder whose names are needed; nothing if the search is over.
    pub(super) fn wants(&self) -> Option<&str> {
        self.todo.last().map(|partial| if partial.folder.is_empty() { "." } else { &*partial.folder })
    }

    /// Takes the names in the folder asked for; none if there is no such folder.
    pub(super) fn take_names(&mut self, names: &[String]) {
        let Some(partial) = self.todo.pop() else { return };
        let (component, rest) =
            partial.rest.split_once('/').map_or((&*partial.rest, None), |(c, r)| (c, Some(r)));
        for name in names {
            // glob(3): a point at the start of a name is matched by a point only.
            if name.starts_with('.') != component.starts_with('.') || !matches(component, name) {
                continue;
            }
            let path = format!("{}{name}", partial.folder);
            match rest {
                None => self.push(partial.alternative, Found { path, named: false }),
                Some(rest) => {
                    let next =
                        Partial { alternative: partial.alternative, folder: path + "/", rest: rest.into() };
                    self.advance(next, false);
                }
            }
        }
    }

    /// The alternatives with wildcards that matched nothing.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.hits.iter().filter(|(_, hits)| *hits == 0).map(|(pattern, _)| &**pattern)
    }

    /// What was found, the first one last.
    pub(super) fn finish(self) -> Vec<Found> {
        self.found.into_iter().map(|(_, found)| found).collect()
    }
}

fn is_wild(component: &str) -> bool {
    component.contains(['*', '?', '['])
}

/// `a{b,c{d,e}}` is `ab`, `acd`, `ace`; more than the limit are cut off right behind it.
fn expand_braces(pattern: &str) -> Vec<String> {
    let (mut open, mut done) = (vec![pattern.to_owned()], Vec::new());
    while let Some(pattern) = open.pop() {
        let Some((start, commas, end)) =
            first_brace(&pattern).filter(|_| done.len() + open.len() <= MAX_ALTERNATIVES)
        else {
            done.push(pattern);
            if done.len() > MAX_ALTERNATIVES {
                break;
            }
            continue;
        };
        let (head, tail) = (pattern.get(..start).unwrap_or(""), pattern.get(end + 1..).unwrap_or(""));
        let mut to = end;
        for comma in commas.iter().rev().chain([&start]) {
            open.push(format!("{head}{}{tail}", pattern.get(comma + 1..to).unwrap_or("")));
            to = *comma;
        }
    }
    done
}

/// The first `{` that has its `}`, and the commas that are its own.
fn first_brace(pattern: &str) -> Option<(usize, Vec<usize>, usize)> {
    let start = pattern.find('{')?;
    let (mut depth, mut commas) = (0_u32, Vec::new());
    for (index, byte) in pattern.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => commas.push(index),
            b'}' if depth == 1 => return Some((start, commas, index)),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `*`, `?`, `[a-z]`, `[!a]` and `\` for one component of a path, in time of their product.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while let Some(&c) = name.get(n) {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(next) = match_one(&pattern, p, c) {
            (p, n) = (next, n + 1);
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// Where the pattern goes on if `c` matches what stands at `p`.
fn match_one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern.get(p)? {
        '?' => Some(p + 1),
        '[' => match_set(pattern, p, c),
        '\\' if p + 1 < pattern.len() => (pattern.get(p + 1) == Some(&c)).then_some(p + 2),
        literal => (*literal == c).then_some(p + 1),
    }
}

fn match_set(pattern: &[char], p: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(p + 1), Some('!' | '^'));
    let first = p + 1 + usize::from(negated);
    let (mut at, mut found) = (first, false);
    while let Some(&low) = pattern.get(at) {
        if low == ']' && at > first {
            return (found != negated).then_some(at + 1);
        }
        let range = pattern.get(at + 1) == Some(&'-') && !matches!(pattern.get(at + 2), None | Some(']'));
        let high = if range { pattern.get(at + 2).copied().unwrap_or(low) } else { low };
        found |= (low..=high).contains(&c);
        at += if range { 3 } else { 1 };
    }
    // A `[` that is never closed is itself.
    (c == '[').then_some(p + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_are_those_of_glob_3() {
        for (pattern, yes, no) in [
            ("*.conf", "a.conf", "a.conf~"),
            ("a?c", "abc", "ac"),
            ("[a-c]x", "bx", "dx"),
            ("[!a-c]x", "dx", "bx"),
            ("[]a]", "]", "b"),
            ("*a*b*", "xaybz", "xbya"),
            ("[x", "[x", "x"),
            ("\\*", "*", "a"),
        ] {
            assert!(matches(pattern, yes) && !matches(pattern, no), "{pattern}");
        }
        assert!(matches("*", ""));
    }

    #[test]
    fn braces_are_those_of_a_c_shell() {
        assert_eq!(expand_braces("{foo/{,cat,dog},bar}"), ["foo/", "foo/cat", "foo/dog", "bar"]);
        assert_eq!(expand_braces("a{b"), ["a{b"]);
        assert_eq!(expand_braces("a{b}c"), ["abc"]);
        assert!(expand_braces(&"{a,b}".repeat(40)).len() <= MAX_ALTERNATIVES + 1);
    }

    #[test]
    fn what_is_found_is_sorted_within_each_alternative() {
        let mut search = Search::new("/etc/", "{z,d/*/x.conf,*.c}");
        let mut asked = Vec::new();
        while let Some(folder) = search.wants().map(str::to_owned) {
            let names: &[&str] = match &*folder {
                "/etc/" => &["b.c", "a.c", ".c", "a.h"],
                "/etc/d/" => &["two", "one"],
                _ => &[],
            };
            search.take_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            asked.push(folder);
        }
        assert_eq!(search.unmatched().count(), 0);
        let mut found = search.finish();
        found.reverse();
        let paths: Vec<_> = found.iter().map(|found| (&*found.path, found.named)).collect();
        assert_eq!(
            paths,
            [
                ("/etc/z", true),
                ("/etc/d/one/x.conf", false),
                ("/etc/d/two/x.conf", false),
                ("/etc/a.c", false),
                ("/etc/b.c", false)
            ]
        );
    }

    #[test]
    fn variants_and_include_check_say_what_is_an_error() {
        assert_eq!(Checks::of_word("include"), Some(Checks(0)));
        assert_eq!(Checks::of_word("includew"), Some(Checks(4)));
        assert_eq!(Checks::of_word("included"), None);
        let line = |from: Checks, words: &str| from.of_line(words.split_whitespace());
        assert_eq!(line(Checks(1), ""), Some(Checks::ALL));
        assert_eq!(line(Checks(1), "+match -readable"), Some(Checks(2)));
        assert_eq!(line(Checks(1), "match"), Some(Checks(2)));
        assert_eq!(line(Checks(1), "nonsense"), None);
    }

    proptest! {
        #[test]
        fn any_pattern_is_matched(pattern in "[a-c*?\\[\\]!\\\\{},-]{0,30}", name in "[a-c]{0,30}") {
            let _ = matches(&pattern, &name);
            prop_assert!(expand_braces(&pattern).len() <= MAX_ALTERNATIVES + 1);
        }
    }
}
