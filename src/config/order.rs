//! Sorting rows of a table. A heap sort in place: it is done once a load, and each use of the library's sorts costs
//! several kilobytes of the binary. Equal rows end up in any order.

/// Sorts `rows`; `less` says that its first row comes before its second.
pub(crate) fn sort<T>(rows: &mut [T], less: impl Fn(&T, &T) -> bool + Copy) {
    (0..rows.len() / 2).rev().for_each(|root| sift(rows, root, less));
    for end in (1..rows.len()).rev() {
        rows.swap(0, end);
        sift(rows.get_mut(..end).unwrap_or(&mut []), 0, less);
    }
}

/// Lets a row sink below those that come after it.
#[inline(never)]
fn sift<T>(rows: &mut [T], mut root: usize, less: impl Fn(&T, &T) -> bool) {
    loop {
        let mut child = 2 * root + 1;
        let (Some(first), second) = (rows.get(child), rows.get(child + 1)) else { return };
        if second.is_some_and(|second| less(first, second)) {
            child += 1;
        }
        if !rows.get(root).zip(rows.get(child)).is_some_and(|(above, below)| less(above, below)) {
            return;
        }
        rows.swap(root, child);
        root = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_sorts(mut rows in proptest::collection::vec(0_u8..40, 0..100)) {
            let mut expected = rows.clone();
            expected.sort_unstable();
            sort(&mut rows, |a, b| a < b);
            prop_assert_eq!(rows, expected);
        }
    }
}
