//! Parameters of a request target: the query string, and durations as people write them.

/// The longest delay that a request can ask for: one hour.
pub(crate) const DELAY_NS_MAX: u64 = 3_600_000_000_000;

/// The value of the first parameter called `name` in `query` (`a=1&b=2`); nothing is
/// percent-decoded.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Reads a duration in nanoseconds: `500ms`, `2s`, `1.5m`, `250us`; a bare number is milliseconds.
///
/// `None` for anything else, signs and exponents included, and for more than [`DELAY_NS_MAX`].
pub(crate) fn duration_ns(text: &str) -> Option<u64> {
    let digits_len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_len);
    let unit_ns = match unit {
        "" | "ms" => 1e6,
        "us" => 1e3,
        "s" => 1e9,
        "m" => 60e9,
        _ => return None,
    };
    let ns = (digits.parse::<f64>().ok()? * unit_ns).round();
    (ns <= DELAY_NS_MAX as f64).then_some(ns as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, ns) in [
            ("0", 0),
            ("5", 5_000_000),
            ("0.25", 250_000),
            ("500ms", 500_000_000),
            ("2s", 2_000_000_000),
            ("1.5m", 90_000_000_000),
            ("250us", 250_000),
            ("60m", DELAY_NS_MAX),
        ] {
            assert_eq!(duration_ns(text), Some(ns), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "ms", "-1", "+1", "1e3", "nan", "inf", "1.2.3", "5 ms", "5h", "61m", "."] {
            assert_eq!(duration_ns(text), None, "{text}");
        }
    }

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        assert_eq!(parameter("after=3s&for=2s", "for"), Some("2s"));
        assert_eq!(parameter("before=1&for=", "for"), Some(""));
        assert_eq!(parameter("fortune=1", "for"), None);
        assert_eq!(parameter("", "for"), None);
    }
}
