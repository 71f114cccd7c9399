//! Whether a response is what was expected, and what is extracted of it.
//!
//! Pure: a response is whatever says these few things about itself, and the words for a failure are made only where
//! there is one. They hold what was expected and, cut short, what came, for they become entries in a report.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::condition::{Comparison, is_equal, number_of, text_of};
use super::expect::{Check, Expect, Extract, ExtractFrom, StatusSet, Subject, Test};
use super::template::{Unset, Values};
use super::value::ValueTemplate;

/// Characters of what came that a failure shows.
const SHOWN_MAX: usize = 60;

/// A response that has arrived.
pub trait Response {
    /// The status; what has none has succeeded.
    fn status(&self) -> u16 {
        200
    }
    /// The response time.
    fn time(&self) -> Duration;
    /// A header's value, by its name in lower case; only HTTP has any.
    fn header(&self, _name: &str) -> Option<&str> {
        None
    }
    /// The value of a cookie that this response or an earlier one set; only HTTP has any.
    fn cookie(&self, _name: &str) -> Option<String> {
        None
    }
    /// The body, decoded; empty if it was not read.
    fn body(&self) -> &str;
    /// The body as JSON, if it is that; asked for often, so parse it once.
    fn json(&self) -> Option<&Value>;
}

impl Expect {
    /// What is wrong with `response`, if anything is.
    pub fn failure(
        &self,
        response: &impl Response,
        values: &impl Values,
    ) -> Result<Option<String>, Unset> {
        let status = response.status();
        match &self.status {
            Some(set) if !set.contains(status) => {
                return Ok(Some(format!("status {status}: expected {}", listed(set))));
            }
            None if !(200..400).contains(&status) => return Ok(Some(format!("status {status}"))),
            _ => {}
        }
        if let Some(max) = self.time_max.filter(|&max| response.time() > max) {
            let millis = max.as_secs_f64() * 1_000.0;
            return Ok(Some(format!("response time: expected to be at most {millis} ms")));
        }
        for check in &self.checks {
            if !check.holds(response, values)? {
                return check.failure(response, values).map(Some);
            }
        }
        Ok(None)
    }

    /// What `response` shows of what this looks at first, in words.
    pub fn seen(&self, response: &impl Response) -> String {
        match self.checks.first() {
            Some(check) => check.seen(response),
            None => format!("status {}", response.status()),
        }
    }
}

/// The part of a response that a check looks at.
enum Found<'a> {
    Text(&'a str),
    Json(&'a Value),
}

impl Found<'_> {
    fn value(&self) -> Cow<'_, Value> {
        match self {
            Self::Text(text) => Cow::Owned(Value::from(*text)),
            Self::Json(value) => Cow::Borrowed(value),
        }
    }
}

impl Check {
    fn holds(&self, response: &impl Response, values: &impl Values) -> Result<bool, Unset> {
        let passes = self.test.passes(self.subject.of(response).as_ref(), values)?;
        Ok(passes != self.negated)
    }

    fn failure(&self, response: &impl Response, values: &impl Values) -> Result<String, Unset> {
        let not = if self.negated { "not " } else { "" };
        Ok(format!("{}: expected {not}{}", self.seen(response), self.test.words(values)?))
    }

    /// What the response has of what is looked at, in words.
    fn seen(&self, response: &impl Response) -> String {
        match (&self.subject, self.subject.of(response)) {
            (Subject::Body, _) => "body".to_owned(),
            (Subject::Json(pointer), _) if response.json().is_none() => {
                format!("the body is no JSON with {}", pointer.text())
            }
            (Subject::Json(pointer), None) => format!("no {} in the body", pointer.text()),
            (Subject::Json(pointer), Some(found)) if pointer.text().is_empty() => {
                format!("the body is {}", shortened(&found.value()))
            }
            (Subject::Header(name), None) => format!("no header {name}"),
            (Subject::Json(pointer), Some(found)) => {
                format!("{} is {}", pointer.text(), shortened(&found.value()))
            }
            (Subject::Header(name), Some(found)) => {
                format!("header {name} is {}", shortened(&found.value()))
            }
        }
    }
}

impl Subject {
    fn of<'a>(&self, response: &'a impl Response) -> Option<Found<'a>> {
        match self {
            Self::Body => Some(Found::Text(response.body())),
            Self::Json(pointer) => pointer.find(response.json()?).map(Found::Json),
            Self::Header(name) => response.header(name).map(Found::Text),
        }
    }
}

impl Test {
    fn passes(&self, found: Option<&Found<'_>>, values: &impl Values) -> Result<bool, Unset> {
        let Some(found) = found else { return Ok(matches!(self, Self::Exists(false))) };
        Ok(match self {
            Self::Exists(wanted) => *wanted,
            Self::OneOf(candidates) => {
                for candidate in candidates {
                    if equals(found, candidate, values)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Contains(part) => {
                let part = part.evaluate(values)?;
                match found {
                    Found::Text(text) => text.contains(&text_of(&part)),
                    Found::Json(value) => Comparison::Contains.holds(value, &part),
                }
            }
            Self::Matches(regex) => match found {
                Found::Text(text) => regex.is_match(text),
                Found::Json(value) => regex.is_match(&text_of(value)),
            },
            Self::Above(bound) => number_of(&found.value()).is_some_and(|number| number > *bound),
            Self::Below(bound) => number_of(&found.value()).is_some_and(|number| number < *bound),
        })
    }

    /// The test in words that follow "expected".
    fn words(&self, values: &impl Values) -> Result<String, Unset> {
        Ok(match self {
            Self::OneOf(candidates) => {
                let candidates = candidates
                    .iter()
                    .map(|candidate| Ok(shortened(&candidate.evaluate(values)?)))
                    .collect::<Result<Vec<_>, Unset>>()?;
                format!("to be {}", candidates.join(" or "))
            }
            Self::Exists(true) => "to be there".to_owned(),
            Self::Exists(false) => "to be missing".to_owned(),
            Self::Contains(part) => format!("to contain {}", shortened(&part.evaluate(values)?)),
            Self::Matches(regex) => format!("to match {}", regex.as_str()),
            Self::Above(bound) => format!("to be above {bound}"),
            Self::Below(bound) => format!("to be below {bound}"),
        })
    }
}

fn equals(
    found: &Found<'_>,
    candidate: &ValueTemplate,
    values: &impl Values,
) -> Result<bool, Unset> {
    Ok(match (found, candidate) {
        (Found::Text(text), ValueTemplate::Fixed(Value::String(fixed))) => text == fixed,
        (Found::Json(value), ValueTemplate::Fixed(fixed)) => is_equal(value, fixed),
        _ => is_equal(&found.value(), &*candidate.look(values)?),
    })
}

/// A value in JSON, cut short.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The statuses of a set, the hundreds of a class as `2xx`.
fn listed(set: &StatusSet) -> String {
    let ranges = set.ranges().iter().map(|&(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{}xx", first / 100),
    });
    ranges.collect::<Vec<_>>().join(" or ")
}

impl Extract {
    /// The variable's new value, the default where the response has none; `None` is a failure of the request.
    pub fn value(
        &self,
        response: &impl Response,
        values: &impl Values,
    ) -> Result<Option<Value>, Unset> {
        match (self.from.find(response), &self.default) {
            (None, Some(default)) => default.evaluate(values).map(Some),
            (found, _) => Ok(found),
        }
    }

    /// Why there is no value, in the words of a failure.
    pub fn failure(&self) -> String {
        match &self.from {
            ExtractFrom::Json(pointer) => {
                format!("nothing to extract: no {} in the body", pointer.text())
            }
            ExtractFrom::Regex(regex) => {
                format!("nothing to extract: the body does not match {}", regex.as_str())
            }
            ExtractFrom::Header(name) => format!("nothing to extract: no header {name}"),
            ExtractFrom::Cookie(name) => format!("nothing to extract: no cookie {name}"),
            ExtractFrom::Body | ExtractFrom::Status => "nothing to extract".to_owned(),
        }
    }
}

impl ExtractFrom {
    fn find(&self, response: &impl Response) -> Option<Value> {
        match self {
            Self::Json(pointer) => pointer.find(response.json()?).cloned(),
            Self::Regex(regex) => {
                let captures = regex.captures(response.body())?;
                let found = if captures.len() > 1 { captures.get(1) } else { captures.get(0) };
                found.map(|found| Value::from(found.as_str()))
            }
            Self::Header(name) => response.header(name).map(Value::from),
            Self::Cookie(name) => response.cookie(name).map(Value::from),
            Self::Body => Some(Value::from(response.body())),
            Self::Status => Some(Value::from(response.status())),
        }
    }
}
