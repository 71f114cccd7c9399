//! The response decoder: the state machine of a client's side of a connection, all of it.
//!
//! | state     | bytes                       | end of input                            |
//! |-----------|-----------------------------|-----------------------------------------|
//! | `Head`    | interim head: `Head` again  | none awaited, nothing unread: fine      |
//! |           | final head: `Body`          | otherwise: an error saying what was cut |
//! |           | none awaited: an error      |                                         |
//! | `Body`    | data: `Body` again          | until-close: complete                   |
//! |           | complete, persists: `Head`  | otherwise: an error with both figures   |
//! |           | complete, not: `Closing`    |                                         |
//! | `Closing` | left alone                  | none awaited: fine; otherwise an error  |
//! | `Failed`  | the same error again        | the same error again                    |
//!
//! A response without a body passes through `Body` with a length of 0. Every error leads to
//! `Failed`: once framing is in doubt no later byte can be trusted. Responses to pipelined requests
//! come in the order of the requests (RFC 9112, 9.3.2), so what is awaited is a queue.

use std::collections::VecDeque;

use crate::buffer::ReceiveBuffer;

use super::{
    body::{Body, Chunked, Step},
    error::RemoteError,
    event::{End, Event, ResponseHead},
    framing::Announced,
    head::{self, LastHead, ParsedHead},
    limits::Limits,
    request::RequestKind,
    scan::LineScan,
};

#[derive(Clone, Copy, Debug)]
enum State {
    Head(LineScan),
    Body(Body),
    /// The last response that this connection can carry is complete: what is unread is ignored
    /// (RFC 9112, 9.6) or belongs to the protocol upgraded to.
    Closing,
    Failed(RemoteError),
}

/// Decodes the responses on one connection.
///
/// Announce each request with [`Self::expect`] before its response is decoded. After each read call
/// [`Self::next`] until it gives `None`; when the peer closes do so too, then call
/// [`Self::end_of_input`]. Allocates only when more responses are awaited, or a small head is longer,
/// than ever before.
#[derive(Debug)]
pub struct ResponseDecoder {
    limits: Limits,
    state: State,
    /// What each awaited response answers; the front is the one being received.
    awaited: VecDeque<RequestKind>,
    last_head: LastHead,
    /// Of the response being received, as the fields below.
    interim: usize,
    keep_alive: bool,
    body_bytes: u64,
    wire_bytes: u64,
}

impl Default for ResponseDecoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl ResponseDecoder {
    /// A decoder for a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head(LineScan::head()),
            awaited: VecDeque::new(),
            last_head: LastHead::default(),
            interim: 0,
            keep_alive: false,
            body_bytes: 0,
            wire_bytes: 0,
        }
    }

    /// Starts over for another connection, keeping limits and memory.
    pub fn reset(&mut self) {
        self.state = State::Head(LineScan::head());
        self.awaited.clear();
        self.forget_response();
    }

    /// Bounds the decoded bytes of the bodies to come, or lets them be of any length.
    #[inline]
    pub fn limit_body(&mut self, bytes_max: Option<u64>) {
        self.limits.body_bytes_max = bytes_max;
    }

    /// Announces one more request whose response is to come behind those awaited already.
    #[inline]
    pub fn expect(&mut self, kind: RequestKind) {
        self.awaited.push_back(kind);
    }

    /// Responses awaited, the one being received included.
    #[inline]
    pub fn outstanding(&self) -> usize {
        self.awaited.len()
    }

    /// Bytes consumed so far for the response being received; [`End::wire_bytes`] once it is
    /// complete. For the counts of an exchange that failed.
    #[inline]
    pub fn wire_bytes(&self) -> u64 {
        self.wire_bytes
    }

    /// Consumes and returns the next event; `None` when it takes more bytes.
    ///
    /// # Errors
    /// The target's fault; every later call returns the same.
    #[inline]
    pub fn next<'b>(
        &mut self,
        buffer: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, RemoteError> {
        let result = match self.state {
            State::Head(_) => self.next_in_head(buffer),
            State::Body(_) => self.next_in_body(buffer),
            State::Closing => Ok(None),
            State::Failed(error) => Err(error),
        };
        if let Err(error) = result {
            self.state = State::Failed(error);
        }
        result
    }

    /// Takes note that the peer closed, once [`Self::next`] has given `None` for all that came.
    ///
    /// `Some` completes a response whose body lasts until the close; call again to learn whether
    /// more responses were awaited. `None` is a close between responses with none awaited.
    ///
    /// # Errors
    /// What the close cut off; every later call returns the same.
    pub fn end_of_input(&mut self, buffer: &ReceiveBuffer) -> Result<Option<End>, RemoteError> {
        let result = match &mut self.state {
            State::Head(_) | State::Closing if self.awaited.is_empty() => Ok(None),
            State::Head(scan) if !buffer.is_empty() => {
                Err(head::cut_off(buffer.unread(), scan, &self.limits))
            }
            State::Head(_) | State::Closing => {
                Err(RemoteError::ClosedBeforeResponse { outstanding: self.awaited.len() })
            }
            State::Body(Body::Length { remaining: 1.., expected }) => {
                Err(RemoteError::ClosedInBody { received: self.body_bytes, expected: *expected })
            }
            State::Body(Body::Chunked(_)) => {
                Err(RemoteError::ClosedInChunkedBody { received: self.body_bytes })
            }
            State::Body(Body::Length { .. } | Body::UntilClose) => Ok(Some(self.complete())),
            State::Failed(error) => Err(*error),
        };
        if let Err(error) = result {
            self.state = State::Failed(error);
        }
        result
    }

    #[inline]
    fn next_in_head<'b>(
        &mut self,
        buffer: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, RemoteError> {
        if buffer.is_empty() {
            return Ok(None);
        }
        let Some(&kind) = self.awaited.front() else { return Err(RemoteError::Unsolicited) };
        let State::Head(scan) = &mut self.state else { return Ok(None) };
        let read = head::read(buffer.unread(), scan, &mut self.last_head, &self.limits)?;
        let Some(head) = read else { return Ok(None) };
        self.wire_bytes += head.bytes as u64;
        if is_interim(head.status) {
            return self.pass_interim(head, buffer);
        }
        self.state = State::Body(self.begin_body(kind, &head)?);
        let raw = buffer.take(head.bytes);
        Ok(Some(Event::Head(ResponseHead { raw, status: head.status, version: head.version })))
    }

    /// RFC 9110, 15.2: "a client MUST be able to parse one or more 1xx responses received prior to a
    /// final response", which bounds them not; we do.
    #[cold]
    fn pass_interim<'b>(
        &mut self,
        head: ParsedHead,
        buffer: &mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, RemoteError> {
        self.interim += 1;
        if self.interim > self.limits.interim_max {
            return Err(RemoteError::TooManyInterim { limit: self.limits.interim_max });
        }
        buffer.consume(head.bytes);
        self.state = State::Head(LineScan::head());
        Ok(Some(Event::Interim { status: head.status }))
    }

    /// RFC 9112, 6.3: which body follows a final head, and 9.3: whether another response may.
    #[inline]
    fn begin_body(&mut self, kind: RequestKind, head: &ParsedHead) -> Result<Body, RemoteError> {
        let upgrades = is_upgrade(kind, head.status);
        self.keep_alive = head.keep_alive && !upgrades;
        if upgrades || has_no_body(kind, head.status) {
            return Ok(Body::Length { expected: 0, remaining: 0 });
        }
        match head.announced? {
            Announced::Length(length) => match self.limits.body_limit_below(length) {
                Some(limit) => Err(RemoteError::BodyTooLong { limit }),
                None => Ok(Body::Length { expected: length, remaining: length }),
            },
            Announced::Chunked => Ok(Body::Chunked(Chunked::new())),
            Announced::Nothing => {
                self.keep_alive = false;
                Ok(Body::UntilClose)
            }
        }
    }

    #[inline]
    fn next_in_body<'b>(
        &mut self,
        buffer: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, RemoteError> {
        let State::Body(body) = &mut self.state else { return Ok(None) };
        let unread = buffer.len();
        let step = body.next(buffer, self.body_bytes, &self.limits)?;
        self.wire_bytes += (unread - buffer.len()) as u64;
        match step {
            Step::Data(count) => {
                self.body_bytes += count as u64;
                self.wire_bytes += count as u64;
                Ok(Some(Event::Body(buffer.take(count))))
            }
            Step::Starved => Ok(None),
            Step::Done => Ok(Some(Event::End(self.complete()))),
        }
    }

    #[inline]
    fn complete(&mut self) -> End {
        self.awaited.pop_front();
        let end = End {
            keep_alive: self.keep_alive,
            body_bytes: self.body_bytes,
            wire_bytes: self.wire_bytes,
        };
        self.state = if end.keep_alive { State::Head(LineScan::head()) } else { State::Closing };
        self.forget_response();
        end
    }

    #[inline]
    fn forget_response(&mut self) {
        self.interim = 0;
        self.keep_alive = false;
        self.body_bytes = 0;
        self.wire_bytes = 0;
    }
}

/// 101 is a final answer: what follows it is the new protocol (RFC 9110, 15.2.2).
#[inline]
fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// RFC 9112, 6.3, rule 2: the connection "becomes a tunnel immediately after the empty line".
#[inline]
fn is_upgrade(kind: RequestKind, status: u16) -> bool {
    status == 101 || (kind == RequestKind::Connect && (200..300).contains(&status))
}

/// RFC 9112, 6.3, rule 1: "regardless of the header fields present in the message".
#[inline]
fn has_no_body(kind: RequestKind, status: u16) -> bool {
    kind == RequestKind::Head || matches!(status, 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut ReceiveBuffer, bytes: &[u8]) {
        buffer.spare(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }

    fn awaiting(count: usize) -> (ResponseDecoder, ReceiveBuffer) {
        let mut decoder = ResponseDecoder::default();
        (0..count).for_each(|_| decoder.expect(RequestKind::Other));
        (decoder, ReceiveBuffer::default())
    }

    #[test]
    fn events_come_in_order_and_leave_the_buffer_empty() {
        let (mut decoder, mut buffer) = awaiting(1);
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        receive(&mut buffer, response);
        let Ok(Some(Event::Head(head))) = decoder.next(&mut buffer) else { panic!("no head") };
        assert_eq!((head.status(), head.header("content-length")), (200, Some(&b"2"[..])));
        assert_eq!(decoder.next(&mut buffer), Ok(Some(Event::Body(b"hi"))));
        let end = End { keep_alive: true, body_bytes: 2, wire_bytes: response.len() as u64 };
        assert_eq!(decoder.next(&mut buffer), Ok(Some(Event::End(end))));
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        assert_eq!((decoder.outstanding(), buffer.len()), (0, 0));
    }

    #[test]
    fn an_error_is_returned_for_ever() {
        let (mut decoder, mut buffer) = awaiting(1);
        receive(&mut buffer, b"this is not HTTP at all");
        let error = decoder.next(&mut buffer).unwrap_err();
        assert!(matches!(error, RemoteError::StatusLine { .. }));
        buffer.clear();
        receive(&mut buffer, b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(decoder.next(&mut buffer), Err(error));
        assert_eq!(decoder.end_of_input(&buffer), Err(error));
        decoder.reset();
        decoder.expect(RequestKind::Other);
        assert!(matches!(decoder.next(&mut buffer), Ok(Some(Event::Head(_)))));
    }

    #[test]
    fn nothing_awaited_and_nothing_received_is_a_clean_close() {
        let (mut decoder, buffer) = awaiting(0);
        assert_eq!(decoder.end_of_input(&buffer), Ok(None));
    }

    #[test]
    fn a_body_until_close_leaves_pipelined_requests_unanswered() {
        let (mut decoder, mut buffer) = awaiting(3);
        receive(&mut buffer, b"HTTP/1.1 200 OK\r\n\r\nabc");
        while decoder.next(&mut buffer).unwrap().is_some() {}
        let end = decoder.end_of_input(&buffer).unwrap().unwrap();
        assert_eq!((end.keep_alive, end.body_bytes), (false, 3));
        let unanswered = RemoteError::ClosedBeforeResponse { outstanding: 2 };
        assert_eq!(decoder.end_of_input(&buffer), Err(unanswered));
    }

    #[test]
    fn what_follows_a_last_response_is_ignored() {
        let (mut decoder, mut buffer) = awaiting(1);
        receive(&mut buffer, b"HTTP/1.1 204 OK\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\n");
        while decoder.next(&mut buffer).unwrap().is_some() {}
        assert_eq!(decoder.end_of_input(&buffer), Ok(None));
        decoder.expect(RequestKind::Other);
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        let unanswered = RemoteError::ClosedBeforeResponse { outstanding: 1 };
        assert_eq!(decoder.end_of_input(&buffer), Err(unanswered));
    }

    #[test]
    fn a_tunnels_bytes_stay_in_the_buffer() {
        let mut decoder = ResponseDecoder::default();
        decoder.expect(RequestKind::Connect);
        let mut buffer = ReceiveBuffer::default();
        receive(&mut buffer, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x16\x03\x01");
        while decoder.next(&mut buffer).unwrap().is_some() {}
        assert_eq!(buffer.unread(), b"\x16\x03\x01");
        assert_eq!(decoder.end_of_input(&buffer), Ok(None));
    }

    #[test]
    fn wire_bytes_count_a_response_that_is_never_finished() {
        let (mut decoder, mut buffer) = awaiting(1);
        receive(&mut buffer, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        while decoder.next(&mut buffer).unwrap().is_some() {}
        assert_eq!(decoder.wire_bytes(), 38 + 3);
    }
}
