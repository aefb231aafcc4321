//! The known word that is nearest to a misspelt one.

/// Longest word that is compared; nobody misspells a longer one.
const MAX: usize = 40;

/// The candidate with the smallest edit distance to `word`, if that is at most a third of its length and
/// at most four.
pub fn nearest<'w>(word: &str, candidates: &mut dyn Iterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (word.len() / 3).clamp(1, 4);
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (restricted Damerau-Levenshtein), without regard to
/// case and with `-` like `_`; a word over [`MAX`] bytes is far from everything.
fn distance(a: &str, b: &str) -> usize {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    if a.len() > MAX || b.len() > MAX {
        return MAX;
    }
    let (mut before, mut last, mut row) = ([0; MAX + 1], [0; MAX + 1], [0; MAX + 1]);
    for (index, cell) in last.iter_mut().enumerate() {
        *cell = index;
    }
    let mut previous_a = 0;
    for (i, byte_a) in a.bytes().map(fold).enumerate() {
        let mut left = i + 1;
        row[0] = left;
        let mut previous_b = 0;
        for (j, byte_b) in b.bytes().map(fold).enumerate() {
            let mut cost = (last[j] + usize::from(byte_a != byte_b)).min(left + 1).min(last[j + 1] + 1);
            if i > 0 && j > 0 && byte_a == previous_b && previous_a == byte_b {
                cost = cost.min(before[j - 1] + 1);
            }
            left = cost;
            row[j + 1] = cost;
            previous_b = byte_b;
        }
        previous_a = byte_a;
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_edits_and_swaps() {
        for (a, b, expected) in [
            ("priority", "priority", 0),
            ("prioritty", "priority", 1),
            ("priorty", "priority", 1),
            ("praddr", "priority", 6),
            ("virtaul_router_id", "virtual_router_id", 1),
            ("LB-ALGO", "lb_algo", 0),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_word_far_from_all_has_no_neighbour() {
        assert_eq!(nearest("bogus", &mut ["priority", "state"].into_iter()), None);
        assert_eq!(nearest("stat", &mut ["priority", "state"].into_iter()), Some("state"));
        assert_eq!(nearest(&"x".repeat(5000), &mut ["state"].into_iter()), None);
    }
}
