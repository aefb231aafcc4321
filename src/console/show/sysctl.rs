//! `show sysctl`: settings of the kernel as they are and as they are wished, under who wishes them and what for. The
//! shell reads them and feeds rows here, as for [`super::super::kernel_tables`]; it leaves room for a row.

use core::fmt::{self, Write};

use super::line;
use crate::config::wishes::{Value, Wish};
use crate::console::json::{Object, Shown};
use crate::console::table::Format;
use crate::console::text::{Line, clip};

/// Bytes of the longest row, of a name and values of which every letter must be escaped.
pub const MAX_ROW: usize = 2_048;
/// What stands in [`NOW`], right-aligned, behind the names.
const NOW: usize = 44;
const NOW_WIDTH: usize = 12;

/// What is needed, for people.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a>(pub Value<'a>);

impl fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Is(value) => f.write_str(clip(value)),
            Value::Better(need) | Value::AtLeast(need) => write!(f, "{need} or more"),
            Value::Ports(need) => write!(f, "{need} ports or more"),
        }
    }
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What is wished.
    pub wish: &'a Wish<'a>,
    /// What the kernel says; nothing if it has no such setting.
    pub now: Option<&'a str>,
    /// Whether that is as wished.
    pub met: bool,
}

impl Row<'_> {
    /// A line, below one of owner and reason if `heading`.
    pub fn text(&self, out: &mut dyn Write, heading: bool) -> fmt::Result {
        if heading {
            line(out, format_args!("{}: {}", self.wish.owner.word(), self.wish.reason))?;
        }
        let mut row = Line::new(out);
        write!(row, "{} {}", if self.met { ' ' } else { '!' }, clip(self.wish.name))?;
        row.to(NOW)?;
        write!(row, "{:>NOW_WIDTH$}  {}", self.now.unwrap_or("-"), Need(self.wish.value))?;
        row.end()
    }

    /// An item of the list.
    pub fn json(&self, out: &mut dyn Write, first: bool) -> fmt::Result {
        out.write_str(if first { "\n" } else { ",\n" })?;
        let (wish, mut object) = (self.wish, Object::begin(out)?);
        object.field("name", clip(wish.name))?;
        object.field("now", self.now)?;
        match wish.value {
            Value::Is(value) => object.field("wish", clip(value))?,
            needed @ (Value::Better(_) | Value::AtLeast(_) | Value::Ports(_)) => {
                object.field("wish", Shown(needed))?;
            }
        }
        object.field("or_more", !matches!(wish.value, Value::Is(_)))?;
        object.field("met", self.met)?;
        object.field("owner", wish.owner.word())?;
        object.field("reason", wish.reason)?;
        object.end()
    }
}

/// Before the first row.
pub fn begin(out: &mut dyn Write, format: Format) -> fmt::Result {
    match format {
        Format::Text => {
            let mut head = Line::new(out);
            head.write_str("  setting")?;
            head.to(NOW)?;
            write!(head, "{:>NOW_WIDTH$}  wish", "now")?;
            head.end()
        }
        Format::Json => out.write_str("{\"settings\":["),
    }
}

/// Behind the last row: how many there were and how many of them are not as wished.
pub fn end(out: &mut dyn Write, format: Format, (all, differing): (usize, usize)) -> fmt::Result {
    match format {
        Format::Text => {
            line(out, format_args!("{all} settings, {differing} not as wished (!)"))?;
            out.write_str("of rp_filter and arp_* the larger value of conf.all and the interface counts\n")
        }
        Format::Json => writeln!(out, "\n],\"differing\":{differing}}}"),
    }
}
