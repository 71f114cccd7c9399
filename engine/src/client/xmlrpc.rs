//! XML-RPC over the HTTP client of tasks: calls that are sampled once, as what they are.
//!
//! An [`XmlRpcClient`] makes a call with one line. What is the protocol's own in it stands in [`parts`], [`read`] and
//! [`judge`], for those who lay their calls out before the run.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use loadr_protocols::http1::{Headers, Method, Piece};
use loadr_protocols::xmlrpc::{
    Fault, IntoParams, Limits, Reply, Value, check_response, decode_response, encode_call,
};

use super::session::{Call, Checked, PreparedParts, Reads, Session, Verdict};
use crate::outcome::{Failure, FailureKind};

/// What calls are counted as unless they say otherwise.
pub const SAMPLE_TYPE: &str = "xmlrpc";
/// "The Content-Type is text/xml."
pub const CONTENT_TYPE: &str = "text/xml";
/// "Unless there's a lower-level error, always return 200 OK."
pub const STATUS: u16 = 200;

/// A call that brought no value. It has been counted as a failure already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server says that it failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There was no response, or none that XML-RPC knows; or the call cannot be sent.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A user's client of one server; clones are handles to the same session.
#[derive(Clone, Debug)]
pub struct XmlRpcClient {
    session: Session,
    url: Rc<str>,
}

impl XmlRpcClient {
    /// A client of the server that the session's host is, by the host's own path.
    pub fn new(session: Session) -> Self {
        Self::at(session, "")
    }

    /// A client of the server at `url`: a path behind the host's, or a whole URL.
    pub fn at(session: Session, url: &str) -> Self {
        Self { session, url: url.into() }
    }

    /// Calls `method`, and gives the value that it brings.
    ///
    /// # Errors
    /// There is none; that has been counted as a failed call.
    pub async fn call(&self, method: &str, params: impl IntoParams) -> Result<Value, CallError> {
        self.request(method, params).send().await
    }

    /// A call of `method` that can still be given a name, a time-out or header fields.
    pub fn request<'c>(&self, method: &str, params: impl IntoParams) -> XmlRpcRequest<'c> {
        let call = self.session.post(&*self.url).name(method).sample_type(SAMPLE_TYPE);
        let call = call.expect_status(STATUS).follow_redirects(false);
        let mut body = Vec::new();
        let call = match encode_call(method, &params.into_params(), &mut body) {
            Ok(()) => call.header("Content-Type", CONTENT_TYPE).body(body),
            Err(error) => call.fault(&error),
        };
        XmlRpcRequest { call }
    }

    /// The session beneath: its cookies, header fields and credentials are those of the calls.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// A call being put together, sent by [`Self::send`].
#[derive(Debug)]
#[must_use = "a call does nothing until it is sent"]
pub struct XmlRpcRequest<'c> {
    call: Call<'c>,
}

impl<'c> XmlRpcRequest<'c> {
    /// The name that the call is counted under, instead of its method's.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { call: self.call.name(name) }
    }

    /// What the call is counted as, instead of `xmlrpc`.
    pub fn sample_type(self, sample_type: impl Into<String>) -> Self {
        Self { call: self.call.sample_type(sample_type.into()) }
    }

    /// Time to the last byte of the response.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { call: self.call.timeout(timeout) }
    }

    /// Adds a header field.
    pub fn header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        Self { call: self.call.header(name, value) }
    }

    /// Sends the call, records the sample and gives the value.
    ///
    /// # Errors
    /// There is none; that has been counted as a failed call.
    pub async fn send(self) -> Result<Value, CallError> {
        self.send_as(decode_response).await
    }

    /// As [`Self::send`], for a value that nobody reads: it is checked as strictly, and not built.
    ///
    /// # Errors
    /// As those of [`Self::send`].
    pub async fn send_unread(self) -> Result<(), CallError> {
        self.send_as(check_response).await
    }

    async fn send_as<T>(self, decode: Decode<T>) -> Result<T, CallError> {
        let reply = Cell::new(None);
        let check = |checked: &mut Checked<'_>| {
            if checked.status() != STATUS || checked.body_error().is_some() {
                return;
            }
            match read_as(decode, checked.headers(), checked.body()) {
                Ok(read) => {
                    if let Err(fault) = &read {
                        checked.settle(of_fault(fault));
                    }
                    reply.set(Some(read));
                }
                Err(failure) => checked.settle(of_failure(failure)),
            }
        };
        let response = self.call.check(check).send().await;
        match (reply.into_inner(), response.failure()) {
            (Some(reply), _) => Ok(reply?),
            (None, Some(failure)) => Err(failure.clone().into()),
            (None, None) => unreachable!("without a reply the call is a failure"),
        }
    }
}

type Decode<T> = fn(&[u8], &Limits) -> Result<Reply<T>, loadr_protocols::xmlrpc::DecodeError>;

/// A call laid out before the run: `target` behind the host's path, `body` an encoded call, which may have slots.
pub fn parts(target: Vec<Piece>, name: &str, body: Vec<Piece>) -> PreparedParts {
    PreparedParts {
        headers: vec![("Content-Type".to_owned(), vec![Piece::text(CONTENT_TYPE)])],
        body: Some(body),
        name: Some(name.to_owned()),
        sample_type: Some(SAMPLE_TYPE.to_owned()),
        status_rule: STATUS.into(),
        reads: Reads { head: true, body: true },
        follow_redirects: false,
        ..PreparedParts::new(Method::Post, target)
    }
}

/// The value or the fault that a response with status 200 brings.
///
/// # Errors
/// It is no response of XML-RPC; the text says what is wrong with it.
pub fn read(headers: Headers<'_>, body: &[u8]) -> Result<Reply, Failure> {
    read_as(decode_response, headers, body)
}

/// As [`read`], for a value that nobody reads: it is checked as strictly, and not built.
///
/// # Errors
/// As those of [`read`].
pub fn check(headers: Headers<'_>, body: &[u8]) -> Result<Reply<()>, Failure> {
    read_as(check_response, headers, body)
}

/// What a response counts as whose value nobody reads.
pub fn judge(status: u16, headers: Headers<'_>, body: &[u8]) -> Verdict {
    if status != STATUS {
        // The status says it.
        return Verdict::Undecided;
    }
    match check(headers, body) {
        Ok(Ok(())) => Verdict::Undecided,
        Ok(Err(fault)) => of_fault(&fault),
        Err(failure) => of_failure(failure),
    }
}

/// The failure that a fault is, unless it was asked for.
pub fn of_fault(fault: &Fault) -> Verdict {
    Verdict::FailureOf(FailureKind::Status, fault.to_string().into())
}

/// The verdict that a failure to read a response is.
pub fn of_failure(failure: Failure) -> Verdict {
    Verdict::FailureOf(failure.kind, failure.message)
}

fn read_as<T>(
    decode: Decode<T>,
    mut headers: Headers<'_>,
    body: &[u8],
) -> Result<Reply<T>, Failure> {
    let field = headers.find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    if let Some((_, value)) = field.filter(|(_, value)| !is_xml(value)) {
        let found = String::from_utf8_lossy(value);
        let message = format!("content type {found:?} instead of {CONTENT_TYPE}");
        return Err(Failure::new(FailureKind::Protocol, message));
    }
    decode(body, &Limits::default()).map_err(|error| {
        Failure::new(FailureKind::Protocol, format!("malformed XML-RPC response: {error}"))
    })
}

/// Whether a content type is XML's, whatever parameters it has. None at all is let be, and the body decides.
fn is_xml(value: &[u8]) -> bool {
    let media_type = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |known: &str| media_type.eq_ignore_ascii_case(known.as_bytes());
    is(CONTENT_TYPE) || is("application/xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &str, body: &[u8]) -> Verdict {
        let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        judge(200, Headers::of_head(head.as_bytes()), body)
    }

    const GOOD: &[u8] =
        b"<methodResponse><params><param><value/></param></params></methodResponse>";

    #[test]
    fn the_content_type_is_xmls_or_missing() {
        for lines in ["", "Content-Type: text/xml\r\n", "content-type: Application/XML; q\r\n"] {
            assert_eq!(judged(lines, GOOD), Verdict::Undecided, "{lines}");
        }
        let message = "content type \"text/html\" instead of text/xml";
        let expected = Verdict::FailureOf(FailureKind::Protocol, message.into());
        assert_eq!(judged("Content-Type: text/html\r\n", GOOD), expected);
    }

    #[test]
    fn what_is_wrong_is_said_and_the_status_goes_before_it() {
        let message = "malformed XML-RPC response: an empty body instead of XML, at byte 0";
        let expected = Verdict::FailureOf(FailureKind::Protocol, message.into());
        assert_eq!(judged("", b""), expected);
        assert_eq!(
            judge(500, Headers::of_head(b"HTTP/1.1 500 X\r\n\r\n"), b""),
            Verdict::Undecided
        );
    }
}
