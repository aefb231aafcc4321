//! The story as a picture: in a terminal, and as SVG.

use std::fmt::Write as _;

use super::Story;

/// Characters of the terminal's plot.
const COLUMNS: usize = 72;
const ROWS: usize = 16;

/// Something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub second: u64,
    /// What.
    pub name: &'static str,
}

fn spread(value: u64, most: u64, places: usize) -> usize {
    let place = value.saturating_mul(u64::try_from(places).unwrap_or(1)) / most.max(1);
    usize::try_from(place).unwrap_or(places).min(places - 1)
}

/// Resident memory over time; below, how many faults fell into each column.
pub fn text(story: &Story) -> String {
    let end = story.samples.last().map_or(1, |sample| sample.second) + 1;
    let least = story.samples.iter().map(|sample| sample.rss_kib).min().unwrap_or(0);
    let most = story.samples.iter().map(|sample| sample.rss_kib).max().unwrap_or(0);
    let mut rows = vec![vec![' '; COLUMNS]; ROWS];
    for sample in &story.samples {
        let row = spread(sample.rss_kib - least, most - least + 1, ROWS);
        rows[ROWS - 1 - row][spread(sample.second, end, COLUMNS)] = '*';
    }
    let mut faults = vec![0_u32; COLUMNS];
    story.marks.iter().for_each(|mark| faults[spread(mark.second, end, COLUMNS)] += 1);
    let mut text = format!("RSS in KiB, {end} s\n");
    for (number, row) in rows.iter().enumerate() {
        let label = match number {
            0 => most.to_string(),
            _ if number == ROWS - 1 => least.to_string(),
            _ => String::new(),
        };
        let _ = writeln!(text, "{label:>6} |{}", row.iter().collect::<String>().trim_end());
    }
    let digit = |count: &u32| if *count == 0 { '.' } else { char::from_digit(*count, 10).unwrap_or('+') };
    let _ = writeln!(text, "faults  {}", faults.iter().map(digit).collect::<String>());
    text
}

/// RSS, PSS and heap, and the faults by their names.
pub fn svg(story: &Story) -> String {
    let end = story.samples.last().map_or(1, |sample| sample.second) + 1;
    let most = story.samples.iter().map(|sample| sample.rss_kib).max().unwrap_or(1).max(1);
    let mut text = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1240 540\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"1240\" height=\"540\" fill=\"white\"/>\n",
    );
    for mark in &story.marks {
        let x = 40 + spread(mark.second, end, 1_200);
        let _ = writeln!(
            text,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"500\" y2=\"520\" stroke=\"red\"><title>{} s: {}</title></line>",
            mark.second, mark.name
        );
    }
    let lines = [
        ("RSS", "black", story.samples.iter().map(|one| one.rss_kib).collect::<Vec<_>>()),
        ("PSS", "blue", story.samples.iter().map(|one| one.pss_kib).collect()),
        ("heap", "green", story.samples.iter().map(|one| one.heap >> 10).collect()),
    ];
    for (row, (name, colour, values)) in lines.into_iter().enumerate() {
        let points = story.samples.iter().zip(&values).map(|(sample, value)| {
            format!("{},{}", 40 + spread(sample.second, end, 1_200), 500 - spread(*value, most + 1, 480))
        });
        let points: Vec<String> = points.collect();
        let largest = values.iter().max().copied().unwrap_or(0);
        let _ =
            writeln!(text, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"{}\"/>", points.join(" "));
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"16\" fill=\"{colour}\">{name}, at most {largest} KiB</text>",
            40 + 200 * row
        );
    }
    let _ = writeln!(text, "<text x=\"40\" y=\"536\">faults in {end} s</text>\n</svg>");
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_plot_has_its_extremes_in_its_corners() {
        let sample = |second, rss_kib| Sample { second, rss_kib, ..Sample::default() };
        let samples = (0..100).map(|second| sample(second, 1_000 + second)).collect();
        let story =
            Story { samples, marks: vec![Mark { second: 0, name: "x" }, Mark { second: 99, name: "y" }] };
        let text = text(&story);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 18);
        assert!(lines[1].starts_with("  1099 |") && lines[1].ends_with('*') && lines[1].len() == 8 + COLUMNS);
        assert!(lines[16].starts_with("  1000 |*"));
        assert!(lines[17].starts_with("faults  1.") && lines[17].ends_with(".1"));
        assert!(lines.iter().all(|line| line.len() <= 80));
        assert!(svg(&story).ends_with("</svg>\n"));
    }
}
