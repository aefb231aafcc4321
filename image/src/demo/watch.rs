//! The client's requests as they are answered: a mark for each, and every gap with its length. Pure.

use std::time::Duration;

use crate::world::{Answer, client};

/// What the marks mean.
pub const LEGEND: &str = "1 web1, 2 web2, - no answer; ten requests a second; any key ends it";
/// Marks in a row: five seconds.
const ROW: usize = 50;
/// More than this between two answers is a gap: a machine under load is late now and then.
const GAP: Duration = client::PERIOD.saturating_mul(4);

/// What was shown so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// Marks in the row that was begun.
    marks: usize,
    /// When the last good answer came.
    last: Option<Duration>,
}

impl Watch {
    /// What is to be written for one more answer. Rows end with a newline.
    pub fn take(&mut self, answer: &Answer) -> String {
        let mut text = String::new();
        if answer.outcome.is_ok() {
            let gap = self.last.map_or(Duration::ZERO, |last| answer.at.saturating_sub(last));
            self.last = Some(self.last.map_or(answer.at, |last| last.max(answer.at)));
            if gap > GAP {
                text += if self.marks > 0 { "\n" } else { "" };
                text += &format!("            nobody answered for {:.2} s\n", gap.as_secs_f64());
                self.marks = 0;
            }
        }
        if self.marks == 0 {
            text += &format!("{:8.1} s  ", answer.at.as_secs_f64());
        }
        text.push(mark(answer));
        self.marks += 1;
        if self.marks == ROW {
            text.push('\n');
            self.marks = 0;
        }
        text
    }
}

/// Who answered, by the last letter of the name.
fn mark(answer: &Answer) -> char {
    answer.outcome.as_ref().map_or('-', |name| name.chars().last().unwrap_or('?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answers: &[(u64, Result<&str, &str>)]) -> String {
        let mut watch = Watch::default();
        let answers = answers.iter().map(|(at, outcome)| Answer {
            at: Duration::from_millis(*at),
            took: Duration::from_millis(3),
            outcome: outcome.map(str::to_owned).map_err(str::to_owned),
        });
        answers.map(|answer| watch.take(&answer)).collect()
    }

    #[test]
    fn gap_is_marked_with_its_length_when_it_ends() {
        let text = shown(&[
            (1_000, Ok("web1")),
            (1_100, Ok("web2")),
            (2_200, Err("timed out")),
            (2_300, Err("timed out")),
            (4_110, Ok("web1")),
            (4_200, Ok("web2")),
        ]);
        let wanted = "     1.0 s  12--\n            nobody answered for 3.01 s\n     4.1 s  12";
        assert_eq!(text, wanted);
    }

    #[test]
    fn late_answers_and_single_failures_are_no_gap() {
        let text = shown(&[
            (100, Ok("web1")),
            (200, Err("refused")),
            (300, Ok("web2")),
            (250, Ok("web1")),
            (700, Ok("web1")),
        ]);
        assert_eq!(text, "     0.1 s  1-211");
        assert!(shown(&[(100, Ok("web1")), (501, Ok("web1"))]).contains("for 0.40 s"));
    }

    #[test]
    fn rows_end_after_five_seconds_and_fit_a_terminal() {
        let answers: Vec<_> = (0..120).map(|number| (number * 100, Ok("web1"))).collect();
        let text = shown(&answers);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|row| row.len() < 80), "{text}");
        assert!(LEGEND.len() < 80);
    }
}
