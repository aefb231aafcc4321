//! `~SEQ(var,[start,][step,]end)`, `~SEQx(...)` and `~LST(...)`: the same text once for every value.
//!
//! Nothing is generated ahead: a [`Generator`] is a counter, and how often it will repeat is known at once.

use super::line::Line;
use super::tree::Position;

/// What is repeated, and how far it is.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) names: Vec<Box<str>>,
    values: Values,
    /// What is repeated.
    pub(super) rest: Line,
    /// Where it stands.
    pub(super) at: Position,
    /// Repetitions to come.
    pub(super) left: u64,
}

#[derive(Debug)]
enum Values {
    Sequence { next: i64, step: i64, hexadecimal: bool },
    List { rows: Vec<Vec<Box<str>>>, next: usize },
}

impl Generator {
    /// From its head, `~SEQ(...)`, whose variables are replaced already; nothing if it is none.
    pub(super) fn parse(head: &str, rest: Line, at: Position) -> Option<Self> {
        let (word, arguments) = head.strip_suffix(')')?.split_once('(')?;
        let (names, values, left) = match word.trim_end() {
            "~SEQ" => sequence(arguments, false)?,
            "~SEQx" => sequence(arguments, true)?,
            "~LST" => list(arguments)?,
            _ => return None,
        };
        let named = names.iter().all(|name| !name.is_empty() && super::define::name_len(name) == name.len());
        named.then_some(Self { names, values, rest, at, left })
    }

    /// The next value of every name.
    pub(super) fn next(&mut self) -> Vec<Box<str>> {
        self.left = self.left.saturating_sub(1);
        match &mut self.values {
            Values::Sequence { next, step, hexadecimal } => {
                let value = *next;
                *next = value.saturating_add(*step);
                vec![if *hexadecimal { format!("{value:x}") } else { value.to_string() }.into()]
            }
            Values::List { rows, next } => {
                let row = rows.get_mut(*next).map(core::mem::take).unwrap_or_default();
                *next += 1;
                row
            }
        }
    }
}

type Parsed = (Vec<Box<str>>, Values, u64);

fn sequence(arguments: &str, hexadecimal: bool) -> Option<Parsed> {
    let mut words = arguments.split(',').map(str::trim);
    let name = words.next()?;
    let numbers = words.map(number).collect::<Option<Vec<i64>>>()?;
    let toward = |start: i64, end: i64| if end >= start { 1 } else { -1 };
    let (next, step, end) = match *numbers.as_slice() {
        [end] if end > 0 => (1, 1, end),
        [end] => (-1, -1, end),
        [start, end] => (start, toward(start, end), end),
        [start, step, end] => (start, step, end),
        _ => return None,
    };
    // 2.2.7 refuses a step of nothing and one that leads away from the end.
    let right = if step > 0 { next <= end } else { step < 0 && next >= end };
    let left = right.then(|| next.abs_diff(end) / step.unsigned_abs() + 1)?;
    Some((vec![name.into()], Values::Sequence { next, step, hexadecimal }, left))
}

/// As strtol(3) with base 0, which 2.2.7 uses: `0x10`, and `010` is 8.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.strip_prefix("0x") {
        Some(digits) => (16, digits),
        None if lower.len() > 1 && lower.starts_with('0') => (8, &*lower),
        None => (10, &*lower),
    };
    let value = i64::from_str_radix(digits, base).ok().filter(|value| *value >= 0)?;
    Some(if negative { -value } else { value })
}

/// `a,1,2` or `{a,b},{1,2},{3,4}`. 2.2.7: values that are missing are empty, one too many is an error, and so is a
/// blank inside of a value.
fn list(arguments: &str) -> Option<Parsed> {
    let mut rest = Some(arguments);
    let names = group(&mut rest)?;
    let mut rows = Vec::new();
    while rest.is_some() {
        let mut row = group(&mut rest)?;
        let fits = row.len() <= names.len() && !row.iter().any(|value| value.contains([' ', '\t', '"']));
        row.resize(names.len().max(row.len()), "".into());
        rows.push(Some(row).filter(|_| fits)?);
    }
    let left = u64::try_from(rows.len()).ok().filter(|count| *count > 0)?;
    Some((names, Values::List { rows, next: 0 }, left))
}

/// Takes `a` or `{a,b}` and the `,` behind it.
fn group(rest: &mut Option<&str>) -> Option<Vec<Box<str>>> {
    let text = rest.take()?.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        let (inside, behind) = inside.split_once('}')?;
        let behind = behind.trim();
        *rest = match behind.strip_prefix(',') {
            Some(more) => Some(more),
            None if behind.is_empty() => None,
            None => return None,
        };
        return Some(inside.split(',').map(|value| value.trim().into()).collect());
    }
    let (value, behind) = text.split_once(',').map_or((text, None), |(value, behind)| (value, Some(behind)));
    *rest = behind;
    Some(vec![value.trim().into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(head: &str) -> Option<String> {
        let mut generator = Generator::parse(head, Line::default(), Position::default())?;
        let mut rows = Vec::new();
        while generator.left > 0 && rows.len() < 100 {
            rows.push(generator.next().join("/"));
        }
        Some(rows.join(" "))
    }

    #[test]
    fn sequences_run_as_keepalived_2_2_7_runs_them() {
        for (head, expected) in [
            ("~SEQ(i,3)", "1 2 3"),
            ("~SEQ(i,-2)", "-1 -2"),
            ("~SEQ(i,3,1)", "3 2 1"),
            ("~SEQ(i, 10, -5, 0)", "10 5 0"),
            ("~SEQ (i,1,2)", "1 2"),
            ("~SEQ(i,010,011)", "8 9"),
            ("~SEQx(i,0x8,8,32)", "8 10 18 20"),
            ("~SEQ(i,1,2,4)", "1 3"),
        ] {
            assert_eq!(values(head).as_deref(), Some(expected), "{head}");
        }
        for head in [
            "~SEQ(i,3,0,5)",
            "~SEQ(i,5,1,3)",
            "~SEQ(i)",
            "~SEQ(i,x)",
            "~SEQ()",
            "~SEQ(1i,2)",
            "~SEQ(i,1,2,3,4)",
        ] {
            assert_eq!(values(head), None, "{head}");
        }
        assert!(values("~SEQ(i,-0x7fffffffffffffff,0x7fffffffffffffff)").is_some());
    }

    #[test]
    fn lists_run_as_keepalived_2_2_7_runs_them() {
        for (head, expected) in [
            ("~LST(a, x , y)", "x y"),
            ("~LST(a,1,,3)", "1  3"),
            ("~LST({a,b},{1,2},{3,4})", "1/2 3/4"),
            ("~LST({a,b}, {1}, 2)", "1/ 2/"),
        ] {
            assert_eq!(values(head).as_deref(), Some(expected), "{head}");
        }
        for head in ["~LST(a)", "~LST(a,{1,2})", "~LST(a,x y)", "~LST({a,b}", "~LST({a},{1}x)", "~FOO(a,1)"] {
            assert_eq!(values(head), None, "{head}");
        }
    }

    proptest! {
        #[test]
        fn any_head_is_read(head in "~(SEQ|SEQx|LST)?\\(?[a0-9,{}x -]{0,30}\\)?") {
            let _ = values(&head);
        }
    }
}
