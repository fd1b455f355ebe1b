//! Bytes as people read them: exactly what `pg_size_pretty` of PostgreSQL 15 and later prints.

/// Each unit's name, the size (in that unit) from which the next one is used, and the shift to it.
///
/// From `size_pretty_units` in PostgreSQL's `src/backend/utils/adt/dbsize.c`; the server keeps one
/// extra bit from kB on so that it can round half away from zero.
const UNITS: [(&str, u128, u32); 6] = [
    ("bytes", 10 * 1024, 0),
    ("kB", 20 * 1024 - 1, 9),
    ("MB", 20 * 1024 - 1, 19),
    ("GB", 20 * 1024 - 1, 29),
    ("TB", 20 * 1024 - 1, 39),
    ("PB", u128::MAX, 49),
];

/// `bytes` in the largest unit that leaves it below 10,240, rounded half up.
///
/// ```
/// assert_eq!(plimsoll_core::size_text::pretty(10_239), "10239 bytes");
/// assert_eq!(plimsoll_core::size_text::pretty(10_240), "10 kB");
/// ```
pub fn pretty(bytes: u64) -> String {
    let bytes = u128::from(bytes);
    for (name, limit, shift) in UNITS {
        let scaled = bytes >> shift;
        if scaled < limit {
            let value = if shift == 0 {
                scaled
            } else {
                scaled.div_ceil(2)
            };
            return format!("{value} {name}");
        }
    }
    unreachable!("the last unit has no limit")
}

/// A difference with its sign: `+12 MB`, `-3 kB`, `0 bytes`.
pub fn pretty_signed(bytes: i64) -> String {
    let sign = match bytes {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", pretty(bytes.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_server_does() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (10_752, "11 kB"),
            (10_751, "10 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (10 << 30, "10 GB"),
            (10 << 40, "10 TB"),
            (10 << 50, "10 PB"),
            (i64::MAX as u64, "8192 PB"),
        ] {
            assert_eq!(pretty(bytes), text, "{bytes}");
        }
        assert_eq!(pretty_signed(-20_480), "-20 kB");
        assert_eq!(pretty_signed(20_480), "+20 kB");
    }
}
