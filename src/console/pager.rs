//! Output page by page: what does not fit the terminal is held back until a key is pressed.
//!
//! It holds one piece of a command's output at most; the command is not asked for more meanwhile.

/// Bytes of the longest piece.
const PIECE: usize = 4_096;

/// What a key means at the foot of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Press {
    /// Nothing.
    Nothing,
    /// Go on.
    Go,
    /// No more of it.
    Leave,
}

/// The pager.
#[derive(Debug)]
pub(super) struct Pager {
    /// Of the terminal; 0 shows everything at once.
    rows: usize,
    columns: usize,
    /// Rows that may still be shown; `None` shows all.
    left: Option<usize>,
    /// Columns used in the last row.
    column: usize,
    held: heapless::Vec<u8, PIECE>,
    /// Of those, how many are being shown.
    taken: usize,
    waiting: bool,
}

impl Default for Pager {
    fn default() -> Self {
        let held = heapless::Vec::new();
        Self { rows: 0, columns: 80, left: None, column: 0, held, taken: 0, waiting: false }
    }
}

impl Pager {
    pub(super) fn set_rows(&mut self, rows: usize) {
        self.rows = rows;
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) const fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn set_columns(&mut self, columns: usize) {
        self.columns = if columns == 0 { 80 } else { columns };
    }

    /// A command starts; `whole` if its output is not for reading.
    pub(super) fn start(&mut self, whole: bool) {
        self.left = if whole || self.rows < 3 { None } else { Some(self.rows - 1) };
        self.column = 0;
        self.drop_all();
    }

    /// True while a key is waited for.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// True if nothing is held back.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// More to show; a piece, when nothing is held back.
    pub(super) fn hold(&mut self, text: &[u8]) {
        let room = PIECE - self.held.len();
        let _ = self.held.extend_from_slice(text.get(..room).unwrap_or(text));
    }

    /// What fits the page; the rest waits if there is one. A page never ends behind the first character of a row: what
    /// is written at its foot, and erased, would take that with it.
    pub(super) fn page(&mut self) -> &[u8] {
        self.taken = 0;
        for byte in self.held.iter() {
            // Of a character of several bytes, the first one counts.
            let counts = *byte & 0xc0 != 0x80;
            if *byte != b'\n' && counts && self.column >= self.columns {
                self.column = 0;
                self.left = self.left.map(|left| left.saturating_sub(1));
            }
            if self.left == Some(0) && counts {
                self.waiting = true;
                break;
            }
            self.taken += 1;
            self.column += usize::from(counts);
            if *byte == b'\n' {
                self.column = 0;
                self.left = self.left.map(|left| left.saturating_sub(1));
            }
        }
        self.held.get(..self.taken).unwrap_or(&[])
    }

    /// The page was shown.
    pub(super) fn shown(&mut self) {
        let rest = self.held.len() - self.taken;
        self.held.copy_within(self.taken.., 0);
        self.held.truncate(rest);
        self.taken = 0;
    }

    /// A key at the foot of a page.
    pub(super) fn press(&mut self, key: u8) -> Press {
        let more = match key {
            b' ' => self.rows.saturating_sub(2),
            b'\r' | b'\n' => 1,
            b'q' | b'Q' => return Press::Leave,
            _ => return Press::Nothing,
        };
        self.left = self.left.map(|_| more.max(1));
        Press::Go
    }

    /// The page is left.
    pub(super) fn resume(&mut self) {
        self.waiting = false;
    }

    /// Nothing of it is wanted.
    pub(super) fn drop_all(&mut self) {
        self.held.clear();
        self.waiting = false;
    }
}
