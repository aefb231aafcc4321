//! What somebody meant who mistyped a word of a command.

/// The known word with the fewest differences, if they are few.
pub(super) fn nearest(word: &[u8], known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distances = known.map(|known| (distance(word, known.as_bytes()), known));
    distances
        .filter(|(distance, known)| *distance * 2 <= known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Insertions, deletions and replacements that lead from one word to the other. Long words are far from everything.
fn distance(word: &[u8], known: &[u8]) -> usize {
    const LONGEST: usize = 16;
    if word.len() > LONGEST || known.len() >= LONGEST {
        return usize::MAX / 2;
    }
    let mut row: [usize; LONGEST] = core::array::from_fn(|place| place);
    for (count, byte) in word.iter().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], count + 1);
        for (place, other) in known.iter().enumerate() {
            let replaced = diagonal + usize::from(!byte.eq_ignore_ascii_case(other));
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[known.len()]
}
