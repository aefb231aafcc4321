//! How many packets the kernel has dropped because its table of tracked connections was full, in this network
//! namespace: `/proc/net/stat/nf_conntrack`, a row of hexadecimal numbers for each processor below their names.

use std::path::Path;

use super::files::Stream;

const FILE: &str = "/proc/net/stat/nf_conntrack";
/// Rows of a hundred processors.
const MOST: usize = 16 << 10;

/// The figure; nothing if no connections are tracked.
pub fn dropped_total() -> Option<u64> {
    let mut file = Stream::open(Path::new(FILE)).ok()?;
    let (mut bytes, mut held) = (vec![0; MOST], 0);
    while let Some(room) = bytes.get_mut(held..).filter(|room| !room.is_empty()) {
        match file.read(room).ok()? {
            0 => break,
            length => held += length,
        }
    }
    parse(core::str::from_utf8(bytes.get(..held)?).ok()?)
}

fn parse(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    let column = lines.next()?.split_whitespace().position(|name| name == "drop")?;
    let numbers = lines.filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(column)?, 16).ok());
    Some(numbers.fold(0, u64::wrapping_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_all_processors_are_added() {
        // Linux 6.1.
        let text = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop \
                    icmp_error  expect_new expect_create expect_delete search_restart\n\
                    0000000d  00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 0000000a \
                    00000002 00000000  00000000 00000000 00000000 00000000\n\
                    0000000d  00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000011 \
                    00000002 00000000  00000000 00000000 00000000 00000000\n";
        assert_eq!(parse(text), Some(27));
        assert_eq!(parse("entries\n0\n"), None);
    }
}
