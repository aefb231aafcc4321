//! Files of an `SSL` block as they are asked for, and what becomes of those that are of no use.

use super::*;
use crate::config::{Config, Loader};
use crate::syntax::Want;

const CA: &str = include_str!("../../../tests/data/tls/ca.pem");
const CERTIFICATE: &str = include_str!("../../../tests/data/tls/server.pem");
const KEY: &str = include_str!("../../../tests/data/tls/server.key");
const ENCRYPTED: &str = include_str!("../../../tests/data/tls/encrypted.key");

/// Loads `text`; a file is answered with what stands behind its name.
fn load(text: &str, files: &[(&str, Result<&str, u16>)]) -> (Config, Vec<String>) {
    let mut loader = Loader::new("t", text.to_owned());
    loop {
        let answer = match loader.want() {
            Some(Want::Text(path)) => files.iter().find(|(name, _)| *name == path).map(|(_, answer)| *answer),
            _ => None,
        };
        match answer {
            Some(answer) => loader.give_text(answer.map(str::to_owned)),
            None if loader.step() => break,
            None => {}
        }
    }
    let loaded = loader.finish();
    let lines = loaded.diagnostics.iter().map(|it| it.summary().to_string()).collect();
    (loaded.config.unwrap(), lines)
}

#[test]
fn files_are_read_when_the_configuration_is_and_a_change_in_them_is_a_change_of_it() {
    let text = "SSL {\n ca ca.pem\n certificate c.pem\n key k.pem\n}\n";
    let files = [("ca.pem", Ok(CA)), ("c.pem", Ok(CERTIFICATE)), ("k.pem", Ok(KEY))];
    let (first, messages) = load(text, &files);
    assert_eq!(messages, Vec::<String>::new());
    assert_eq!(first.tls.ca.as_deref(), Some("ca.pem"));
    assert_eq!(first.tls.own, Some(("c.pem".into(), "k.pem".into())));
    assert_eq!((first.tls.contents.trusted.len(), first.tls.contents.own.is_some()), (1, true));
    assert_eq!(load(text, &files).0, first);
    let two = [CA, CERTIFICATE].concat();
    let (second, _) = load(text, &[("ca.pem", Ok(&two)), files[1], files[2]]);
    assert_ne!(second, first);
    assert_eq!(second.tls.contents.trusted.len(), 2);
}

#[test]
fn a_file_that_is_of_no_use_is_an_error_at_its_line_which_is_left_out() {
    let damaged = CA.replace('M', "!");
    let huge = " ".repeat(MAX_TLS_FILE + 1);
    for (lines, file, answer, message) in [
        ("ca x", "x", Err(2), "t:2:4: error[E0321]: x: no such file or entry"),
        ("ca x", "x", Err(13), "x: permission denied"),
        ("ca x", "x", Ok(""), "x: no certificate in PEM is in it"),
        ("ca x", "x", Ok(KEY), "x: no certificate in PEM is in it"),
        ("ca x", "x", Ok(&*damaged), "x: it is damaged: no PEM"),
        ("ca x", "x", Ok(&*huge), "x: it is too large"),
        ("certificate c\nkey x", "x", Ok(ENCRYPTED), "x: the key is encrypted"),
        ("password y\ncertificate c\nkey x", "x", Ok(ENCRYPTED), "x: an encrypted key is not supported"),
        ("certificate c\nkey x", "x", Ok(CERTIFICATE), "x: no private key in PEM is in it"),
        ("certificate x\nkey k", "x", Ok(CA), "x: the key is not this certificate's"),
        ("certificate c", "c", Ok(CERTIFICATE), "`certificate` and `key` belong together"),
        ("key k", "k", Ok(KEY), "`certificate` and `key` belong together"),
    ] {
        let files = [(file, answer), ("c", Ok(CERTIFICATE)), ("k", Ok(KEY))];
        let (config, messages) = load(&format!("SSL {{\n{lines}\n}}\n"), &files);
        assert!(messages.len() == 1 && messages[0].contains(message), "{lines}: {messages:?}");
        assert_eq!(config.tls, Tls::default(), "{lines}");
    }
}

#[test]
fn a_file_that_nobody_reads_counts_as_missing() {
    let (config, messages) = load("SSL {\n ca ca.pem\n}\n", &[]);
    assert!(messages.len() == 1 && messages[0].contains("ca.pem: no such file"), "{messages:?}");
    assert_eq!(config.tls.ca, None);
}

#[test]
fn the_block_is_the_same_again_in_canonical_text() {
    use crate::config::canonical::{Passwords, Place, Style, row};
    let files = [("/a b/ca", Ok(CA)), ("c", Ok(CERTIFICATE)), ("k", Ok(KEY))];
    for lines in ["ca \"/a b/ca\"", "certificate c\nkey k", "ca \"/a b/ca\"\ncertificate c\nkey k"] {
        let (config, messages) = load(&format!("SSL {{\n{lines}\n}}\n"), &files);
        assert_eq!(messages, Vec::<String>::new());
        let style = Style { passwords: Passwords::Shown, longest: usize::MAX };
        let (mut text, mut next) = (String::new(), Some(Place::default()));
        while let Some(place) = next {
            next = row(&config, style, place, &mut text).unwrap();
        }
        assert_eq!(load(&text, &files), (config, Vec::new()), "{text}");
    }
}
