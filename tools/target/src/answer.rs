//! The answer to each route, written whole or as a beginning and a tail.

use std::borrow::Cow;

use crate::desk::{Desk, ROOT_CONTENT};
use crate::request::{Method, Payload, Refusal, Request};
use crate::response::{Framing, is_without_content, write_interim};
use crate::route::Route;
use crate::shop::{self, Answer, Content};
use crate::tail::{Chunked, Tail};
use crate::websocket::NoUpgrade;
use crate::xmlrpc;

/// Content up to this size is copied behind its head, so that pipelined small answers leave in one
/// send.
pub(crate) const INLINE_BYTES_MAX: usize = 16 * 1024;

/// Appends the answer to `request`; what is too long to be copied is returned.
///
/// `delay_ns` is how long the answer was put off, `payload` what the request brought along, where
/// its route [reads](Route::reads_body) it.
pub(crate) fn write(
    request: &Request,
    delay_ns: u64,
    payload: Payload<'_>,
    desk: &Desk,
    out: &mut Vec<u8>,
) -> Tail {
    let writer = Writer { request, desk };
    match request.route {
        Route::Root | Route::Close => writer.text(200, ROOT_CONTENT, out),
        Route::Bytes(bytes) => return writer.content(bytes, out),
        Route::Chunked(bytes) => return writer.chunked(bytes, out),
        Route::Echo => return writer.echo(payload.body, out),
        Route::Status(status) => writer.status(status, out),
        Route::Delay { .. } | Route::RandomDelay(_) | Route::Stall(_) => {
            let text = format!("delayed {:.6} ms\n", delay_ns as f64 / 1e6);
            writer.text(200, text.as_bytes(), out);
        }
        Route::Count => writer.text(200, desk.shared.stats().to_string().as_bytes(), out),
        Route::Headers => writer.text(200, &payload.head, out),
        Route::Shop(page) => {
            return writer.page(shop::answer(page, request, &payload, &desk.shared), out);
        }
        Route::XmlRpc => return writer.xml_rpc(&payload.body, out),
        // An upgrade is the dialogue's to make; here it was not.
        Route::WebSocket(_) | Route::NotFound => writer.text(404, b"no such path\n", out),
        Route::BadParameter(usage) => writer.text(400, format!("{usage}\n").as_bytes(), out),
    }
    Tail::Nothing
}

/// Appends the answer to a request that is not served, after which the connection closes.
pub(crate) fn write_refusal(refusal: Refusal, desk: &Desk, out: &mut Vec<u8>) {
    let text = format!("{}\n", refusal.reason);
    desk.heads.write(refusal.status, Framing::Text(text.len()), false, out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends the answer to a request for a WebSocket that does not ask for one properly.
pub(crate) fn write_no_upgrade(request: &Request, no: NoUpgrade, desk: &Desk, out: &mut Vec<u8>) {
    let text = format!("{}\n", no.reason);
    let framing = Framing::Text(text.len());
    desk.heads.write_with(no.fields, no.status, framing, request.keep_alive, out);
    if !request.head_only() {
        out.extend_from_slice(text.as_bytes());
    }
}

struct Writer<'a> {
    request: &'a Request,
    desk: &'a Desk,
}

impl Writer<'_> {
    fn head(&self, status: u16, framing: Framing, out: &mut Vec<u8>) {
        self.desk.heads.write(status, framing, self.request.keep_alive, out);
    }

    fn text(&self, status: u16, text: &[u8], out: &mut Vec<u8>) {
        self.head(status, Framing::Text(text.len()), out);
        if !self.request.head_only() {
            out.extend_from_slice(text);
        }
    }

    /// A 1xx status is sent as an interim answer before a 200, to clients that know of such; some
    /// end an answer.
    fn status(&self, status: u16, out: &mut Vec<u8>) {
        let text = format!("status {status}\n");
        match status {
            100..=199 => {
                if !self.request.http_1_0 {
                    write_interim(status, out);
                }
                self.text(200, text.as_bytes(), out);
            }
            _ if is_without_content(status) => self.head(status, Framing::Nothing, out),
            _ => self.text(status, text.as_bytes(), out),
        }
    }

    fn content(&self, bytes: u64, out: &mut Vec<u8>) -> Tail {
        self.head(200, Framing::Bytes(bytes), out);
        if self.request.head_only() {
            return Tail::Nothing;
        }
        let tail = Tail::content(bytes);
        if bytes > INLINE_BYTES_MAX as u64 {
            return tail;
        }
        out.extend_from_slice(tail.ready());
        Tail::Nothing
    }

    fn chunked(&self, bytes: u64, out: &mut Vec<u8>) -> Tail {
        let framing = if self.request.http_1_0 {
            Framing::UntilClose
        } else {
            Framing::Chunked { trailer: Chunked::has_trailer(bytes) }
        };
        self.head(200, framing, out);
        if self.request.head_only() {
            return Tail::Nothing;
        }
        if self.request.http_1_0 {
            return Tail::content(bytes);
        }
        let mut tail = Tail::chunked(bytes);
        tail.write_next(out);
        tail
    }

    fn echo(&self, body: Cow<'_, [u8]>, out: &mut Vec<u8>) -> Tail {
        self.head(200, Framing::Bytes(body.len() as u64), out);
        self.body(body, out)
    }

    fn xml_rpc(&self, body: &[u8], out: &mut Vec<u8>) -> Tail {
        if self.request.method != Method::Post {
            let text = "XML-RPC takes POST\n";
            let (framing, keep_alive) = (Framing::Text(text.len()), self.request.keep_alive);
            self.desk.heads.write_with("Allow: POST\r\n", 405, framing, keep_alive, out);
            return self.body(Cow::Borrowed(text.as_bytes()), out);
        }
        let xml = xmlrpc::answer(body, &self.desk.shared.draws);
        self.head(200, Framing::Xml(xml.len()), out);
        self.body(Cow::Owned(xml), out)
    }

    fn page(&self, answer: Answer, out: &mut Vec<u8>) -> Tail {
        let (framing, body) = match answer.content {
            Content::Nothing => (Framing::Nothing, Cow::default()),
            Content::Text(text) => (Framing::Text(text.len()), Cow::Borrowed(text.as_bytes())),
            Content::Html(html) => (Framing::Html(html.len()), Cow::Owned(html.into_bytes())),
            Content::Json(json) => (Framing::Json(json.len()), Cow::Owned(json.into_bytes())),
        };
        let keep_alive = self.request.keep_alive;
        self.desk.heads.write_with(&answer.fields, answer.status, framing, keep_alive, out);
        self.body(body, out)
    }

    /// Content that is there as a whole: short content is copied.
    fn body(&self, body: Cow<'_, [u8]>, out: &mut Vec<u8>) -> Tail {
        if self.request.head_only() {
            return Tail::Nothing;
        }
        if body.len() > INLINE_BYTES_MAX {
            return Tail::Echo { body: body.into_owned(), sent: 0 };
        }
        out.extend_from_slice(&body);
        Tail::Nothing
    }
}
