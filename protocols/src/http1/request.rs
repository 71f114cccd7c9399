//! Requests, checked and encoded once, sent any number of times.
//!
//! All that can be wrong with a request is found by [`RequestBuilder::build`], before a run: what
//! it makes are bytes, and sending them is a copy. A request that would desynchronise its own
//! connection (a Content-Length that is not the body's, a transfer coding that nobody applies) is
//! refused here rather than counted later as the target's fault.

mod slotted;

pub use slotted::{Piece, SlotError, SlottedBuilder, SlottedTemplate};

use std::{fmt, str::FromStr};

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    framing::list,
    scan::{is_text, is_token},
};

/// What is wrong with a request as it was asked for: our caller's fault, not the target's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A method that is no token (RFC 9110, 9.1).
    #[error("{method:?} is not a method: it may have letters, digits and !#$%&'*+-.^_`|~ only")]
    Method {
        /// The method given.
        method: String,
    },
    /// A request target that is empty or has a space, a control or a non-ASCII character
    /// (RFC 9112, 3.2).
    #[error("{target:?} is not a request target: percent-encode spaces, controls and non-ASCII")]
    Target {
        /// The target given.
        target: String,
    },
    /// A header field name that is no token (RFC 9110, 5.1).
    #[error("{name:?} is not a header field name")]
    HeaderName {
        /// The name given.
        name: String,
    },
    /// A header field value with a control character, CR and LF above all (RFC 9110, 5.5).
    #[error("the value of header field {name} has the control character '{}'", .byte.escape_ascii())]
    HeaderValue {
        /// The field's name.
        name: String,
        /// The first such character.
        byte: u8,
    },
    /// No Host, which every HTTP/1.1 request has (RFC 9112, 3.2).
    #[error("the request has no Host header field")]
    HostMissing,
    /// A field that may be there only once, and is repeated.
    #[error("header field {name} is given more than once")]
    Repeated {
        /// The field's name.
        name: &'static str,
    },
    /// A Transfer-Encoding: bodies are sent as they are, with their length.
    #[error("Transfer-Encoding cannot be set: bodies are sent with a Content-Length")]
    TransferEncoding,
    /// A Content-Length that is not the length of the body, which would leave the target waiting
    /// or take the rest of the body for the next request.
    #[error("Content-Length {declared:?} does not match the body of {body_bytes} bytes")]
    ContentLength {
        /// The value given.
        declared: String,
        /// The length of the body.
        body_bytes: usize,
    },
    /// A Content-Length in a request with slots, whose length is known only once they are filled.
    #[error("Content-Length cannot be set: it is computed from the body")]
    ComputedLength,
    /// A body on TRACE (RFC 9110, 9.3.8).
    #[error("a TRACE request cannot have a body")]
    TraceBody,
}

/// A request method; case matters (RFC 9110, 9.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in RFC 9110, 9.3, and RFC 5789")]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Trace,
    Connect,
    /// Any other token.
    Other(Token),
}

/// A method name that has been checked to be a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(Box<str>);

impl Method {
    /// The method as it is sent.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Connect => "CONNECT",
            Method::Other(Token(name)) => name,
        }
    }

    /// RFC 9110, 8.6: a method that expects content says so even when it has none.
    fn expects_content(&self) -> bool {
        matches!(self, Method::Post | Method::Put | Method::Patch)
    }

    /// RFC 9110, 9.2.2: whether sending it twice has the effect of sending it once.
    pub fn is_idempotent(&self) -> bool {
        use Method::{Delete, Get, Head, Options, Put, Trace};
        matches!(self, Get | Head | Put | Delete | Options | Trace)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = RequestError;

    fn from_str(name: &str) -> Result<Self, RequestError> {
        Ok(match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "CONNECT" => Method::Connect,
            _ if is_token_all(name) => Method::Other(Token(name.into())),
            _ => return Err(RequestError::Method { method: name.to_owned() }),
        })
    }
}

/// What a decoder must know of a request to read its response (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// The response has no body, whatever it announces.
    Head,
    /// A successful response turns the connection into a tunnel.
    Connect,
    /// Everything else.
    Other,
}

impl From<&Method> for RequestKind {
    fn from(method: &Method) -> Self {
        match method {
            Method::Head => RequestKind::Head,
            Method::Connect => RequestKind::Connect,
            _ => RequestKind::Other,
        }
    }
}

/// A request being put together; nothing is checked before [`Self::build`].
#[derive(Clone, Debug)]
pub struct RequestBuilder {
    method: Method,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Bytes>,
    close: bool,
}

impl RequestBuilder {
    /// A request for `target`, which is sent as given: path and query, or `*` for OPTIONS, or an
    /// authority for CONNECT (RFC 9112, 3.2).
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: None, close: false }
    }

    /// Adds a header field behind those added before; whitespace around the value is dropped, since
    /// it is not part of it. Host is required and always sent first.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().trim_ascii().to_vec()));
        self
    }

    /// Sets the body; its Content-Length is added unless the caller gave one.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Asks the target to close after its response, by `Connection: close`.
    pub fn connection_close(mut self, close: bool) -> Self {
        self.close = close;
        self
    }

    /// Checks and encodes the request.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn build(self) -> Result<RequestTemplate, RequestError> {
        self.check_target()?;
        self.headers.iter().try_for_each(|(name, value)| check_field(name, value))?;
        self.check_framing()?;
        let closes = self
            .named("connection")
            .any(|value| list(value).any(|option| option.eq_ignore_ascii_case(b"close")));
        let bytes = self.encode(self.close && !closes);
        Ok(RequestTemplate {
            bytes,
            kind: RequestKind::from(&self.method),
            body_bytes: self.body_bytes(),
            closes: self.close || closes,
            method: self.method,
        })
    }

    fn named(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    fn body_bytes(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }

    fn check_target(&self) -> Result<(), RequestError> {
        if self.target.is_empty() || !self.target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RequestError::Target { target: self.target.clone() });
        }
        Ok(())
    }

    fn check_framing(&self) -> Result<(), RequestError> {
        match self.named("host").count() {
            0 => return Err(RequestError::HostMissing),
            1 => {}
            _ => return Err(RequestError::Repeated { name: "Host" }),
        }
        if self.named("transfer-encoding").next().is_some() {
            return Err(RequestError::TransferEncoding);
        }
        if self.method == Method::Trace && self.body.is_some() {
            return Err(RequestError::TraceBody);
        }
        self.check_length()
    }

    fn check_length(&self) -> Result<(), RequestError> {
        let mut lengths = self.named("content-length");
        let Some(declared) = lengths.next() else { return Ok(()) };
        if lengths.next().is_some() {
            return Err(RequestError::Repeated { name: "Content-Length" });
        }
        let body_bytes = self.body_bytes();
        if declared != body_bytes.to_string().as_bytes() {
            let declared = String::from_utf8_lossy(declared).into_owned();
            return Err(RequestError::ContentLength { declared, body_bytes });
        }
        Ok(())
    }

    /// RFC 9110, 7.2: "a user agent SHOULD send Host as the first field".
    fn encode(&self, add_close: bool) -> Bytes {
        let mut out = BytesMut::new();
        put_all(&mut out, &[self.method.as_str(), " ", &self.target, " HTTP/1.1\r\n"]);
        let is_host = |name: &str| name.eq_ignore_ascii_case("host");
        let (host, others) = self.headers.iter().partition::<Vec<_>, _>(|(name, _)| is_host(name));
        for (name, value) in host.into_iter().chain(others) {
            put_all(&mut out, &[name, ": "]);
            out.put_slice(value);
            out.put_slice(b"\r\n");
        }
        if add_close {
            out.put_slice(b"Connection: close\r\n");
        }
        let says_length = self.body.is_some() || self.method.expects_content();
        if says_length && self.named("content-length").next().is_none() {
            put_all(&mut out, &["Content-Length: ", &self.body_bytes().to_string(), "\r\n"]);
        }
        out.put_slice(b"\r\n");
        out.put_slice(self.body.as_deref().unwrap_or_default());
        out.freeze()
    }
}

/// Checks a header field by itself: a name that is a token, a value without control characters.
///
/// # Errors
/// Which of the two is wrong.
pub fn check_field(name: &str, value: &[u8]) -> Result<(), RequestError> {
    if !is_token_all(name) {
        return Err(RequestError::HeaderName { name: name.to_owned() });
    }
    match value.iter().find(|&&byte| !is_text(byte)) {
        Some(&byte) => Err(RequestError::HeaderValue { name: name.to_owned(), byte }),
        None => Ok(()),
    }
}

/// Whether `text` is a token (RFC 9110, 5.6.2).
pub(crate) fn is_token_all(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

fn put_all(out: &mut BytesMut, pieces: &[&str]) {
    pieces.iter().for_each(|piece| out.put_slice(piece.as_bytes()));
}

/// An encoded request, with what the decoder and the engine must know of it. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    bytes: Bytes,
    method: Method,
    kind: RequestKind,
    body_bytes: usize,
    closes: bool,
}

impl RequestTemplate {
    /// Head and body, as they are sent.
    #[inline]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// `count` copies back to back, to be sent at once when pipelining.
    pub fn repeated(&self, count: usize) -> Bytes {
        match count {
            1 => self.bytes.clone(),
            _ => self.bytes.repeat(count).into(),
        }
    }

    /// What to tell [`ResponseDecoder::expect`](super::ResponseDecoder::expect).
    #[inline]
    pub fn kind(&self) -> RequestKind {
        self.kind
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Bytes of the body.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Whether the request says `Connection: close`: nothing may be sent after it
    /// (RFC 9112, 9.6), even when the response would keep the connection.
    #[inline]
    pub fn closes(&self) -> bool {
        self.closes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> RequestBuilder {
        RequestBuilder::new(Method::Get, target).header("Host", "example.com")
    }

    fn text(builder: RequestBuilder) -> String {
        String::from_utf8(builder.build().unwrap().bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_get_is_a_line_and_its_fields_with_host_first() {
        let builder = RequestBuilder::new(Method::Get, "/a?b=c")
            .header("Accept", " */* ")
            .header("host", "[::1]:80");
        assert_eq!(text(builder), "GET /a?b=c HTTP/1.1\r\nhost: [::1]:80\r\nAccept: */*\r\n\r\n");
    }

    #[test]
    fn content_length_is_added_once_and_where_the_method_expects_it() {
        let post = || RequestBuilder::new(Method::Post, "/").header("Host", "h");
        let start = "POST / HTTP/1.1\r\nHost: h\r\n";
        assert_eq!(text(post()), format!("{start}Content-Length: 0\r\n\r\n"));
        assert_eq!(text(post().body("four")), format!("{start}Content-Length: 4\r\n\r\nfour"));
        let given = post().header("content-length", "4").body("four");
        assert_eq!(text(given), format!("{start}content-length: 4\r\n\r\nfour"));
        assert!(!text(get("/")).contains("Content-Length"));
    }

    #[test]
    fn close_is_said_once() {
        let close = "Connection: close\r\n";
        assert!(text(get("/").connection_close(true)).ends_with(&format!("{close}\r\n")));
        let given = get("/").header("Connection", "x, Close").connection_close(true);
        assert_eq!(text(given.clone()).matches("onnection").count(), 1);
        assert!(given.build().unwrap().closes());
        assert!(!get("/").build().unwrap().closes());
    }

    #[test]
    fn methods_are_tokens_and_know_their_response() {
        for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
        {
            let method: Method = name.parse().unwrap();
            assert!(!matches!(method, Method::Other(_)));
            assert_eq!(method.to_string(), name);
        }
        assert_eq!("PURGE".parse::<Method>().unwrap().as_str(), "PURGE");
        assert_ne!("get".parse::<Method>().unwrap(), Method::Get);
        for name in ["", "GE T", "GET\r\n", "G:"] {
            assert!(matches!(name.parse::<Method>(), Err(RequestError::Method { .. })), "{name:?}");
        }
        let kind = |method| RequestKind::from(&method);
        assert_eq!(kind(Method::Head), RequestKind::Head);
        assert_eq!(kind(Method::Connect), RequestKind::Connect);
        assert_eq!(kind(Method::Options), RequestKind::Other);
    }

    #[test]
    fn nothing_that_breaks_out_of_its_place_is_encoded() {
        for target in ["", "/a b", "/a\r\nX: y", "/a\0", "/caf\u{e9}", "/a\t", "/\x7f"] {
            let refused = get(target).build().unwrap_err();
            assert_eq!(refused, RequestError::Target { target: target.to_owned() });
        }
        for name in ["", "A B", "A:", "A\r\n", "\u{e9}"] {
            let refused = get("/").header(name, "x").build().unwrap_err();
            assert_eq!(refused, RequestError::HeaderName { name: name.to_owned() });
        }
        for byte in [b'\r', b'\n', 0, 0x7f, 0x1b] {
            let refused = get("/").header("A", [b'x', byte, b'y']).build().unwrap_err();
            assert_eq!(refused, RequestError::HeaderValue { name: "A".to_owned(), byte });
        }
        assert!(get("/").header("A", b"caf\xe9\tx").build().is_ok());
    }

    #[test]
    fn framing_that_contradicts_itself_is_refused() {
        let hostless = RequestBuilder::new(Method::Get, "/");
        assert_eq!(hostless.build().unwrap_err(), RequestError::HostMissing);
        let twice = get("/").header("HOST", "b");
        assert_eq!(twice.build().unwrap_err(), RequestError::Repeated { name: "Host" });
        let coded = get("/").header("transfer-encoding", "chunked");
        assert_eq!(coded.build().unwrap_err(), RequestError::TransferEncoding);
        let wrong = get("/").header("Content-Length", "3").body("four");
        let error = RequestError::ContentLength { declared: "3".to_owned(), body_bytes: 4 };
        assert_eq!(wrong.build().unwrap_err(), error);
        let twice = get("/").header("Content-Length", "0").header("Content-Length", "0");
        assert_eq!(twice.build().unwrap_err(), RequestError::Repeated { name: "Content-Length" });
        let trace = RequestBuilder::new(Method::Trace, "/").header("Host", "h").body("x");
        assert_eq!(trace.build().unwrap_err(), RequestError::TraceBody);
    }

    #[test]
    fn repetition_is_back_to_back() {
        let template = get("/").build().unwrap();
        assert_eq!(template.repeated(3), template.bytes().repeat(3));
        assert_eq!(template.repeated(1), template.bytes());
        assert!(template.repeated(0).is_empty());
    }
}
