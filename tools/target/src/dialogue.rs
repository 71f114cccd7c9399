//! One connection's exchange of bytes, without its socket: input in, answers out.
//!
//! A dialogue answers requests strictly one after the other. What puts an answer off (a delay, a
//! long tail) stops it until the caller has waited or sent; requests behind it stay with the caller
//! as unused input. That keeps pipelined answers in order, as a server that works on one request of
//! a connection at a time does.
//!
//! ```text
//! Head -> Body -> Waiting -> Head ...       Body and Waiting only where the request asks for it
//! Head -> WebSocket                         after an upgrade, with its own end
//! any  -> Ended                             after `close`, or a request that is refused
//! ```

use std::borrow::Cow;

use crate::answer;
use crate::body::BodyReader;
use crate::desk::Desk;
use crate::law::SEQUENCES_MAX;
use crate::request::{BodyFraming, Method, Payload, Refusal, Request};
use crate::response::write_interim;
use crate::route::Route;
use crate::stall::PLANS_MAX;
use crate::stats::RouteKind;
use crate::tail::Tail;
use crate::timer::now_ns;
use crate::websocket::{NoUpgrade, Plan, Session, Step};

/// Output past this is sent before more requests are answered, which bounds what one read can make.
pub(crate) const OUTPUT_BYTES_HIGH: usize = 256 * 1024;

const _: () = assert!(SEQUENCES_MAX == 4096 && PLANS_MAX == 4096, "the refusal names the limit");
const TOO_MANY_RUNS: Refusal =
    Refusal { status: 503, reason: "4096 different stalls or random delays are in use" };

/// Where a connection is in its sequence of requests and answers.
#[derive(Debug)]
pub(crate) struct Dialogue {
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Head,
    Body(Box<Reading>),
    Waiting {
        request: Request,
        delay_ns: u64,
    },
    WebSocket(Box<Session>),
    Ended {
        /// The client may be sending still: it was refused in the middle.
        midway: bool,
        /// An alarm asked for before is still to come, at this time; nothing follows from it.
        alarm_ns: Option<u64>,
    },
}

/// A request whose body is being read.
#[derive(Debug)]
struct Reading {
    request: Request,
    body: BodyReader,
    /// The head, where the answer depends on it.
    head: Vec<u8>,
}

/// What a dialogue needs before it can go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// More input than there is.
    Input,
    /// That the output is sent.
    Sent,
    /// That the output and then this is sent.
    Tail(Tail),
    /// To be [resumed](Dialogue::resume) at this time of the monotonic clock, and nothing before.
    Time(u64),
    /// To be resumed at this time, and to go on meanwhile.
    Alarm(u64),
}

/// When to answer.
enum Release {
    Now,
    At { at_ns: u64, delay_ns: u64 },
    Refused,
}

impl Dialogue {
    pub(crate) fn new() -> Self {
        Self { phase: Phase::Head }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    /// No request will be answered any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// It ended although the client was not done sending.
    pub(crate) fn has_ended_midway(&self) -> bool {
        matches!(self.phase, Phase::Ended { midway: true, .. })
    }

    /// Ends because the layer below did.
    pub(crate) fn abandon(&mut self) {
        self.phase = Phase::Ended { midway: true, alarm_ns: self.alarm_ns() };
    }

    /// The alarm of a session that has not come yet.
    fn alarm_ns(&self) -> Option<u64> {
        match &self.phase {
            Phase::WebSocket(session) => session.alarm_ns(),
            _ => None,
        }
    }

    /// After the end: whether a timer call is that of an alarm from before.
    pub(crate) fn takes_alarm(&mut self) -> bool {
        match &mut self.phase {
            Phase::Ended { alarm_ns, .. } => alarm_ns.take_if(|at_ns| *at_ns <= now_ns()).is_some(),
            _ => false,
        }
    }

    /// Answers what it can of `input`: how many bytes of it are done with, and what has to happen
    /// before the rest.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> (usize, Need) {
        let mut used = 0;
        while out.len() < OUTPUT_BYTES_HIGH {
            let rest = &input[used..];
            let (taken, need) = match &mut self.phase {
                Phase::Head => self.take_head(rest, desk, out),
                Phase::Body(_) => self.take_body(rest, desk, out),
                Phase::WebSocket(_) => self.take_frames(rest, desk, out),
                Phase::Waiting { .. } | Phase::Ended { .. } => (0, Some(Need::Sent)),
            };
            used += taken;
            if let Some(need) = need {
                return (used, need);
            }
        }
        (used, Need::Sent)
    }

    /// Writes what was put off until now; tells when to be called again, if so.
    ///
    /// `is_blocked` says that earlier output is not sent yet.
    pub(crate) fn resume(
        &mut self,
        is_blocked: bool,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        match &mut self.phase {
            &mut Phase::Waiting { request, delay_ns } => {
                let tail = self.finish(&request, delay_ns, Payload::default(), desk, out);
                debug_assert!(tail.is_nothing(), "answers that are put off are short");
                None
            }
            Phase::WebSocket(session) => session.alarm(is_blocked, desk.counts(), out),
            Phase::Ended { alarm_ns, .. } => {
                *alarm_ns = None;
                None
            }
            Phase::Head | Phase::Body(_) => None,
        }
    }

    fn take_head(
        &mut self,
        input: &[u8],
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Need>) {
        let taken = desk.answer_roots(input, out);
        if taken > 0 || input.is_empty() {
            return (taken, (taken == input.len()).then_some(Need::Input));
        }
        match desk.read_head(input) {
            Ok(None) => (0, Some(Need::Input)),
            Ok(Some((request, len))) => self.begin(request, input.split_at(len), desk, out),
            Err(refusal) => (input.len(), self.refuse(refusal, desk, out)),
        }
    }

    /// Goes on after a head: with the answer if the body is there too, as short ones mostly are.
    fn begin(
        &mut self,
        request: Request,
        (head, rest): (&[u8], &[u8]),
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Need>) {
        let head_len = head.len();
        let head = if request.route.reads_head() { head } else { &[] };
        let reads_body = request.route.reads_body(request.method);
        if let Some(body) = whole_body(request.body, rest) {
            let used = head_len + body.len();
            let body = if reads_body { body } else { &[] };
            let payload = Payload { head: Cow::Borrowed(head), body: Cow::Borrowed(body) };
            return (used, self.answer(request, payload, desk, out));
        }
        match BodyReader::new(request.body, reads_body) {
            Err(refusal) => (head_len, self.refuse(refusal, desk, out)),
            Ok(body) => {
                if request.expects_continue {
                    write_interim(100, out);
                }
                let reading = Reading { request, body, head: head.to_vec() };
                self.phase = Phase::Body(Box::new(reading));
                (head_len, None)
            }
        }
    }

    fn take_body(
        &mut self,
        input: &[u8],
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Need>) {
        let Phase::Body(reading) = &mut self.phase else { return (0, None) };
        match reading.body.read(input) {
            Err(refusal) => (input.len(), self.refuse(refusal, desk, out)),
            Ok(taken) if !reading.body.is_done() => (taken, Some(Need::Input)),
            Ok(taken) => (taken, self.answer_body(desk, out)),
        }
    }

    fn answer_body(&mut self, desk: &mut Desk, out: &mut Vec<u8>) -> Option<Need> {
        let Phase::Body(reading) = std::mem::replace(&mut self.phase, Phase::Head) else {
            return None;
        };
        let Reading { request, body, head } = *reading;
        let payload = Payload { head: Cow::Owned(head), body: Cow::Owned(body.into_content()) };
        self.answer(request, payload, desk, out)
    }

    fn take_frames(
        &mut self,
        input: &[u8],
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Need>) {
        let Phase::WebSocket(session) = &mut self.phase else { return (0, None) };
        let (used, step) = session.read(input, desk.counts(), out);
        (used, Some(self.follow(step)))
    }

    /// Goes on as a WebSocket says.
    fn follow(&mut self, step: Step) -> Need {
        match step {
            Step::Input => Need::Input,
            Step::Sent => Need::Sent,
            Step::Tail(tail) => Need::Tail(tail),
            Step::Ended { midway } => {
                self.phase = Phase::Ended { midway, alarm_ns: self.alarm_ns() };
                Need::Sent
            }
        }
    }

    /// Makes a WebSocket of the connection, or tells why not.
    fn upgrade(
        &mut self,
        plan: Plan,
        request: &Request,
        head: &[u8],
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Option<Need> {
        match open(plan, request, head, out) {
            Ok((session, step)) => {
                desk.counts().count_served(plan.kind(), 1);
                let alarm = session.alarm_ns().map(Need::Alarm);
                self.phase = Phase::WebSocket(Box::new(session));
                step.map(|step| self.follow(step)).or(alarm)
            }
            Err(no) => {
                answer::write_no_upgrade(request, no, desk, out);
                desk.counts().count_served(RouteKind::Refused, 1);
                self.phase = after(request.keep_alive);
                None
            }
        }
    }

    /// Answers a request that has been read whole, now or later.
    fn answer(
        &mut self,
        request: Request,
        payload: Payload<'_>,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Option<Need> {
        if let Route::WebSocket(plan) = request.route {
            return self.upgrade(plan, &request, &payload.head, desk, out);
        }
        match release(request.route, desk) {
            Release::Now => match self.finish(&request, 0, payload, desk, out) {
                Tail::Nothing => None,
                tail => Some(Need::Tail(tail)),
            },
            Release::At { at_ns, delay_ns } => {
                self.phase = Phase::Waiting { request, delay_ns };
                Some(Need::Time(at_ns))
            }
            Release::Refused => self.refuse(TOO_MANY_RUNS, desk, out),
        }
    }

    fn finish(
        &mut self,
        request: &Request,
        delay_ns: u64,
        payload: Payload<'_>,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Tail {
        let mut request = *request;
        request.keep_alive &= request.route != Route::Close;
        // The end of the connection is the end of such a body.
        request.keep_alive &= !(request.http_1_0 && matches!(request.route, Route::Chunked(_)));
        let tail = answer::write(&request, delay_ns, payload, desk, out);
        desk.counts().count_served(RouteKind::from(request.route), 1);
        desk.counts().shop.count(&request);
        self.phase = after(request.keep_alive);
        tail
    }

    fn refuse(&mut self, refusal: Refusal, desk: &mut Desk, out: &mut Vec<u8>) -> Option<Need> {
        answer::write_refusal(refusal, desk, out);
        desk.counts().count_served(RouteKind::Refused, 1);
        self.phase = Phase::Ended { midway: true, alarm_ns: None };
        Some(Need::Sent)
    }
}

/// What comes after a request that is answered.
fn after(keep_alive: bool) -> Phase {
    if keep_alive { Phase::Head } else { Phase::Ended { midway: false, alarm_ns: None } }
}

/// The body that `rest` begins with, if it is of known length and all there.
fn whole_body(framing: BodyFraming, rest: &[u8]) -> Option<&[u8]> {
    match framing {
        BodyFraming::None => Some(&[]),
        BodyFraming::Length(bytes) => rest.get(..usize::try_from(bytes).ok()?),
        BodyFraming::Chunked => None,
    }
}

/// Opens a WebSocket, which takes a GET without a body from a client of HTTP/1.1.
fn open(
    plan: Plan,
    request: &Request,
    head: &[u8],
    out: &mut Vec<u8>,
) -> Result<(Session, Option<Step>), NoUpgrade> {
    let is_get = request.method == Method::Get && request.body == BodyFraming::None;
    if !is_get || request.http_1_0 {
        return Err(NoUpgrade::bad("a WebSocket opens with a GET of HTTP/1.1 without a body"));
    }
    Session::open(plan, head, out)
}

/// When a request for `route` that has just come is to be answered.
fn release(route: Route, desk: &Desk) -> Release {
    let delay_ns = match route {
        Route::Delay { ns } => Some(ns),
        Route::RandomDelay(draw) => desk.shared.sequences.next_ns(draw),
        Route::Stall(plan) => {
            let now = now_ns();
            desk.shared.stalls.release_at(plan, now).map(|at| at - now)
        }
        _ => return Release::Now,
    };
    match delay_ns {
        None => Release::Refused,
        Some(0) => Release::Now,
        Some(delay_ns) => Release::At { at_ns: now_ns() + delay_ns, delay_ns },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::shared::Shared;

    const ROOT: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn desk() -> Desk {
        Desk::new(Arc::new(Shared::new(1).unwrap()), 0)
    }

    /// Feeds `input` in pieces, repeating what was not used, as a connection does; the output and
    /// the last need.
    fn feed(input: &str, piece: usize) -> (String, Need) {
        let (mut desk, mut dialogue, mut out) = (desk(), Dialogue::new(), Vec::new());
        let (mut used, mut need) = (0, Need::Input);
        for end in (piece..input.len()).step_by(piece).chain([input.len()]) {
            let (taken, next) = dialogue.advance(&input.as_bytes()[used..end], &mut desk, &mut out);
            (used, need) = (used + taken, next);
        }
        (String::from_utf8(out).unwrap(), need)
    }

    #[test]
    fn a_mix_of_requests_is_answered_alike_at_every_split() {
        let input = format!(
            "{ROOT}{ROOT}HEAD / HTTP/1.1\r\nHost: a\r\n\r\n{ROOT}\
             POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
             PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
             POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\nuser=a\
             GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n{ROOT}{ROOT}"
        );
        let (whole, _) = feed(&input, input.len());
        assert_eq!(whole.matches("HTTP/1.1 ").count(), 10);
        assert!(whole.contains(r#""user":"a"}"#), "the head and the body of a login are kept");
        assert_eq!(whole.matches("hello world\n").count(), 5);
        for piece in 1..input.len() {
            let (out, need) = feed(&input, piece);
            assert_eq!(need, Need::Input, "pieces of {piece}");
            // The Date of two desks may differ; the lengths cannot.
            assert_eq!(out.len(), whole.len(), "pieces of {piece}");
        }
    }

    #[test]
    fn an_answer_put_off_stops_the_requests_behind_it() {
        let (mut desk, mut dialogue, mut out) = (desk(), Dialogue::new(), Vec::new());
        let delayed = "GET /delay/1 HTTP/1.1\r\nHost: a\r\n\r\n";
        let input = format!("{delayed}{ROOT}");
        let (used, need) = dialogue.advance(input.as_bytes(), &mut desk, &mut out);
        assert!(matches!(need, Need::Time(_)) && dialogue.is_waiting());
        assert_eq!((used, out.len()), (delayed.len(), 0));
        assert_eq!(dialogue.resume(false, &mut desk, &mut out), None);
        assert!(out.ends_with(b"delayed 1.000000 ms\n"));
        let (rest, need) = dialogue.advance(ROOT.as_bytes(), &mut desk, &mut out);
        assert_eq!((rest, need), (ROOT.len(), Need::Input));
        assert!(out.ends_with(b"hello world\n"));
    }

    #[test]
    fn what_one_read_can_make_is_bounded() {
        let (mut desk, mut dialogue, mut out) = (desk(), Dialogue::new(), Vec::new());
        let input = "GET /bytes/16000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
        let (used, need) = dialogue.advance(input.as_bytes(), &mut desk, &mut out);
        assert!(used < input.len() && need == Need::Sent);
        assert!(out.len() < OUTPUT_BYTES_HIGH + 20_000, "{}", out.len());
    }

    #[test]
    fn nothing_is_answered_after_the_end() {
        let (mut desk, mut dialogue, mut out) = (desk(), Dialogue::new(), Vec::new());
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{ROOT}");
        dialogue.advance(input.as_bytes(), &mut desk, &mut out);
        assert!(dialogue.has_ended() && !dialogue.has_ended_midway());
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200").count(), 1);
        assert!(text.contains("Connection: close\r\n"));
    }

    #[test]
    fn a_request_that_expects_so_is_told_to_continue() {
        let head =
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        let (out, need) = feed(head, head.len());
        assert_eq!((out.as_str(), need), ("HTTP/1.1 100 Continue\r\n\r\n", Need::Input));
    }
}
