//! Request heads: from bytes to a decision.
//!
//! `httparse` reads the syntax; what a head means for the connection (framing of the body,
//! keep-alive) is decided here. The target is strict where leniency would hide a fault of the
//! generator under test: a bare LF, a missing Host, both length headers and the like are refused.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use crate::route::Route;

/// The longest request head taken, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most header fields taken.
const HEADERS_MAX: usize = 96;

/// A request that is not served: the status to answer before closing, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }

    const HEAD_TOO_LARGE: Self =
        Self { status: 431, reason: "a request head may have 16384 bytes and 96 fields" };
}

/// How the end of a request body is found (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    None,
    /// So many bytes, at least one.
    Length(u64),
    Chunked,
}

/// A request method, as far as routes tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl Method {
    /// Every method, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
        Self::Other,
    ];

    fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|method| method.as_str() == name).unwrap_or(Self::Other)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }
}

/// All that answering a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) route: Route,
    pub(crate) method: Method,
    /// The client speaks HTTP/1.0: it knows neither chunks nor interim answers.
    pub(crate) http_1_0: bool,
    pub(crate) keep_alive: bool,
    pub(crate) body: BodyFraming,
    pub(crate) expects_continue: bool,
}

impl Request {
    /// The method is HEAD: the answer has no body.
    pub(crate) fn head_only(&self) -> bool {
        self.method == Method::Head
    }
}

/// What a request brought along, as far as its answer depends on it.
#[derive(Debug, Default)]
pub(crate) struct Payload<'a> {
    /// The request head, as it came.
    pub(crate) head: Cow<'a, [u8]>,
    pub(crate) body: Cow<'a, [u8]>,
}

/// Reads the request head that `input` begins with: the request and the bytes of its head, or
/// `None` while the head is not complete.
pub(crate) fn parse(input: &[u8]) -> Result<Option<(Request, usize)>, Refusal> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    match head.parse_with_uninit_headers(input, &mut headers).map_err(refusal)? {
        httparse::Status::Partial if input.len() > HEAD_BYTES_MAX => Err(Refusal::HEAD_TOO_LARGE),
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(len) if len > HEAD_BYTES_MAX => Err(Refusal::HEAD_TOO_LARGE),
        httparse::Status::Complete(len) => {
            refuse_bare_lf(&input[..len])?;
            decide(&head).map(|request| Some((request, len)))
        }
    }
}

fn refusal(error: httparse::Error) -> Refusal {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => Refusal::HEAD_TOO_LARGE,
        Error::Version => Refusal { status: 505, reason: "only HTTP/1.0 and HTTP/1.1 are served" },
        Error::HeaderName => Refusal::bad("invalid header name"),
        Error::HeaderValue => Refusal::bad("invalid header value"),
        Error::NewLine => Refusal::bad("CR without LF"),
        Error::Token => Refusal::bad("invalid method or target"),
        _ => Refusal::bad("malformed request head"),
    }
}

/// `httparse` takes a bare LF for a line end, as RFC 9112, 2.2 allows; a generator should not send
/// one.
fn refuse_bare_lf(head: &[u8]) -> Result<(), Refusal> {
    let bare = |lf: usize| lf == 0 || head[lf - 1] != b'\r';
    if memchr::memchr_iter(b'\n', head).any(bare) {
        return Err(Refusal::bad("LF without CR"));
    }
    Ok(())
}

fn decide(head: &httparse::Request<'_, '_>) -> Result<Request, Refusal> {
    let http_1_0 = head.version == Some(0);
    let mut fields = Fields::default();
    for header in head.headers.iter() {
        fields.take(header)?;
    }
    if fields.hosts > 1 || (fields.hosts == 0 && !http_1_0) {
        return Err(Refusal::bad("HTTP/1.1 takes exactly one Host field"));
    }
    Ok(Request {
        route: Route::parse(head.path.unwrap_or("")),
        method: Method::parse(head.method.unwrap_or("")),
        http_1_0,
        keep_alive: !fields.close && (!http_1_0 || fields.keep_alive),
        body: fields.framing(http_1_0)?,
        expects_continue: fields.expects_continue && !http_1_0,
    })
}

/// The header fields that matter, collected.
#[derive(Default)]
struct Fields {
    hosts: usize,
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    chunked: bool,
    expects_continue: bool,
}

impl Fields {
    fn take(&mut self, header: &httparse::Header<'_>) -> Result<(), Refusal> {
        // Most fields are none of ours, and their length tells.
        match header.name.len() {
            4 if header.name.eq_ignore_ascii_case("host") => self.hosts += 1,
            6 if header.name.eq_ignore_ascii_case("expect") => self.take_expect(header.value)?,
            10 if header.name.eq_ignore_ascii_case("connection") => {
                self.take_connection(header.value);
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                self.take_length(header.value)?;
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                self.take_encoding(header.value)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits);
        let length = text.and_then(|text| text.parse().ok());
        let length = length.ok_or(Refusal::bad("Content-Length is not a number"))?;
        match self.length.replace(length) {
            Some(_) => Err(Refusal::bad("more than one Content-Length")),
            None => Ok(()),
        }
    }

    fn take_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            let reason = "the only Transfer-Encoding served is a single `chunked`";
            return Err(Refusal { status: 501, reason });
        }
        self.chunked = true;
        Ok(())
    }

    fn take_expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal {
                status: 417,
                reason: "the only expectation met is 100-continue",
            });
        }
        self.expects_continue = true;
        Ok(())
    }

    fn framing(&self, http_1_0: bool) -> Result<BodyFraming, Refusal> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Refusal::bad("both Content-Length and Transfer-Encoding")),
            (None, true) if http_1_0 => Err(Refusal::bad("Transfer-Encoding in HTTP/1.0")),
            (None, true) => Ok(BodyFraming::Chunked),
            (None | Some(0), false) => Ok(BodyFraming::None),
            (Some(length), false) => Ok(BodyFraming::Length(length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        let (request, len) = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(len, text.len());
        request
    }

    fn status(text: &str) -> u16 {
        parse(text.as_bytes()).unwrap_err().status
    }

    #[test]
    fn keep_alive_follows_version_and_connection() {
        for (text, keep_alive) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
        ] {
            assert_eq!(request(text).keep_alive, keep_alive, "{text}");
        }
    }

    #[test]
    fn methods_are_told_apart_to_the_letter() {
        for (index, method) in Method::ALL.into_iter().enumerate() {
            let text = format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", method.as_str());
            assert_eq!((request(&text).method, method as usize), (method, index));
        }
        assert_eq!(request("get / HTTP/1.1\r\nHost: a\r\n\r\n").method, Method::Other);
    }

    #[test]
    fn framing_follows_the_length_headers() {
        for (fields, body) in [
            ("", BodyFraming::None),
            ("Content-Length: 0\r\n", BodyFraming::None),
            ("content-length: 12\r\n", BodyFraming::Length(12)),
            ("Transfer-Encoding: Chunked\r\n", BodyFraming::Chunked),
        ] {
            let text = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(request(&text).body, body, "{fields}");
        }
    }

    #[test]
    fn ambiguous_and_broken_heads_are_refused() {
        for (fields, expected) in [
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", 400),
            ("Content-Length: +1\r\n", 400),
            ("Content-Length: 1,1\r\n", 400),
            ("Content-Length: 99999999999999999999\r\n", 400),
            ("Transfer-Encoding: gzip, chunked\r\n", 501),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501),
            ("Expect: 200-ok\r\n", 417),
            ("Host: b\r\n", 400),
            ("Name : value\r\n", 400),
            ("Folded: a\r\n b\r\n", 400),
            ("Bare: lf\n", 400),
        ] {
            assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")), expected);
        }
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400, "no Host");
        assert_eq!(status("GET / HTTP/2.0\r\n\r\n"), 505);
        assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    }

    #[test]
    fn every_shorter_prefix_is_incomplete() {
        let text = b"HEAD /delay/1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(None), "{end}");
        }
        let (request, _) = parse(text).unwrap().unwrap();
        assert!(request.head_only() && request.expects_continue && !request.http_1_0);
    }

    #[test]
    fn heads_are_limited() {
        let fields =
            |count| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert!(parse(fields(HEADERS_MAX - 1).as_bytes()).is_ok());
        assert_eq!(status(&fields(HEADERS_MAX)), 431);
        let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(status(&long), 431);
        assert_eq!(status(&format!("{long}\r\nHost: a\r\n\r\n")), 431);
    }
}
