//! Facts about the board, written into the image when it is made: `/etc/board`, one fact a line, words split on blanks.
//!
//! `name NAME`; `console DEVICE BAUD`; `memory MIB`, which is all that the program may have; `module NAME` for each
//! module of the image in the order of insertion. Lines of other words are passed over, so that a newer `mkimage` can
//! say more.

/// What is known about the board.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The board's name, as that of its folder.
    pub(super) name: Box<str>,
    /// The console's device below `/dev`, empty if the kernel's own shall do.
    pub(super) console: Box<str>,
    /// Its speed in baud; `None` leaves what the kernel's command line said.
    pub(super) baud: Option<u32>,
    /// Modules in the order of insertion, each a file below `/lib/modules`.
    pub(super) modules: Vec<Box<str>>,
    /// Bytes of memory that the program may have; [`usize::MAX`] is all there is.
    pub(super) memory: usize,
}

impl Default for Facts {
    fn default() -> Self {
        let (name, console) = (Box::default(), Box::default());
        Self { name, console, baud: None, modules: Vec::new(), memory: usize::MAX }
    }
}

impl Facts {
    /// Reads the lines.
    pub(super) fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("name"), Some(name)) => facts.name = name.into(),
                (Some("console"), Some(device)) => {
                    facts.console = device.into();
                    facts.baud = words.next().and_then(|baud| baud.parse().ok());
                }
                (Some("memory"), Some(mib)) => {
                    facts.memory = mib.parse().map_or(usize::MAX, |mib: usize| mib.saturating_mul(1 << 20));
                }
                (Some("module"), Some(name)) => facts.modules.push(name.into()),
                _ => {}
            }
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_lines_and_what_is_unknown_is_passed_over() {
        let facts = Facts::parse(
            "name box\nled gpio 4\nconsole ttyS0 115200\n\nmodule a\nmemory 6\nmodule b\nmodule\n",
        );
        let modules = vec!["a".into(), "b".into()];
        assert_eq!(
            facts,
            Facts {
                name: "box".into(),
                console: "ttyS0".into(),
                baud: Some(115_200),
                modules,
                memory: 6 << 20
            }
        );
        assert_eq!(Facts::parse(""), Facts::default());
    }
}
