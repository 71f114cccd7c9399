//! What a call sends: one request after another, as redirects have it.
//!
//! Redirects are followed as python-requests does. 303 always and 302 nearly always lead to a GET; 301 does for a POST;
//! 307 and 308 send the same again. Credentials stay with the origin that they were for.

use bytes::Bytes;
use loadr_protocols::http1::{Headers, Method, RequestBuilder};

use super::Session;
use super::cookies::Place;
use super::hop::{Bounds, Collected, Tally, Wire, set_cookies};
use super::location::Location;
use super::origins::Origin;
use crate::client::http;
use crate::outcome::{Failure, FailureKind};

/// The next request of a call.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) location: Location,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Option<Bytes>,
    pub(super) close: bool,
    /// The call's own, which goes before what its header fields say.
    pub(super) authorization: Option<String>,
    /// No redirect has led to another origin.
    pub(super) at_home: bool,
    /// Redirects that led here.
    pub(super) redirects: u32,
}

/// What came of all requests of a call that ended with a response.
pub(super) struct Arrived {
    pub(super) response: http::Response,
    pub(super) location: Location,
}

/// Fields that say what the body is.
const OF_BODY: [&str; 3] = ["content-length", "content-type", "content-encoding"];

impl Outgoing {
    /// Reads a request back from its bytes, for the redirect that it ran into.
    pub(super) fn of_wire(method: Method, origin: &Origin, wire: &Wire) -> Result<Self, Failure> {
        let (target, headers, body_begins) = read_back(&wire.bytes);
        let location = Location::of_call(None, &format!("{}{target}", origin.base))?;
        let body = wire.bytes.slice(body_begins..);
        Ok(Self {
            method,
            location,
            headers,
            body: (!body.is_empty()).then_some(body),
            close: wire.closes,
            authorization: None,
            at_home: true,
            redirects: 0,
        })
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
    }

    /// Becomes the request that a redirect asks for.
    fn redirect(&mut self, status: u16, reference: &[u8]) -> Result<(), Failure> {
        let next = self.location.join(&String::from_utf8_lossy(reference))?;
        let becomes_get = match status {
            303 | 302 => self.method != Method::Head,
            301 => self.method == Method::Post,
            _ => false,
        };
        if becomes_get {
            self.method = Method::Get;
        }
        if !matches!(status, 307 | 308) {
            self.body = None;
            OF_BODY.iter().for_each(|name| self.remove(name));
        }
        if !next.is_same_origin(&self.location) {
            self.at_home = false;
            self.authorization = None;
            ["authorization", "host", "cookie"].iter().for_each(|name| self.remove(name));
        }
        if let Some(authorization) = next.authorization() {
            self.authorization = Some(authorization);
        }
        self.location = next;
        Ok(())
    }
}

/// Target, header fields and the body's beginning, without the fields that are made anew for each request.
fn read_back(request: &[u8]) -> (String, Vec<(String, Vec<u8>)>, usize) {
    const MADE: [&str; 4] = ["host", "cookie", "content-length", "connection"];
    let end = memchr::memmem::find(request, b"\r\n\r\n").map_or(request.len(), |at| at + 4);
    let target = request.split(|&byte| byte == b' ').nth(1).unwrap_or(b"/");
    let headers = Headers::of_head(&request[..end])
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
        .filter(|(name, _)| !MADE.iter().any(|made| name.eq_ignore_ascii_case(made)));
    (String::from_utf8_lossy(target).into_owned(), headers.collect(), end)
}

/// Where a response redirects to; a redirect without a Location is a response like any other.
pub(super) fn redirect_of(status: u16, head: &[u8]) -> Option<&[u8]> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut fields = Headers::of_head(head);
    fields.find(|(name, _)| name.eq_ignore_ascii_case(b"location")).map(|(_, value)| value)
}

impl Session {
    /// Sends a request and, where `follow` says so, those that redirects ask for.
    pub(super) async fn go(
        &self,
        mut outgoing: Outgoing,
        follow: bool,
        bounds: &Bounds,
        tally: &mut Tally,
        collected: &mut Collected,
    ) -> Result<Arrived, Failure> {
        loop {
            let origin = self.state.settings.place(self.context.now_ns(), &outgoing.location)?;
            let wire = self.encode(&outgoing)?;
            let response = self.hop(&origin, &wire, bounds, tally, collected).await?;
            let location = &outgoing.location;
            self.take_cookies(&location.host(), location.path(), &collected.head);
            let reference = redirect_of(response.status, &collected.head).filter(|_| follow);
            let Some(reference) = reference else {
                return Ok(Arrived { response, location: outgoing.location });
            };
            self.redirect(&mut outgoing, response.status, reference)?;
        }
    }

    pub(super) fn redirect(
        &self,
        outgoing: &mut Outgoing,
        status: u16,
        reference: &[u8],
    ) -> Result<(), Failure> {
        let redirects_max = self.session_options().redirects_max;
        if outgoing.redirects >= redirects_max {
            let message = format!("more than {redirects_max} redirects");
            return Err(Failure::new(FailureKind::Protocol, message));
        }
        outgoing.redirects += 1;
        outgoing.redirect(status, reference)
    }

    fn encode(&self, outgoing: &Outgoing) -> Result<Wire, Failure> {
        self.with_fields(outgoing, |fields| encode(outgoing, fields))
    }

    /// Gives `encode` the header fields of a request: the call's go before the user's, those before the host's, and those
    /// before the options'.
    pub(super) fn with_fields<R>(
        &self,
        outgoing: &Outgoing,
        encode: impl FnOnce(&[(&str, &[u8])]) -> R,
    ) -> R {
        let now_ns = self.context.now_ns();
        let personal = self.state.personal.borrow();
        let mut cookies = Vec::new();
        if let Some(personal) = personal.as_ref() {
            let location = &outgoing.location;
            let place = Place {
                host: &location.host(),
                path: location.path(),
                is_secure: location.is_secure(),
            };
            personal.jar.write(place, now_ns, &mut cookies);
        }
        let own = personal.as_ref().map_or(&[][..], |personal| personal.headers.as_slice());
        let trusted = self.trusts(outgoing);
        let may_go = |name: &str| trusted || !name.eq_ignore_ascii_case("authorization");
        let of_host = self.state.settings.host.as_ref().filter(|_| trusted);
        let options = self.session_options().headers.iter().filter(|(name, _)| may_go(name));

        let mut fields = Fields::default();
        fields.add_one("Authorization", outgoing.authorization.as_deref());
        fields.add(pairs(&outgoing.headers));
        fields.add(pairs(own).filter(|(name, _)| may_go(name)));
        fields.add_one("Authorization", of_host.and_then(|host| host.authorization.as_deref()));
        fields.add(options.map(|(name, value)| (name.as_str(), value.as_bytes())));
        if !cookies.is_empty() {
            fields.add([("Cookie", cookies.as_slice())].into_iter());
        }
        fields.add_one("Host", Some(outgoing.location.authority()));
        encode(&fields.0)
    }

    /// Whether the user's credentials are for where a request goes.
    fn trusts(&self, outgoing: &Outgoing) -> bool {
        let host = self.state.settings.host.as_ref();
        outgoing.at_home && host.is_none_or(|host| host.location.is_same_origin(&outgoing.location))
    }

    pub(super) fn take_cookies(&self, host: &str, path: &str, head: &[u8]) {
        let now_ns = self.context.now_ns();
        for value in set_cookies(Headers::of_head(head)) {
            self.personal(|personal| personal.jar.take(value, host, path, now_ns));
        }
    }
}

fn pairs(headers: &[(String, Vec<u8>)]) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
}

/// Header fields from several places: where two name the same, those of the first one stay.
#[derive(Default)]
struct Fields<'f>(Vec<(&'f str, &'f [u8])>);

impl<'f> Fields<'f> {
    fn add(&mut self, more: impl Iterator<Item = (&'f str, &'f [u8])>) {
        let before = self.0.len();
        for (name, value) in more {
            if !self.0[..before].iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                self.0.push((name, value));
            }
        }
    }

    fn add_one(&mut self, name: &'f str, value: Option<&'f str>) {
        self.add(value.map(|value| (name, value.as_bytes())).into_iter());
    }
}

fn encode(outgoing: &Outgoing, fields: &[(&str, &[u8])]) -> Result<Wire, Failure> {
    let method = outgoing.method.clone();
    let idempotent = method.is_idempotent();
    let mut builder = RequestBuilder::new(method, outgoing.location.target());
    for (name, value) in fields {
        builder = builder.header(*name, value);
    }
    if let Some(body) = &outgoing.body {
        builder = builder.body(body.clone());
    }
    let request = builder.connection_close(outgoing.close).build();
    let request = request.map_err(|error| unsendable(&error))?;
    Ok(Wire {
        bytes: request.bytes().clone(),
        kind: request.kind(),
        idempotent,
        closes: request.closes(),
    })
}

/// A request that was asked for and cannot be: the task's fault.
#[cold]
pub(super) fn unsendable(error: &dyn std::error::Error) -> Failure {
    let mut message = error.to_string();
    truncate(&mut message);
    Failure::new(FailureKind::Other, message)
}

/// Most bytes of a failure's text that may come from a task.
const MESSAGE_BYTES_MAX: usize = 300;

/// Cuts a text that a task or a library gave to what an error report can show.
pub(super) fn truncate(text: &mut String) {
    if text.len() > MESSAGE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
        text.push_str("...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Outgoing {
        Outgoing {
            method: Method::Post,
            location: Location::of_call(None, "http://h/a").unwrap(),
            headers: vec![
                ("Content-Type".to_owned(), b"text/plain".to_vec()),
                ("X-Kept".to_owned(), b"1".to_vec()),
            ],
            body: Some(Bytes::from_static(b"body")),
            close: false,
            authorization: Some("Basic eA==".to_owned()),
            at_home: true,
            redirects: 0,
        }
    }

    fn redirected(status: u16, to: &str) -> (String, usize, bool, bool) {
        let mut outgoing = post();
        outgoing.redirect(status, to.as_bytes()).unwrap();
        let has = |name| outgoing.headers.iter().any(|(given, _)| given == name);
        assert!(has("X-Kept"));
        let body = outgoing.body.is_some() && has("Content-Type");
        let count = outgoing.headers.len();
        (outgoing.method.to_string(), count, body, outgoing.authorization.is_some())
    }

    #[test]
    fn methods_and_bodies_change_as_in_requests() {
        for status in [301, 302, 303] {
            assert_eq!(redirected(status, "/b"), ("GET".to_owned(), 1, false, true), "{status}");
        }
        for status in [307, 308] {
            assert_eq!(redirected(status, "/b"), ("POST".to_owned(), 2, true, true), "{status}");
        }
        let mut put = Outgoing { method: Method::Put, ..post() };
        put.redirect(301, b"/b").unwrap();
        assert_eq!((put.method, put.body), (Method::Put, None));
        let mut head = Outgoing { method: Method::Head, ..post() };
        head.redirect(303, b"/b").unwrap();
        assert_eq!(head.method, Method::Head);
    }

    #[test]
    fn credentials_do_not_leave_their_origin() {
        assert!(redirected(307, "http://h/b").3);
        assert!(!redirected(307, "http://h:81/b").3);
        assert!(!redirected(307, "//other/b").3);
        assert!(redirected(307, "http://me@other/b").3, "those of the URL itself are for it");
    }

    #[test]
    fn a_redirect_needs_a_location() {
        let head = b"HTTP/1.1 302 Found\r\nLOCATION: /x\r\n\r\n";
        assert_eq!(redirect_of(302, head), Some(&b"/x"[..]));
        assert_eq!(redirect_of(304, head), None);
        assert_eq!(redirect_of(302, b"HTTP/1.1 302 Found\r\n\r\n"), None);
    }

    #[test]
    fn the_first_of_several_places_decides_a_field() {
        let mut fields = Fields::default();
        fields.add([("A", &b"1"[..]), ("a", &b"2"[..])].into_iter());
        fields.add([("A", &b"3"[..]), ("B", &b"4"[..])].into_iter());
        assert_eq!(fields.0, [("A", &b"1"[..]), ("a", &b"2"[..]), ("B", &b"4"[..])]);
    }

    #[test]
    fn a_request_reads_back_from_its_bytes() {
        let bytes = b"POST /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\nContent-Length: 2\r\n\r\nxy";
        let (target, headers, body_begins) = read_back(bytes);
        assert_eq!((target.as_str(), &bytes[body_begins..]), ("/a?b", &b"xy"[..]));
        assert_eq!(headers, [("A".to_owned(), b"1".to_vec())]);
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let mut text = "\u{e9}".repeat(400);
        truncate(&mut text);
        assert_eq!(text.len(), MESSAGE_BYTES_MAX + 3);
    }
}
