//! What came back of a call, read as far as somebody asks.
//!
//! The body is decompressed, taken for text or for JSON when it is first read as such, and once. Reading never fails the
//! call after the fact: what cannot be read gives nothing, or an error as a value.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use loadr_protocols::http1::Headers;
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::content;
use crate::outcome::Failure;

/// A body that cannot be read as what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Its content coding is broken, or it is too large once decoded.
    #[error("{0}")]
    Content(Failure),
    /// Not the JSON that was expected.
    #[error("the body is not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The response to a call, or what there is in its place.
pub struct Response {
    pub(super) status: u16,
    pub(super) head: Vec<u8>,
    pub(super) raw_body: Bytes,
    pub(super) decoded_bytes_max: usize,
    pub(super) url: String,
    pub(super) elapsed: Duration,
    pub(super) error: Option<Failure>,
    pub(super) failure: Option<Failure>,
    pub(super) read: Read,
}

/// What has been made of the body so far.
#[derive(Default)]
pub(super) struct Read {
    decoded: OnceCell<Result<Bytes, Failure>>,
    text: OnceCell<String>,
    json: OnceCell<Option<Value>>,
}

impl Response {
    /// The status code; 0 where there was no response.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether there was a response and its status is below 400.
    pub fn ok(&self) -> bool {
        (200..400).contains(&self.status)
    }

    /// Why there was no response, if there was none.
    pub fn error(&self) -> Option<&Failure> {
        self.error.as_ref()
    }

    /// What the call was recorded as failed with, if it was: there was no response, or the status or a check failed it.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The first value of the header field `name`, in any case; what is not UTF-8 in it is replaced.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let wanted = name.as_bytes();
        let mut fields = self.headers();
        let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        Some(String::from_utf8_lossy(found.1))
    }

    /// The header fields, in the order received.
    pub fn headers(&self) -> Headers<'_> {
        Headers::of_head(&self.head)
    }

    /// The body, decompressed at the first call; empty where that fails, see [`Self::body_error`].
    pub fn body(&self) -> &Bytes {
        static EMPTY: Bytes = Bytes::new();
        self.decoded().unwrap_or(&EMPTY)
    }

    /// Why the body cannot be read, if it cannot.
    pub fn body_error(&self) -> Option<&Failure> {
        self.decoded().err()
    }

    fn decoded(&self) -> Result<&Bytes, &Failure> {
        let decode = || {
            let decoded = content::decode(&self.head, &self.raw_body, self.decoded_bytes_max)?;
            Ok(match decoded {
                Cow::Borrowed(_) => self.raw_body.clone(),
                Cow::Owned(decoded) => decoded.into(),
            })
        };
        self.read.decoded.get_or_init(decode).as_ref()
    }

    /// The failure that reading the body ran into, if it was read.
    pub(super) fn body_failure(&self) -> Option<&Failure> {
        self.read.decoded.get().and_then(|decoded| decoded.as_ref().err())
    }

    /// The body as text; what is not UTF-8 in it is replaced.
    pub fn text(&self) -> &str {
        match std::str::from_utf8(self.body()) {
            Ok(text) => text,
            Err(_) => {
                self.read.text.get_or_init(|| String::from_utf8_lossy(self.body()).into_owned())
            }
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It cannot be read, or is not what `T` takes.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, BodyError> {
        let body = self.decoded().map_err(|failure| BodyError::Content(failure.clone()))?;
        Ok(serde_json::from_slice(body)?)
    }

    /// The value in a JSON body that `pointer` leads to, such as `/items/0/id` (RFC 6901).
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        let value = self.read.json.get_or_init(|| serde_json::from_slice(self.body()).ok());
        value.as_ref()?.pointer(pointer)
    }

    /// The first match of `regex` in the body: its first group, or all of it where it has none.
    pub fn extract(&self, regex: &Regex) -> Option<&str> {
        first_match(regex, self.text())
    }

    /// The first match of `regex` in the header field `name`, as [`Self::extract`].
    pub fn extract_header(&self, name: &str, regex: &Regex) -> Option<String> {
        first_match(regex, &self.header(name)?).map(str::to_owned)
    }

    /// Time from the call's start to the last byte of its response, redirects included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The URL that answered, after redirects.
    pub fn url(&self) -> &str {
        &self.url
    }
}

pub(super) fn first_match<'t>(regex: &Regex, text: &'t str) -> Option<&'t str> {
    let captures = regex.captures(text)?;
    captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str())
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &self.url)
            .field("body_bytes", &self.raw_body.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(fields: &str, body: &'static [u8]) -> Response {
        Response {
            status: 200,
            head: format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes(),
            raw_body: Bytes::from_static(body),
            decoded_bytes_max: 1_000,
            url: String::new(),
            elapsed: Duration::ZERO,
            error: None,
            failure: None,
            read: Read::default(),
        }
    }

    #[test]
    fn json_is_read_whole_or_by_pointer() {
        let response = response("", br#"{"items":[{"id":7}]}"#);
        assert_eq!(response.pointer("/items/0/id"), Some(&Value::from(7)));
        assert_eq!(response.pointer("/items/1"), None);
        assert_eq!(response.json::<Value>().unwrap()["items"][0]["id"], 7);
        assert!(matches!(response.json::<Vec<u8>>(), Err(BodyError::Json(_))));
    }

    #[test]
    fn extraction_gives_the_group_or_the_match() {
        let response = response("Set-Cookie: csrf=abc; Path=/\r\n", b"token=xyz; \xff");
        let regex = |text: &str| Regex::new(text).unwrap();
        assert_eq!(response.extract(&regex(r"token=(\w+)")), Some("xyz"));
        assert_eq!(response.extract(&regex(r"token=\w+")), Some("token=xyz"));
        assert_eq!(response.extract(&regex("absent")), None);
        let found = response.extract_header("set-cookie", &regex("csrf=([a-z]+)"));
        assert_eq!(found.as_deref(), Some("abc"));
        assert_eq!(response.header("SET-COOKIE").as_deref(), Some("csrf=abc; Path=/"));
        assert!(response.text().ends_with('\u{fffd}'));
    }

    #[test]
    fn a_broken_body_is_empty_and_says_why() {
        let response = response("Content-Encoding: gzip\r\n", b"nonsense");
        assert!(response.body_failure().is_none(), "nobody has read it");
        assert!(response.body().is_empty() && response.text().is_empty());
        assert_eq!(response.body_error().unwrap().message, "broken gzip body");
        assert!(matches!(response.json::<Value>(), Err(BodyError::Content(_))));
    }
}
