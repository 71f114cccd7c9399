//! One call being put together, sent, checked and recorded.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use loadr_protocols::http1::Method;
use serde::Serialize;

use super::body::{self, Part};
use super::hop::{Bounds, Collected, Tally};
use super::location::{self, Location};
use super::outgoing::{Arrived, Outgoing, unsendable};
use super::response::{Read, Response};
use super::verdict::{Checked, StatusRule};
use super::{Sample, Session, unless_cancelled};
use crate::clock::nanos;
use crate::outcome::Failure;
use crate::random::SplitMix64;
use crate::user::Permit;

type Check<'c> = Box<dyn FnOnce(&mut Checked<'_>) + 'c>;

/// A call of a [`Session`], sent by [`Self::send`].
#[must_use = "a call does nothing until it is sent"]
pub struct Call<'c> {
    session: Session,
    method: Method,
    url: String,
    name: Option<String>,
    /// What it is counted as, where that is not its method.
    sample_type: Option<Cow<'static, str>>,
    headers: Vec<(String, Vec<u8>)>,
    query: Vec<(String, String)>,
    /// With the content type that goes with it, unless the headers name another.
    body: Option<(Option<String>, Bytes)>,
    authorization: Option<String>,
    timeout: Option<Duration>,
    follow: bool,
    close: bool,
    status_rule: StatusRule,
    check: Option<Check<'c>>,
    /// What is wrong with the call itself.
    fault: Option<Failure>,
}

impl<'c> Call<'c> {
    pub(super) fn new(session: Session, method: Method, url: String) -> Self {
        Self {
            session,
            // requests follows no redirect of a HEAD.
            follow: method != Method::Head,
            method,
            url,
            name: None,
            sample_type: None,
            headers: Vec::new(),
            query: Vec::new(),
            body: None,
            authorization: None,
            timeout: None,
            close: false,
            status_rule: StatusRule::default(),
            check: None,
            fault: None,
        }
    }

    pub(in crate::client) fn fault(mut self, error: &dyn std::error::Error) -> Self {
        self.fault.get_or_insert_with(|| unsendable(error));
        self
    }

    /// The name that the call is counted under, instead of its path and query.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What the call is counted as in the place of its method, for a protocol that HTTP carries.
    pub fn sample_type(mut self, sample_type: impl Into<Cow<'static, str>>) -> Self {
        self.sample_type = Some(sample_type.into());
        self
    }

    /// Adds a header field.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Appends pairs to the URL's query, encoded as a form.
    pub fn query<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.query.extend(strings(pairs));
        self
    }

    /// Sends a form.
    pub fn form<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs: Vec<_> = strings(pairs).collect();
        let (content_type, body) = body::form(&pairs);
        self.body = Some((Some(content_type), body));
        self
    }

    /// Sends a value as JSON; one that cannot be written as such makes the call fail when it is sent.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => {
                self.body = Some((Some("application/json".to_owned()), body.into()));
                self
            }
            Err(error) => self.fault(&error),
        }
    }

    /// Sends a form of several parts, files among them.
    pub fn multipart(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        let parts: Vec<Part> = parts.into_iter().collect();
        let context = &self.session.context;
        let mut random = SplitMix64::new(context.user_index() ^ context.now_ns().rotate_left(32));
        let (content_type, body) = body::multipart(&parts, &mut random);
        self.body = Some((Some(content_type), body));
        self
    }

    /// Sends bytes; their type is the caller's to name.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some((None, body.into()));
        self
    }

    /// Time to the last byte of the response, redirects included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Authenticates this call (RFC 7617).
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(location::basic(user.as_bytes(), password.as_bytes()));
        self
    }

    /// Authenticates this call by a token (RFC 6750).
    pub fn bearer(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    /// Whether redirects are followed: by default all but those of a HEAD.
    pub fn follow_redirects(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Whether the connection is kept for later calls; without, the target is asked to close it.
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.close = !keep_alive;
        self
    }

    /// The statuses that are successes: one, or an array of them.
    pub fn expect_status(mut self, expected: impl Into<StatusRule>) -> Self {
        self.status_rule = expected.into();
        self
    }

    /// Looks at the response before it is recorded, and may decide what it counts as.
    pub fn check(mut self, check: impl FnOnce(&mut Checked<'_>) + 'c) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Sends the call, follows redirects, records the sample and gives what came back.
    ///
    /// It does not fail: without a response the status is 0 and [`Response::error`] says why. Once no exchange is
    /// permitted any more it waits for ever, and the engine drops the task.
    pub async fn send(mut self) -> Response {
        let session = self.session.clone();
        let permit = session.permit().await;
        let mut tally = Tally::default();
        let mut collected = Collected { keep_head: true, keep_body: true, ..Collected::default() };
        let (name, arrived) = self.exchange(permit, &mut tally, &mut collected).await;
        if let Err(failure) = &arrived {
            unless_cancelled(failure).await;
        }
        session.note_health(arrived.is_ok());
        let end_ns = arrived
            .as_ref()
            .map_or_else(|_| session.context.now_ns(), |arrived| arrived.response.end_ns);
        let body_bytes = arrived.as_ref().map_or(0, |arrived| arrived.response.body_bytes);
        let elapsed = Duration::from_nanos(end_ns.saturating_sub(permit.start_ns));
        let response = self.response(arrived, collected, elapsed);
        let response = self.judge(response);
        let sample = Sample {
            start_ns: permit.start_ns,
            end_ns,
            body_bytes,
            tally: &tally,
            failure: response.failure.as_ref(),
        };
        let sample_type = self.sample_type.as_deref().unwrap_or(self.method.as_str());
        session.record(session.entry(sample_type, &name), &sample);
        session.await_close(tally.closing).await;
        response
    }

    /// The name to count under, and what came of the call.
    async fn exchange(
        &mut self,
        permit: Permit,
        tally: &mut Tally,
        collected: &mut Collected,
    ) -> (String, Result<Arrived, Failure>) {
        let session = self.session.clone();
        let named = self.name.take().or_else(|| session.request_name());
        let location = Location::of_call(session.state.settings.host_text(), &self.url);
        let mut location = match location {
            Ok(location) => location,
            Err(error) => return (named.unwrap_or_else(|| self.url.clone()), Err(error.into())),
        };
        location.add_query(&self.query);
        let name = named.unwrap_or_else(|| location.target().to_owned());
        if let Some(fault) = self.fault.take() {
            return (name, Err(fault));
        }
        let options = session.session_options();
        let timeout = self.timeout.unwrap_or(options.timeout);
        let bounds = Bounds {
            deadline_ns: permit.start_ns.saturating_add(nanos(timeout)),
            timeout,
            body_bytes_max: Some(options.body_bytes_max as u64),
        };
        let outgoing = self.outgoing(location);
        (name, session.go(outgoing, self.follow, &bounds, tally, collected).await)
    }

    fn outgoing(&mut self, location: Location) -> Outgoing {
        let mut headers = std::mem::take(&mut self.headers);
        let (content_type, body) = self.body.take().unzip();
        let named = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(content_type) = content_type.flatten().filter(|_| !named) {
            headers.push(("Content-Type".to_owned(), content_type.into_bytes()));
        }
        let authorization = self.authorization.take().or_else(|| location.authorization());
        Outgoing {
            method: self.method.clone(),
            location,
            headers,
            body,
            close: self.close,
            authorization,
            at_home: true,
            redirects: 0,
        }
    }

    fn response(
        &self,
        arrived: Result<Arrived, Failure>,
        collected: Collected,
        elapsed: Duration,
    ) -> Response {
        let decoded_bytes_max = self.session.session_options().body_bytes_max;
        let (status, url, error) = match arrived {
            Ok(arrived) => (arrived.response.status, arrived.location.shown(), None),
            Err(failure) => (0, self.url.clone(), Some(failure)),
        };
        let (head, raw_body) = match status {
            0 => Default::default(),
            _ => (collected.head, Bytes::from(collected.body)),
        };
        let (failure, read) = (None, Read::default());
        Response { status, head, raw_body, decoded_bytes_max, url, elapsed, error, failure, read }
    }

    /// Runs the check and decides what the call counts as.
    fn judge(&mut self, mut response: Response) -> Response {
        let mut checked = Checked::new(&response);
        if let Some(check) = self.check.take() {
            check(&mut checked);
        }
        let verdict = checked.verdict;
        let default = match &response.error {
            Some(failure) => Some(failure.clone()),
            None => self
                .status_rule
                .failure(response.status)
                .or_else(|| response.body_failure().cloned()),
        };
        response.failure = verdict.settle(default);
        response
    }
}

fn strings<K: Into<String>, V: Into<String>>(
    pairs: impl IntoIterator<Item = (K, V)>,
) -> impl Iterator<Item = (String, String)> {
    pairs.into_iter().map(|(key, value)| (key.into(), value.into()))
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
