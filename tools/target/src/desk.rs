//! What a server thread needs to answer requests: ready answers, the last head seen, counters.
//!
//! The fast path is here. A load generator sends the same head over and over, so the thread keeps
//! the last one with the decision made about it; the next request is compared with it, one
//! `memcmp`, before anything is parsed. Requests for `/` that follow one another in a read are
//! counted by that comparison alone and answered by one copy from a block of ready answers.

use std::sync::Arc;
use std::time::SystemTime;

use crate::request::{self, BodyFraming, Method, Refusal, Request};
use crate::response::{Framing, Heads};
use crate::route::Route;
use crate::shared::Shared;
use crate::stats::{RouteKind, ThreadCounts};

/// The content of the answer to `/`.
pub(crate) const ROOT_CONTENT: &[u8] = b"hello world\n";

/// How many answers to `/` are kept ready in a row.
const ROOT_ANSWERS: usize = 512;

/// The equipment of one server thread.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) heads: Heads,
    pub(crate) shared: Arc<Shared>,
    thread: usize,
    root_answers: Vec<u8>,
    last: LastHead,
}

/// The last head that was parsed.
#[derive(Debug, Default)]
struct LastHead {
    bytes: Vec<u8>,
    request: Option<Request>,
    /// The request is answered by a copy of the ready answer to `/`.
    is_plain_root: bool,
}

impl Desk {
    pub(crate) fn new(shared: Arc<Shared>, thread: usize) -> Self {
        let heads = Heads::new(SystemTime::now());
        let mut root_answer = Vec::new();
        heads.write(200, Framing::Text(ROOT_CONTENT.len()), true, &mut root_answer);
        root_answer.extend_from_slice(ROOT_CONTENT);
        let root_answers = root_answer.repeat(ROOT_ANSWERS);
        Self { heads, shared, thread, root_answers, last: LastHead::default() }
    }

    pub(crate) fn counts(&self) -> &ThreadCounts {
        &self.shared.counts[self.thread]
    }

    /// Answers the requests for `/` that `input` begins with, as far as the fast path knows them:
    /// the bytes they took.
    #[inline]
    pub(crate) fn answer_roots(&self, input: &[u8], out: &mut Vec<u8>) -> usize {
        if !self.last.is_plain_root {
            return 0;
        }
        let head = self.last.bytes.as_slice();
        let repeats = input.chunks_exact(head.len()).take(ROOT_ANSWERS);
        let requests = repeats.take_while(|&next| next == head).count();
        if requests == 0 {
            return 0;
        }
        out.extend_from_slice(&self.root_answers[..requests * self.root_answer_len()]);
        self.counts().count_served(RouteKind::Root, requests as u64);
        requests * head.len()
    }

    fn root_answer_len(&self) -> usize {
        self.root_answers.len() / ROOT_ANSWERS
    }

    /// Reads the head that `input` begins with, by comparison or by parsing; see
    /// [`request::parse`].
    pub(crate) fn read_head(&mut self, input: &[u8]) -> Result<Option<(Request, usize)>, Refusal> {
        if let Some(request) = self.last.request
            && input.starts_with(&self.last.bytes)
        {
            return Ok(Some((request, self.last.bytes.len())));
        }
        let parsed = request::parse(input)?;
        if let Some((request, len)) = parsed {
            self.last.keep(&input[..len], request);
        }
        Ok(parsed)
    }
}

impl LastHead {
    fn keep(&mut self, head: &[u8], request: Request) {
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
        self.request = Some(request);
        // HEAD is answered otherwise, and the shop counts other methods apart.
        self.is_plain_root = request.route == Route::Root
            && request.keep_alive
            && request.method == Method::Get
            && request.body == BodyFraming::None;
    }
}
