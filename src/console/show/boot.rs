//! `show boot`: what PID 1 did before the loop ran, and when the box began to serve.

use core::fmt::Write;

use super::line;
use crate::console::answer::{Next, Place};
use crate::console::json::{Object, Shown, Value};
use crate::console::text::Line;
use crate::console::view::{Millis, View};

const NONE: &str = "not booted by lvsbox: this is a daemon on a machine of its owner's\n";

/// Bytes of a sentence that are shown: in JSON they fit a piece even if every one of them is escaped.
const MAX_SENTENCE: usize = 600;

fn clipped(sentence: &str) -> &str {
    sentence.get(..sentence.floor_char_boundary(MAX_SENTENCE)).unwrap_or("")
}

/// A row is a stage, then each of its problems: a stage may have more than fit a piece.
pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let Some(stage) = view.boot.get(place.row) else {
        out.write_str(if view.boot.is_empty() { NONE } else { "" })?;
        return Ok(None);
    };
    match place.sub.checked_sub(1).map(|at| stage.problems.get(at)) {
        None => {
            let mut row = Line::new(out);
            let mut took: heapless::String<16> = heapless::String::new();
            write!(took, "{}", Millis(stage.took))?;
            write!(row, "{:<14}{took:>10}  {}", stage.name, clipped(&stage.done))?;
            row.end()?;
        }
        Some(Some(problem)) => line(out, format_args!("  problem: {}", clipped(problem)))?,
        Some(None) => return Ok(Some(place.next_row(0))),
    }
    Ok(Some(place.next_sub(0)))
}

pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let Some(stage) = view.boot.get(place.row) else {
        out.write_str(if place.row == 0 { "{\"stages\":[\n]}\n" } else { "\n]}\n" })?;
        return Ok(None);
    };
    match place.sub.checked_sub(1).map(|at| (at, stage.problems.get(at))) {
        None => {
            out.write_str(if place.row == 0 { "{\"stages\":[\n" } else { ",\n" })?;
            let mut object = Object::begin(out)?;
            object.field("name", stage.name)?;
            object.field("took", stage.took)?;
            object.field("done", clipped(&stage.done))?;
            object.open("problems")?;
            out.write_char('[')?;
        }
        Some((at, Some(problem))) => {
            out.write_str(if at == 0 { "" } else { "," })?;
            Shown(clipped(problem)).write(out)?;
        }
        Some((_, None)) => {
            out.write_str("]}")?;
            return Ok(Some(place.next_row(0)));
        }
    }
    Ok(Some(place.next_sub(0)))
}

#[cfg(test)]
mod tests {
    use crate::console::fixture::{Bench, SMALL, config, request};
    use crate::console::view::{Stage, View};
    use crate::console::{Answer, Buf};
    use crate::time::Duration;

    fn ask(line: &str, boot: &[Stage]) -> String {
        let bench = Bench::new(config(SMALL));
        let view = View { boot, ..bench.view() };
        let (mut answer, mut whole, mut more) = (Answer::new(request(line)), String::new(), true);
        while more {
            let mut piece = Buf::new();
            more = answer.next(&view, &mut piece);
            whole.push_str(&piece);
        }
        whole
    }

    /// Every one of a configuration's interfaces may be absent.
    #[test]
    fn every_problem_of_a_stage_is_shown_however_many_and_long_they_are() {
        let took = Duration::from_millis(12);
        let long = "\u{7}".repeat(5_000);
        let problems = (0..500).map(|number| format!("set up eth{number}: {long}").into()).collect();
        let last = Stage { name: "first advert", done: "sent".into(), took, problems: Box::default() };
        let boot = [Stage { name: "interfaces", done: long.as_str().into(), took, problems }, last];
        let text = ask("show boot", &boot);
        assert_eq!(text.matches("  problem: set up eth").count(), 500);
        assert!(text.ends_with("first advert     12.0 ms  sent\n"), "{text}");
        let json = ask("show boot json", &boot);
        assert_eq!(json.matches("\"set up eth").count(), 500);
        let end =
            "]},\n{\"name\":\"first advert\",\"took\":0.012000,\"done\":\"sent\",\"problems\":[]}\n]}\n";
        assert!(json.ends_with(end), "{json}");
        assert_eq!(ask("show boot json", &[]), "{\"stages\":[\n]}\n");
    }
}
