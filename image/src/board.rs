//! Boards: `board/<name>/board.conf`, in the configuration's own grammar.

use std::fs;
use std::path::Path;

use lvsbox::syntax::{Context, Diagnostics, Keyword, Kind, Line, Progress, Reader, Table, Walk};

/// A board.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Board {
    /// The folder's name.
    pub name: String,
    /// The target triple of the binary.
    pub target: String,
    /// Debian's package of the kernel.
    pub kernel: String,
    /// Device of the console and its speed in baud.
    pub console: (String, u32),
    /// The kernel's command line.
    pub command_line: String,
    /// Modules that are wanted, in order; what they depend on comes before them.
    pub modules: Vec<String>,
    /// Modules keep their signatures.
    pub keep_signatures: bool,
    /// MiB of memory that the program may have; `None` is all there is.
    pub memory: Option<u32>,
}

static BOARD: Table<Board> = Table { name: "board.conf", rows: &[ROWS] };

const ROWS: &[Keyword<Board>] = &[
    Keyword { text: "target", kind: Kind::Text(|board, given| given.value.clone_into(&mut board.target)) },
    Keyword { text: "kernel", kind: Kind::Text(|board, given| given.value.clone_into(&mut board.kernel)) },
    Keyword {
        text: "console",
        kind: Kind::Words { expected: "a device such as ttyS0, and its speed", set: console },
    },
    Keyword {
        text: "command_line",
        kind: Kind::Text(|board, given| given.value.clone_into(&mut board.command_line)),
    },
    Keyword { text: "modules", kind: Kind::List(module) },
    Keyword { text: "keep_signatures", kind: Kind::Flag(|board, _| board.keep_signatures = true) },
    Keyword {
        text: "memory",
        kind: Kind::Integer { min: 1, max: 65_536, set: |board, given| board.memory = Some(given.value) },
    },
];

fn console(board: &mut Board, line: &mut Line<'_, '_>) {
    let Some(device) = line.word() else { return };
    if let Some(baud) = line.integer(300, 4_000_000) {
        board.console = (device.text.into_owned(), baud.value);
    }
}

fn module(board: &mut Board, line: &mut Line<'_, '_>) {
    while let Some(word) = line.word() {
        board.modules.push(word.text.replace('-', "_"));
    }
}

impl Board {
    /// Reads `board.conf` in `folder`, whose name is the board's.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("board.conf");
        let text = fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
        let folder =
            fs::canonicalize(folder).map_err(|error| format!("find {}: {error}", folder.display()))?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, &path.to_string_lossy(), text)
    }

    fn parse(name: String, path: &str, text: String) -> Result<Self, String> {
        let mut diagnostics = Diagnostics::default();
        let mut reader = Reader::new(path, text);
        while reader.step(usize::MAX, &mut diagnostics) != Progress::Done {}
        let (tree, _) = reader.into_tree();
        let mut board = Self { name, ..Self::default() };
        let mut cx = Context { tree: &tree, diagnostics: &mut diagnostics, home: |_| None };
        let mut walk = Walk::new(tree.root());
        while walk.step(&mut cx, &BOARD, &mut board) {}
        if diagnostics.worst().is_some() {
            return Err(diagnostics.to_string());
        }
        let needed = [
            ("target", &board.target),
            ("kernel", &board.kernel),
            ("console", &board.console.0),
            ("command_line", &board.command_line),
        ];
        let missing = needed.into_iter().find(|(_, value)| value.is_empty()).map(|(word, _)| word);
        match missing {
            Some(word) => Err(format!("{path}: `{word}` is missing")),
            None => Ok(board),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board");
        let boards: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
        assert!(!boards.is_empty());
        for board in boards {
            let read = Board::read(&board.path()).unwrap();
            assert_eq!(*read.name, *board.file_name());
            assert!(read.command_line.contains(&format!("console={}", read.console.0)), "{read:?}");
            assert!(read.command_line.contains("panic=3"), "a box that panics comes back: {read:?}");
        }
    }

    #[test]
    fn memory_is_a_number_of_mebibytes() {
        let text = "target x\nkernel y\nconsole ttyS0 115200\ncommand_line console=ttyS0\n";
        let parse = |more: &str| Board::parse("b".to_owned(), "b.conf", format!("{text}{more}"));
        assert_eq!(parse("").unwrap().memory, None);
        assert_eq!(parse("memory 32\n").unwrap().memory, Some(32));
        assert!(parse("memory 0\n").is_err());
    }

    #[test]
    fn mistakes_and_gaps_are_named() {
        let parse = |text: &str| Board::parse("b".to_owned(), "b.conf", text.to_owned()).unwrap_err();
        assert!(parse("targte x\n").contains("did you mean `target`"));
        assert!(parse("target x\nkernel y\nconsole ttyS0 115200\n").contains("`command_line` is missing"));
    }
}
