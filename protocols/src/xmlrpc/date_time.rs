//! `dateTime.iso8601`: checked, and kept as it was written.

use std::fmt;
use std::str::FromStr;

/// A date and a time, as text that has been checked.
///
/// The specification knows `19980717T14:08:55` alone. What others write is read too: `-` between the parts of the date, no
/// `:` between those of the time, a fraction of a second, `Z` or an offset such as `+01:00` behind it. It is sent as it was
/// written, and equal to what is written alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DateTime(Box<str>);

/// A text that is no date and time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no date and time such as 19980717T14:08:55")]
pub struct BadDateTime(pub String);

impl DateTime {
    /// The moment of these parts, written as the specification has it; `None` where there is no such moment.
    pub fn new(
        (year, month, day): (u16, u8, u8),
        (hour, minute, second): (u8, u8, u8),
    ) -> Option<Self> {
        let text = format!("{year:04}{month:02}{day:02}T{hour:02}:{minute:02}:{second:02}");
        text.parse().ok()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DateTime {
    type Err = BadDateTime;

    fn from_str(text: &str) -> Result<Self, BadDateTime> {
        match is_date_time(text) {
            true => Ok(Self(text.into())),
            false => Err(BadDateTime(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether there is such a moment, written so.
pub(super) fn is_date_time(text: &str) -> bool {
    let mut rest = Rest(text.as_bytes());
    rest.date_time().is_some() && rest.0.is_empty()
}

/// What has not been read yet.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    fn date_time(&mut self) -> Option<()> {
        self.date()?;
        self.one_of(b"T")?;
        self.time()?;
        self.zone()
    }

    fn date(&mut self) -> Option<()> {
        let year = self.digits(4)?;
        let dashed = self.one_of(b"-").is_some();
        let month = self.digits(2)?;
        if dashed {
            self.one_of(b"-")?;
        }
        let day = self.digits(2)?;
        (day >= 1 && day <= days(year, month)?).then_some(())
    }

    /// 60 is a leap second.
    fn time(&mut self) -> Option<()> {
        let hour = self.digits(2)?;
        let colons = self.one_of(b":").is_some();
        let minute = self.digits(2)?;
        if colons {
            self.one_of(b":")?;
        }
        let second = self.digits(2)?;
        if self.one_of(b".,").is_some() {
            self.digits(1)?;
            while self.digits(1).is_some() {}
        }
        (hour <= 23 && minute <= 59 && second <= 60).then_some(())
    }

    fn zone(&mut self) -> Option<()> {
        if self.0.is_empty() || self.one_of(b"Z").is_some() {
            return Some(());
        }
        self.one_of(b"+-")?;
        let hours = self.digits(2)?;
        if self.0.is_empty() {
            return (hours <= 23).then_some(());
        }
        self.one_of(b":");
        let minutes = self.digits(2)?;
        (hours <= 23 && minutes <= 59).then_some(())
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.iter().try_fold(0, |number, digit| match digit {
            b'0'..=b'9' => Some(number * 10 + u32::from(digit - b'0')),
            _ => None,
        })?;
        self.0 = rest;
        Some(number)
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        bytes.contains(first).then(|| self.0 = rest)
    }
}

/// Days of a month (proleptic Gregorian calendar).
fn days(year: u32, month: u32) -> Option<u32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => Some(if leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_from_nonsense() {
        for good in [
            "19980717T14:08:55",
            "1998-07-17T14:08:55",
            "19980717T140855",
            "20000229T23:59:60",
            "00010101T00:00:00",
            "1998-07-17T14:08:55.123456Z",
            "19980717T14:08:55+01:00",
            "19980717T14:08:55-0930",
            "19980717T14:08:55+05",
        ] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "19980717",
            "19980717T",
            "19980717 14:08:55",
            "19981317T14:08:55",
            "19980732T14:08:55",
            "19980700T14:08:55",
            "19000229T00:00:00",
            "1998-0717T14:08:55",
            "19980717T24:00:00",
            "19980717T14:60:55",
            "19980717T14:0855",
            "19980717T14:08:61",
            "19980717T14:08:55.",
            "19980717T14:08:55 ",
            "19980717T14:08:55Z0",
            "19980717T14:08:55+1",
            "19980717T14:08:55+24:00",
            "+1980717T14:08:55",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn parts_are_written_as_the_specification_has_them() {
        let moment = DateTime::new((1998, 7, 17), (14, 8, 55)).unwrap();
        assert_eq!(moment.as_str(), "19980717T14:08:55");
        assert_eq!(DateTime::new((1998, 2, 29), (0, 0, 0)), None);
        assert_eq!(DateTime::new((10_000, 1, 1), (0, 0, 0)), None);
    }
}
