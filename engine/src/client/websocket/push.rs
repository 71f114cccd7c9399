//! Messages that nobody asked for: what they are counted as, and how long they took where they say so.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::message::{Matcher, Outgoing, View};

/// Most ids of messages sent that are remembered; the oldest are forgotten first.
const SENT_IDS_MAX: usize = 10_000;

/// Which messages are pushes, and what they are counted as.
#[derive(Clone, Debug)]
pub struct Pushes {
    /// Those that are meant. Others wait to be received.
    pub matcher: Matcher,
    /// Their name; that of the options where there is none.
    pub name: Option<String>,
    /// What tells how long they took; without it their time is 0.
    pub latency: Latency,
}

impl Default for Pushes {
    /// Every message that no operation awaits.
    fn default() -> Self {
        Self { matcher: Matcher::Any, name: None, latency: Latency::Unknown }
    }
}

/// What tells how long a push took.
#[derive(Clone, Debug, Default)]
pub enum Latency {
    /// Nothing does.
    #[default]
    Unknown,
    /// The message says when it was made, where this JSON pointer leads: in seconds, milliseconds, microseconds or
    /// nanoseconds since the Unix epoch, told apart by their size, or as a date and time of RFC 3339. Clocks must agree.
    SentAt(String),
    /// The message names one that we sent: what `received` leads to in it is what `sent` led to in that.
    Correlation {
        /// Pointer into the message sent.
        sent: String,
        /// Pointer into the message received.
        received: String,
    },
}

/// When messages with an id were sent.
#[derive(Debug, Default)]
pub(super) struct SentIds {
    times_ns: HashMap<String, u64>,
    order: VecDeque<String>,
}

impl SentIds {
    /// Remembers a message, if it has an id.
    pub(super) fn note(&mut self, outgoing: &Outgoing<'_>, pointer: &str, now_ns: u64) {
        let Some(id) = outgoing.pointer(pointer).map(|value| text_of(&value)) else { return };
        if self.times_ns.insert(id.clone(), now_ns).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > SENT_IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.times_ns.remove(&oldest);
        }
    }

    fn find(&self, id: &Value) -> Option<u64> {
        self.times_ns.get(&text_of(id)).copied()
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Latency {
    /// How long ago the message was made when it arrived, in nanoseconds; `arrived_unix_s` is that moment on the wall
    /// clock. `None` where the message does not say, 0 where it claims to come from the future.
    pub(super) fn of(&self, view: &View<'_>, arrived_unix_s: f64, sent: &SentIds) -> Option<u64> {
        match self {
            Latency::Unknown => None,
            Latency::SentAt(pointer) => {
                let made_unix_s = unix_seconds(view.pointer(pointer)?)?;
                // From below zero a cast goes to 0.
                Some(((arrived_unix_s - made_unix_s) * 1e9) as u64)
            }
            Latency::Correlation { received, .. } => {
                let sent_ns = sent.find(view.pointer(received)?)?;
                Some(view.arrived_ns().saturating_sub(sent_ns))
            }
        }
    }
}

/// A moment in seconds since the Unix epoch.
fn unix_seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().map(scaled),
        Value::String(text) => match text.parse() {
            Ok(number) => Some(scaled(number)),
            Err(_) => rfc3339(text),
        },
        _ => None,
    }
}

/// A number since the epoch by its size: seconds stay below 10^11 until the year 5138.
fn scaled(number: f64) -> f64 {
    match number.abs() {
        size if size < 1e11 => number,
        size if size < 1e14 => number / 1e3,
        size if size < 1e17 => number / 1e6,
        _ => number / 1e9,
    }
}

/// A date and time of RFC 3339, 5.6, in seconds since the Unix epoch; a space may stand for the T.
fn rfc3339(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let shape = b"0000-00-00T00:00:00";
    let (front, mut rest) = bytes.split_at_checked(shape.len())?;
    let fits = |(&byte, &place): (&u8, &u8)| match place {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == place,
    };
    if !front.iter().zip(shape).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days_since_epoch(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut fraction = 0.0;
    if let Some(digits) = rest.strip_prefix(b".") {
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let at = shape.len();
        fraction = text.get(at..at + 1 + count)?.parse().ok()?;
        rest = &digits[count..];
    }
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds(rest)?;
    Some(seconds as f64 + fraction)
}

/// `Z`, or the offset that local time is ahead.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2];
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let [h1, h2, m1, m2] = digits.map(|digit| i64::from(digit - b'0'));
            let seconds = (h1 * 10 + h2) * 3_600 + (m1 * 10 + m2) * 60;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadr_protocols::websocket::MessageKind;
    use serde_json::json;

    #[test]
    fn a_moment_is_read_in_every_spelling() {
        let expected: f64 = 1_795_222_119.25;
        for value in [
            json!(1_795_222_119.25),
            json!(1_795_222_119_250_u64),
            json!(1_795_222_119_250_000_u64),
            json!(1_795_222_119_250_000_000_u64),
            json!("1795222119.25"),
            json!("2026-11-21T00:48:39.25Z"),
            json!("2026-11-21 00:48:39.250z"),
            json!("2026-11-21T06:18:39.25+05:30"),
            json!("2026-11-20T16:48:39.25-08:00"),
        ] {
            let found = unix_seconds(&value).unwrap();
            assert!((found - expected).abs() < 1e-6, "{value}: {found}");
        }
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(rfc3339("2000-02-29T00:00:00Z"), Some(951_782_400.0));
        for text in [
            "",
            "now",
            "2026-11-20",
            "2026-13-20T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T00:00:00",
            "2026-11-20T00:00:00+0530",
            "2026-11-20T00:00:00.Zé",
            "é026",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn a_latency_follows_from_the_message_or_from_what_was_sent() {
        let text = br#"{"t": 99.5, "re": 7, "n": null}"#;
        let view = View::new(MessageKind::Text, text, 5_000);
        let mut sent = SentIds::default();
        sent.note(&Outgoing::Text(r#"{"id": "7"}"#), "/id", 2_000);
        let at = |pointer: &str| Latency::SentAt(pointer.to_owned()).of(&view, 100.0, &sent);
        assert_eq!(at("/t"), Some(500_000_000));
        assert_eq!((at("/n"), at("/x")), (None, None));
        // A target whose clock is ahead.
        assert_eq!(Latency::SentAt("/t".to_owned()).of(&view, 99.0, &sent), Some(0));
        let by_id = Latency::Correlation { sent: "/id".to_owned(), received: "/re".to_owned() };
        assert_eq!(by_id.of(&view, 100.0, &sent), Some(3_000));
        assert_eq!(Latency::Unknown.of(&view, 100.0, &sent), None);
    }

    #[test]
    fn the_ids_remembered_are_bounded() {
        let mut sent = SentIds::default();
        for id in 0..SENT_IDS_MAX + 5 {
            let text = format!(r#"{{"id": {id}}}"#);
            sent.note(&Outgoing::Text(&text), "/id", id as u64);
        }
        assert_eq!((sent.times_ns.len(), sent.order.len()), (SENT_IDS_MAX, SENT_IDS_MAX));
        assert_eq!((sent.find(&json!(4)), sent.find(&json!(5))), (None, Some(5)));
    }
}
