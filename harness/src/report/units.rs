//! Numbers as a person reads them: three significant digits and the unit that keeps them short.
//!
//! Everything here is a pure function from a number to text, shared by the report, the live display and the
//! warnings so that one quantity never appears in two spellings. Sizes are binary (KiB, MiB), said in the unit,
//! and times go from nanoseconds to seconds; text from outside passes through [`printable`] before it meets a
//! terminal.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

const NANOSECOND_STEPS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
const BYTE_STEPS: [(&str, f64); 5] = [
    ("B", 1.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// A time in nanoseconds: `812 ns`, `98.0 us`, `4.31 ms`, `12.5 s`.
pub fn nanoseconds(ns: f64) -> String {
    in_steps(ns, &NANOSECOND_STEPS, 1_000.0)
}

/// A time in milliseconds, as the saved report holds it, in whichever unit suits it.
pub fn milliseconds(ms: f64) -> String {
    nanoseconds(ms * 1e6)
}

/// A size: `512 B`, `14.2 MiB`.
pub fn bytes(count: f64) -> String {
    in_steps(count, &BYTE_STEPS, 1_024.0)
}

/// Bytes a second: `44.9 MiB/s`.
pub fn byte_rate(per_second: f64) -> String {
    format!("{}/s", bytes(per_second))
}

/// Something a second, without the unit: `22.7`, and from a thousand on `294,312`.
pub fn rate(per_second: f64) -> String {
    if per_second < 999.5 { three_digits(per_second) } else { count(per_second.round() as u64) }
}

/// A number of things, grouped by thousands: `2,943,120`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things with its noun, in the plural where it should be: `1 exchange`, `3 exchanges`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// `part` of `whole` in per cent, 0 when there is nothing to divide by.
pub fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

/// Running time as a clock shows it: `00:07`, `12:30`, `1:02:03`; whole seconds, cut off.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// A length of time in words short enough for a sentence: `10.0 s`, `1 h 30 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0 | 1, _) => nanoseconds(time.as_nanos() as f64),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, 0) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Text from outside with everything escaped that could drive a terminal or break a line.
///
/// Names and messages may hold what a target sent. Control characters (C0, DEL, C1), line separators and the
/// marks that reorder text are shown as `\n` or `\u{1b}`; anything else passes unchanged.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(drives_terminal) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => escaped.extend(character.escape_default()),
            _ if drives_terminal(character) => escaped.extend(character.escape_unicode()),
            _ => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

fn drives_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Three significant digits of a number below a thousand; above, all whole digits.
fn three_digits(value: f64) -> String {
    // The bounds are where rounding to the next coarser form would carry: 9.995 prints as 10.0, not 9.99 or 10.00.
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Picks the largest unit in which the value, as printed, stays below `step`.
fn in_steps(value: f64, units: &[(&str, f64)], step: f64) -> String {
    let fits = |scale: f64| (value / scale).round() < step;
    let (index, &(unit, scale)) = units
        .iter()
        .enumerate()
        .find(|(_, (_, scale))| fits(*scale))
        .unwrap_or((units.len() - 1, &units[units.len() - 1]));
    let mut text = if index == 0 {
        format!("{:.0}", value / scale) // no part of a byte or a nanosecond exists
    } else {
        three_digits(value / scale)
    };
    let _ = write!(text, " {unit}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_the_unit_that_keeps_three_digits() {
        let cases = [
            (0.0, "0 ns"),
            (812.0, "812 ns"),
            (999.6, "1.00 us"),
            (1_000.0, "1.00 us"),
            (98_000.0, "98.0 us"),
            (217_400.0, "217 us"),
            (999_499.0, "999 us"),
            (999_501.0, "1.00 ms"),
            (9_996_000.0, "10.0 ms"),
            (4_314_000.0, "4.31 ms"),
            (12_500_000_000.0, "12.5 s"),
            (3_600_000_000_000.0, "3600 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(nanoseconds(ns), text, "{ns} ns");
        }
        assert_eq!(milliseconds(0.098), "98.0 us");
    }

    #[test]
    fn sizes_are_binary_and_say_so() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(1_023.0), "1023 B");
        assert_eq!(bytes(1_024.0), "1.00 KiB");
        assert_eq!(bytes(14.2 * 1_048_576.0), "14.2 MiB");
        assert_eq!(bytes(1_023.9 * 1_024.0), "1.00 MiB");
        assert_eq!(byte_rate(3.0 * 1_073_741_824.0), "3.00 GiB/s");
    }

    #[test]
    fn rates_and_counts_group_thousands() {
        assert_eq!(rate(0.0), "0.00");
        assert_eq!(rate(22.7), "22.7");
        assert_eq!(rate(999.6), "1,000");
        assert_eq!(rate(294_311.6), "294,312");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(2_943_120), "2,943,120");
        assert_eq!(counted(1, "exchange"), "1 exchange");
        assert_eq!(counted(0, "exchange"), "0 exchanges");
    }

    #[test]
    fn clocks_and_spans() {
        assert_eq!(clock(Duration::from_millis(7_900)), "00:07");
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
        assert_eq!(span(Duration::from_millis(10_004)), "10.0 s");
        assert_eq!(span(Duration::from_secs(90)), "90.0 s");
        assert_eq!(span(Duration::from_secs(300)), "5 min");
        assert_eq!(span(Duration::from_secs(305)), "5 min 5 s");
        assert_eq!(span(Duration::from_secs(5_400)), "1 h 30 min");
        assert_eq!(span(Duration::from_secs(7_200)), "2 h");
    }

    #[test]
    fn nothing_printed_drives_a_terminal() {
        assert!(matches!(printable("GET /ä?q=1"), Cow::Borrowed(_)));
        assert_eq!(printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(printable("one\r\ntwo\tthree"), "one\\r\\ntwo\\tthree");
        assert_eq!(printable("\u{9b}31m\u{202e}x\u{7f}"), "\\u{9b}31m\\u{202e}x\\u{7f}");
    }
}
