//! The line protocol of drivers, version 1: one JSON object a line, both ways.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::report::units::printable;

/// The version, as drivers are told it in `LOADR_BENCH_DRIVER`.
pub(super) const VERSION: &str = "1";
/// Longest line that a driver may print, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;
/// Characters of a line that a failure shows.
const SHOWN_MAX: usize = 60;

/// The line of a call; `params` is JSON already.
pub(super) fn request(id: u64, call: &str, params: &str, user: u64) -> String {
    let call = Value::from(call);
    format!("{{\"id\":{id},\"call\":{call},\"params\":{params},\"user\":{user}}}\n")
}

/// What a driver has said.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It has started.
    Ready,
    /// The answer to the call of this number.
    Answer(u64, Answer),
}

/// What became of a call.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// The result, or why there is none.
    pub(super) outcome: Result<Value, String>,
    /// How long it took, where the driver has measured that.
    pub(super) took: Option<Duration>,
    /// Bytes of what came: as the driver says, else those of its line.
    pub(super) bytes: u64,
    /// What else it has measured.
    pub(super) samples: Vec<Sample>,
}

/// Something that a driver has measured besides the call as a whole.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) took: Duration,
    pub(super) bytes: u64,
    pub(super) error: Option<String>,
}

/// What is wrong with a driver's output; it follows the words "the driver".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("printed what is no JSON: {0}")]
    NoJson(String),
    #[error("printed JSON that is no answer ({cause}): {shown}")]
    NoAnswer { cause: String, shown: String },
    #[error("printed a line of more than {} MiB", LINE_BYTES_MAX >> 20)]
    LongLine,
    #[error("answered a call that nobody waits for")]
    UnknownId,
}

/// An answer as it is written. Keys that are not known are left alone: a later version may have more.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    ready: bool,
    id: Option<u64>,
    /// `null` is a result, too.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<String>,
    ms: Option<f64>,
    bytes: Option<u64>,
    #[serde(default)]
    samples: Vec<WrittenSample>,
}

#[derive(Deserialize)]
struct WrittenSample {
    r#type: String,
    name: String,
    ms: f64,
    #[serde(default)]
    bytes: u64,
    error: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Reads a line, its end left out.
pub(super) fn parse(line: &[u8]) -> Result<Said, Fault> {
    let written: Written = serde_json::from_slice(line).map_err(|error| {
        if !error.is_data() {
            return Fault::NoJson(shown(line));
        }
        // Where in the line it is differs from answer to answer.
        let text = error.to_string();
        let cause = text.split(" at line ").next().unwrap_or_default().to_owned();
        Fault::NoAnswer { cause, shown: shown(line) }
    })?;
    let no_answer = |cause: &str| Fault::NoAnswer { cause: cause.to_owned(), shown: shown(line) };
    if written.ready && written.id.is_none() {
        return Ok(Said::Ready);
    }
    let id = written.id.ok_or_else(|| no_answer("there is no id"))?;
    let outcome = match (written.result, written.error) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => Err(error),
        (None, None) => return Err(no_answer("neither result nor error")),
        (Some(_), Some(_)) => return Err(no_answer("both result and error")),
    };
    let took = |ms: f64| {
        let took = Duration::try_from_secs_f64(ms / 1_000.0);
        took.map_err(|_| no_answer("ms is no time"))
    };
    let samples = written.samples.into_iter().map(|sample| {
        Ok(Sample {
            kind: sample.r#type,
            name: sample.name,
            took: took(sample.ms)?,
            bytes: sample.bytes,
            error: sample.error,
        })
    });
    let answer = Answer {
        outcome,
        took: written.ms.map(took).transpose()?,
        bytes: written.bytes.unwrap_or(line.len() as u64),
        samples: samples.collect::<Result<_, Fault>>()?,
    };
    Ok(Said::Answer(id, answer))
}

/// The beginning of a line, fit for a report.
fn shown(line: &[u8]) -> String {
    // A character has four bytes at most.
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * SHOWN_MAX)]);
    let text = printable(&text);
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Puts lines together from the pieces in which they come.
#[derive(Default)]
pub(super) struct Lines {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl Lines {
    /// Takes a piece of output, and gives each line that it completes to `each`.
    pub(super) fn take(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while let Some(end) = piece.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&piece[..end], &piece[end + 1..]);
            if self.begun.len() + line.len() > LINE_BYTES_MAX {
                return Err(Fault::LongLine);
            }
            if self.begun.is_empty() {
                each(line)?;
            } else {
                self.begun.extend_from_slice(line);
                each(&self.begun)?;
                // What one long line took is not kept for all that follow.
                self.begun = Vec::new();
            }
            piece = rest;
        }
        if self.begun.len() + piece.len() > LINE_BYTES_MAX {
            return Err(Fault::LongLine);
        }
        self.begun.extend_from_slice(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(line: &str) -> Answer {
        match parse(line.as_bytes()) {
            Ok(Said::Answer(7, answer)) => answer,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_call_is_one_line() {
        let line = request(7, "say \"hi\"\n", "[1,\"a\"]", 3);
        assert_eq!(line.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, json!({"id": 7, "call": "say \"hi\"\n", "params": [1, "a"], "user": 3}));
    }

    #[test]
    fn answers_say_what_they_like() {
        assert_eq!(parse(b"{\"ready\": true}"), Ok(Said::Ready));
        let plain = answer("{\"id\": 7, \"result\": null, \"later\": 1}\r");
        assert_eq!((plain.outcome, plain.took, plain.bytes), (Ok(Value::Null), None, 38));
        let failed = answer(r#"{"id": 7, "error": "no"}"#);
        assert_eq!(failed.outcome, Err("no".to_owned()));
        let measured = answer(
            r#"{"id": 7, "result": [1], "ms": 1.5, "bytes": 9,
                "samples": [{"type": "RPC", "name": "a", "ms": 2, "error": "late"}]}"#,
        );
        assert_eq!((measured.took, measured.bytes), (Some(Duration::from_micros(1_500)), 9));
        let sample = Sample {
            kind: "RPC".into(),
            name: "a".into(),
            took: Duration::from_millis(2),
            bytes: 0,
            error: Some("late".into()),
        };
        assert_eq!(measured.samples, [sample]);
    }

    #[test]
    fn what_is_no_answer_is_shown() {
        let cases = [
            ("hello\u{1b}[2J", "printed what is no JSON: hello\\u{1b}[2J"),
            ("", "printed what is no JSON: "),
            ("{\"id\": 7", "printed what is no JSON: {\"id\": 7"),
            (
                "{\"id\": 7}",
                "printed JSON that is no answer (neither result nor error): {\"id\": 7}",
            ),
            ("{\"result\": 1}", "printed JSON that is no answer (there is no id): {\"result\": 1}"),
            (
                "{\"id\":7,\"result\":1,\"error\":\"\"}",
                "printed JSON that is no answer (both result and error): {\"id\":7,\"result\":1,\"error\":\"\"}",
            ),
            (
                "{\"id\":7,\"result\":1,\"ms\":-1}",
                "printed JSON that is no answer (ms is no time): {\"id\":7,\"result\":1,\"ms\":-1}",
            ),
            (
                "{\"id\": \"7\"}",
                "printed JSON that is no answer (invalid type: string \"7\", expected u64): {\"id\": \"7\"}",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line.as_bytes()).unwrap_err().to_string(), expected);
        }
        let long = parse("x".repeat(1_000).as_bytes()).unwrap_err().to_string();
        assert_eq!(long, format!("printed what is no JSON: {}…", "x".repeat(SHOWN_MAX)));
    }

    #[test]
    fn a_line_has_an_end() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..16 {
            assert_eq!(lines.take(&piece, |_| panic!("no line has ended")), Ok(()));
        }
        assert_eq!(lines.take(b"x", |_| Ok(())), Err(Fault::LongLine));
        let mut lines = Lines::default();
        let whole = [vec![b'x'; LINE_BYTES_MAX + 1], vec![b'\n']].concat();
        assert_eq!(lines.take(&whole, |_| Ok(())), Err(Fault::LongLine));
    }

    proptest! {
        #[test]
        fn lines_come_together_however_they_come(
            lines in prop::collection::vec("[a-z]{0,9}", 0..9),
            sizes in prop::collection::vec(1_usize..7, 1..9),
        ) {
            let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut rest = whole.as_bytes();
            let (mut reader, mut heard) = (Lines::default(), Vec::new());
            for size in sizes.iter().cycle() {
                let (piece, more) = rest.split_at((*size).min(rest.len()));
                reader.take(piece, |line| {
                    heard.push(String::from_utf8_lossy(line).into_owned());
                    Ok(())
                }).unwrap();
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(heard, lines);
        }
    }
}
