//! A Rust source as tokens with lines: enough to see which paths it names, no parser.
//!
//! Comments, texts and characters are left out; so is every item under `#[cfg(test)]` where paths are concerned.

/// A source file.
pub(crate) struct Source {
    /// Its folder under `src/`, or its name without `.rs` at the top.
    pub(crate) layer: String,
    /// Lines that are not under `#[cfg(test)]`.
    pub(crate) lines: usize,
    /// A file of tests.
    pub(crate) is_test: bool,
    /// Path of its module from the crate's root.
    module: Vec<String>,
    /// All tokens.
    all: Vec<Token>,
    /// The tokens that are not under `#[cfg(test)]`.
    code: Vec<Token>,
}

/// A path that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    /// As resolved: from the crate's root, or beginning with another crate.
    pub(crate) path: String,
    /// The layer, if it is a path inside this crate.
    pub(crate) layer: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    line: usize,
    /// A word, a lifetime, `::`, or one character.
    text: String,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
    }
}

impl Source {
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let stem = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
        let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
        let layer = module[0].clone();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        let all = tokens(text);
        let (code, hidden) = without_tests(&all);
        let lines = text.lines().count() - hidden;
        Self { layer, lines, is_test: path.ends_with("/tests.rs"), module, all, code }
    }

    /// The lines on which `word` stands.
    pub(crate) fn lines_of_word(&self, word: &str) -> Vec<usize> {
        self.all.iter().filter(|token| token.text == word).map(|token| token.line).collect()
    }

    /// The types of which it holds a mutable reference: the last segment of the path after `&mut`.
    pub(crate) fn mutable_references(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (index, token) in self.code.iter().enumerate().filter(|pair| pair.1.text == "&") {
            let mut next = index + 1;
            if self.text(next).starts_with('\'') {
                next += 1;
            }
            if self.text(next) == "mut" {
                let (segments, _) = self.path_at(next + 1);
                found.extend(segments.last().map(|last| (token.line, last.clone())));
            }
        }
        found
    }

    /// Every path that it names: in `use`, and anywhere else if it has two segments or is a macro.
    pub(crate) fn names(&self) -> Vec<Named> {
        let mut found = Vec::new();
        // The modules opened inside the file, with the depth of their brace.
        let (mut inner, mut depth) = (Vec::<(String, usize)>::new(), 0_usize);
        let mut index = 0;
        while let Some(token) = self.code.get(index) {
            let mut place = self.module.clone();
            place.extend(inner.iter().map(|pair| pair.0.clone()));
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    inner.retain(|pair| pair.1 <= depth);
                }
                "mod" if self.text(index + 2) == "{" => {
                    inner.push((self.text(index + 1).to_owned(), depth + 1))
                }
                // Not the `use<'a>` of a bound.
                "use" if self.text(index + 1) != "<" => {
                    let mut paths = Vec::new();
                    index = self.tree_at(index + 1, &[], &mut paths);
                    found.extend(paths.into_iter().map(|(line, path)| resolve(&place, line, &path)));
                    continue;
                }
                "format" if self.text(index + 1) == "!" => {
                    found.push(Named { line: token.line, path: "std::fmt::format".to_owned(), layer: None });
                }
                _ if token.is_word() => {
                    let (path, next) = self.path_at(index);
                    if path.len() > 1 {
                        found.push(resolve(&place, token.line, &path));
                    }
                    index = next.max(index + 1);
                    continue;
                }
                _ => {}
            }
            index += 1;
        }
        found
    }

    fn text(&self, index: usize) -> &str {
        self.code.get(index).map_or("", |token| token.text.as_str())
    }

    /// The segments of the path that begins at `index`, and what follows it.
    fn path_at(&self, mut index: usize) -> (Vec<String>, usize) {
        let mut segments = Vec::new();
        if self.text(index) == "::" {
            index += 1;
        }
        while self.code.get(index).is_some_and(Token::is_word) {
            segments.push(self.text(index).to_owned());
            index += 1;
            if self.text(index) != "::" || !self.code.get(index + 1).is_some_and(Token::is_word) {
                break;
            }
            index += 1;
        }
        (segments, index)
    }

    /// The paths of the tree of a `use` that begins at `index` under `prefix`, and what follows it.
    fn tree_at(&self, mut index: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
        let line = self.code.get(index).map_or(0, |token| token.line);
        let (segments, next) = self.path_at(index);
        index = next;
        let path = [prefix, &segments].concat();
        if self.text(index) == "::" {
            index += 1;
        }
        if self.text(index) != "{" {
            if !path.is_empty() {
                found.push((line, path));
            }
            // `as name`, `*`: up to the end of this branch.
            while !["", ",", "}", ";"].contains(&self.text(index)) {
                index += 1;
            }
            return if self.text(index) == ";" { index + 1 } else { index };
        }
        index += 1;
        while !["", "}"].contains(&self.text(index)) {
            index = self.tree_at(index, &path, found);
            if self.text(index) == "," {
                index += 1;
            }
        }
        index += 1;
        if self.text(index) == ";" { index + 1 } else { index }
    }
}

/// The path as seen from the crate's root, if it leads into this crate.
fn resolve(place: &[String], line: usize, path: &[String]) -> Named {
    let mut base = match path[0].as_str() {
        "crate" | "lvsbox" => Vec::new(),
        "self" | "super" => place.to_vec(),
        _ => return Named { line, path: path.join("::"), layer: None },
    };
    for segment in path {
        match segment.as_str() {
            "super" => drop(base.pop()),
            "crate" | "lvsbox" | "self" => {}
            other => base.push(other.to_owned()),
        }
    }
    Named { line, path: format!("crate::{}", base.join("::")), layer: base.first().cloned() }
}

/// The tokens that are not under `#[cfg(test)]`, and how many lines the others take.
fn without_tests(all: &[Token]) -> (Vec<Token>, usize) {
    let (mut code, mut hidden, mut index) = (Vec::new(), 0, 0);
    let is = |at: usize, text: &str| all.get(at).is_some_and(|token| token.text == text);
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    while let Some(token) = all.get(index) {
        if !marker.iter().enumerate().all(|(offset, text)| is(index + offset, text)) {
            code.push(token.clone());
            index += 1;
            continue;
        }
        // To the end of the item: `;`, or the brace that closes the first one opened. A `;` in brackets is none.
        let (first, mut depth) = (token.line, 0_i32);
        index += marker.len();
        while let Some(token) = all.get(index) {
            index += 1;
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                ";" if depth == 0 => break,
                _ => {}
            }
        }
        hidden += all.get(index.saturating_sub(1)).map_or(0, |last| last.line + 1 - first);
    }
    (code, hidden)
}

/// The tokens of `text`, without comments, texts, characters and numbers.
fn tokens(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let (mut found, mut line, mut index) = (Vec::new(), 1, 0);
    while let Some(&letter) = letters.get(index) {
        let next = letters.get(index + 1).copied().unwrap_or_default();
        let end = match (letter, next) {
            ('/', '/') => index + letters[index..].iter().take_while(|letter| **letter != '\n').count(),
            ('/', '*') => end_of_comment(&letters, index),
            ('"', _) => end_of_text(&letters, index),
            ('\'', _) => {
                let end = end_of_quote(&letters, index);
                if letters[end - 1] != '\'' {
                    found.push(Token { line, text: letters[index..end].iter().collect() });
                }
                end
            }
            (':', ':') => {
                found.push(Token { line, text: "::".to_owned() });
                index + 2
            }
            _ if letter.is_alphanumeric() || letter == '_' => {
                let word = |letter: &&char| letter.is_alphanumeric() || **letter == '_';
                let end = index + letters[index..].iter().take_while(word).count();
                let text: String = letters[index..end].iter().collect();
                match end_of_raw_text(&letters, &text, end) {
                    Some(end) => end,
                    None => {
                        found.push(Token { line, text });
                        end
                    }
                }
            }
            _ => {
                if !letter.is_whitespace() {
                    found.push(Token { line, text: letter.to_string() });
                }
                index + 1
            }
        };
        line += letters[index..end].iter().filter(|letter| **letter == '\n').count();
        index = end;
    }
    found
}

/// Behind a comment, which may hold others.
fn end_of_comment(letters: &[char], start: usize) -> usize {
    let (mut depth, mut index) = (0, start);
    while index + 1 < letters.len() {
        match (letters[index], letters[index + 1]) {
            ('/', '*') => (depth, index) = (depth + 1, index + 2),
            ('*', '/') => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            return index;
        }
    }
    letters.len()
}

/// Behind a text with escapes.
fn end_of_text(letters: &[char], start: usize) -> usize {
    let mut index = start + 1;
    while index < letters.len() {
        match letters[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    letters.len()
}

/// Behind a raw text, if the word before `end` begins one.
fn end_of_raw_text(letters: &[char], word: &str, end: usize) -> Option<usize> {
    if !["r", "br", "cr"].contains(&word) {
        return None;
    }
    let hashes = letters[end..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(end + hashes) != Some(&'"') {
        return None;
    }
    let mut index = end + hashes + 1;
    while index < letters.len() {
        let closes = letters[index] == '"'
            && letters[index + 1..].iter().take_while(|letter| **letter == '#').count() >= hashes;
        if closes {
            return Some(index + 1 + hashes);
        }
        index += 1;
    }
    Some(letters.len())
}

/// Behind a character or a lifetime.
fn end_of_quote(letters: &[char], start: usize) -> usize {
    match (letters.get(start + 1), letters.get(start + 2)) {
        (Some('\\'), _) => {
            // The letter after the backslash may be a quote itself.
            let rest = letters.get(start + 3..).unwrap_or_default();
            (start + 4 + rest.iter().take_while(|letter| **letter != '\'').count()).min(letters.len())
        }
        (Some(_), Some('\'')) => start + 3,
        _ => {
            let word = |letter: &&char| letter.is_alphanumeric() || **letter == '_';
            start + 1 + letters.get(start + 1..).unwrap_or_default().iter().take_while(word).count()
        }
    }
}
