//! A row of the comparison: what was measured, for lvsbox and for keepalived, and whether it reaches its goal.
//!
//! A row crosses from the guest to the machine outside as a line of words between tabs ([`Row::record`]); what stands
//! there for a reader is [`super::report`]'s.

use std::fmt;

/// Names of rows that have a goal, or that [`super::report`] draws together.
pub mod what {
    /// Proportional set size without checks.
    pub const PSS: &str = "memory (PSS)";
    /// The same while every real server is checked.
    pub const PSS_CHECKING: &str = "memory while checking (PSS)";
    /// Processor time of a check.
    pub const CHECK: &str = "1,000 checks: processor time";
    /// The kernel's part of it, each check by itself.
    pub const CHECK_FLOOR: &str = "kernel's floor of 1,000 checks";
    /// The same if each wake-up serves two.
    pub const CHECK_FLOOR_PAIRS: &str = "kernel's floor of 1,000 checks, in pairs";
    /// What remains of a check above [`CHECK_FLOOR_PAIRS`].
    pub const CHECK_ABOVE: &str = "1,000 checks: above the kernel's floor";
    /// From the start of the program to the last real server in the kernel.
    pub const TABLE: &str = "start: table complete after";
    /// The same with checks of all of them.
    pub const TABLE_CHECKS: &str = "start with checks: table complete after";
    /// Processor time of a reload of every weight.
    pub const ALL: &str = "reload, every weight: processor time";
    /// The same without what the kernel itself needs.
    pub const ABOVE: &str = "reload, every weight: above the kernel's floor";
    /// The kernel's part of it.
    pub const FLOOR: &str = "kernel's floor of changing every weight";
    /// Processor time of a reload of one weight.
    pub const ONE: &str = "reload, one weight: processor time";
    /// Processor time of a reload without a change.
    pub const NOTHING: &str = "reload, nothing: processor time";
    /// Processor time from a server's end until it is out.
    pub const FAILED: &str = "a server fails: processor time until it is out";
    /// Ends of the names of takeover's rows that have a goal.
    pub const TAKEOVER: [&str; 3] =
        [": first advert, median", ": last address, median", ": last ARP, median"];
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The programs themselves.
    Files,
    /// Real servers of the configuration.
    Servers(usize),
    /// A BACKUP takes over.
    Takeover,
    /// The image.
    Boot,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str("programs"),
            Self::Servers(count) => write!(f, "{} real servers", grouped(*count)),
            Self::Takeover => f.write_str("takeover"),
            Self::Boot => f.write_str("image and boot"),
        }
    }
}

impl Section {
    fn word(self) -> String {
        match self {
            Self::Files => "files".to_owned(),
            Self::Servers(count) => count.to_string(),
            Self::Takeover => "takeover".to_owned(),
            Self::Boot => "boot".to_owned(),
        }
    }

    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "files" => Self::Files,
            "takeover" => Self::Takeover,
            "boot" => Self::Boot,
            count => Self::Servers(count.parse().ok()?),
        })
    }
}

/// A number with a comma before each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What lvsbox's value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At most this part of keepalived's.
    Ratio(f64),
    /// At most [`TICK`] later than keepalived's, in milliseconds.
    NotLater,
}

/// What the same program differs by from one takeover to the next, in milliseconds.
pub const TICK: f64 = 1.0;

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(most) => write!(f, "<={most}"),
            Self::NotLater => write!(f, "+{TICK} ms"),
        }
    }
}

impl Goal {
    /// The goal of a row, if it has one.
    pub fn of(section: Section, name: &str) -> Option<Self> {
        match (section, name) {
            (Section::Servers(4_096), what::PSS | what::PSS_CHECKING) => Some(Self::Ratio(0.25)),
            (Section::Servers(4_096), what::ABOVE) => Some(Self::Ratio(0.1)),
            (Section::Servers(_), what::CHECK | what::CHECK_ABOVE) => Some(Self::Ratio(0.5)),
            (Section::Servers(_), what::TABLE | what::TABLE_CHECKS) => Some(Self::Ratio(1.0)),
            (Section::Takeover, name) if what::TAKEOVER.iter().any(|end| name.ends_with(end)) => {
                Some(Self::NotLater)
            }
            _ => None,
        }
    }

    fn is_met(self, ours: f64, theirs: f64) -> bool {
        match self {
            Self::Ratio(most) => ours <= theirs * most,
            Self::NotLater => ours <= theirs + TICK,
        }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where it stands.
    pub section: Section,
    /// What was measured, in at most 46 characters.
    pub what: String,
    /// Its unit: `ms`, `KiB`, `%`, or none.
    pub unit: String,
    /// lvsbox's.
    pub ours: Option<f64>,
    /// keepalived's; `None` as well if it was not to be measured.
    pub theirs: Option<f64>,
    /// Why a value is missing.
    pub failed: Option<String>,
}

impl Row {
    /// A row with values.
    pub fn new(section: Section, what: &str, unit: &str, ours: Option<f64>, theirs: Option<f64>) -> Self {
        Self { section, what: what.to_owned(), unit: unit.to_owned(), ours, theirs, failed: None }
    }

    /// A row that says why there is no value.
    pub fn failed(section: Section, what: &str, why: &str) -> Self {
        Self { failed: Some(why.to_owned()), ..Self::new(section, what, "", None, None) }
    }

    /// lvsbox's value divided by keepalived's; `None` where that says nothing: around zero, as lateness may be.
    pub fn ratio(&self) -> Option<f64> {
        let (ours, theirs) = (self.ours?, self.theirs?);
        (ours >= 0.0 && theirs > 0.0 && self.goal() != Some(Goal::NotLater)).then(|| ours / theirs)
    }

    /// What it has to be.
    pub fn goal(&self) -> Option<Goal> {
        Goal::of(self.section, &self.what)
    }

    /// Whether it is; `None` without a goal, or without both values.
    pub fn is_met(&self) -> Option<bool> {
        Some(self.goal()?.is_met(self.ours?, self.theirs?))
    }

    /// A line of words between tabs, which [`Self::parse`] reads.
    pub fn record(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let failed = self.failed.as_deref().unwrap_or("").replace(['\n', '\t'], " ");
        let (ours, theirs) = (number(self.ours), number(self.theirs));
        format!("row\t{}\t{}\t{}\t{ours}\t{theirs}\t{failed}", self.section.word(), self.what, self.unit)
    }

    /// The row of a record; `None` if the line is none.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split('\t').collect();
        let ["row", section, what, unit, ours, theirs, failed] = words[..] else { return None };
        Some(Self {
            section: Section::named(section)?,
            what: what.to_owned(),
            unit: unit.to_owned(),
            ours: ours.parse().ok(),
            theirs: theirs.parse().ok(),
            failed: Some(failed.to_owned()).filter(|why| !why.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_row_again() {
        let row = Row::new(Section::Servers(4_096), what::PSS, "KiB", Some(1.0 / 3.0), None);
        assert_eq!(Row::parse(&row.record()), Some(row));
        let failed = Row::failed(Section::Takeover, "keepalived", "first\nsecond");
        let read = Row::parse(&failed.record()).unwrap();
        assert_eq!((read.failed.as_deref(), read.ours), (Some("first second"), None));
        assert_eq!(Row::parse("thread 'main' panicked"), None);
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_not_above() {
        let row = |section, name: &str, ours| Row::new(section, name, "", Some(ours), Some(400.0)).is_met();
        assert_eq!(row(Section::Servers(4_096), what::PSS, 100.0), Some(true));
        assert_eq!(row(Section::Servers(4_096), what::PSS, 100.1), Some(false));
        assert_eq!(row(Section::Servers(1_000), what::PSS, 500.0), None);
        assert_eq!(row(Section::Takeover, "killed, 1 VIP: last ARP, median", 401.0), Some(true));
        assert_eq!(row(Section::Takeover, "killed, 1 VIP: last ARP, median", 401.1), Some(false));
        assert_eq!(row(Section::Servers(40), what::TABLE_CHECKS, 401.0), Some(false));
        let alone = Row::new(Section::Servers(65_536), what::CHECK, "ms", Some(1.0), None);
        assert_eq!(alone.is_met(), None);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [40, 1_000, 65_536].map(|count| Section::Servers(count).to_string()),
            ["40 real servers", "1,000 real servers", "65,536 real servers"]
        );
    }
}
