//! The HTTP client of a task: one user's connections, cookies and headers, and the calls made with them.
//!
//! A [`Session`] behaves as Locust's `self.client`: paths are appended to the host, redirects followed, cookies kept, and
//! each call is one sample, recorded before `send` gives the response back. A call that fails gives a response too, with
//! status 0; when no exchange is permitted any more it gives nothing and waits until the engine drops the task.
//!
//! - `call`: one call being put together. `outgoing`: what it sends, and what a redirect makes of that.
//! - `hop`: one request on one connection. `prepared`: calls whose every byte but the slots' is known before the run.
//! - `response`, `verdict`: what came back, and whether it counts as a success. `content`: its compression.
//! - `secure`: TLS for other protocols. `upgrade`: handshakes of WebSockets.
//! - `settings`, `cookies`, `location`, `origins`, `body`: what their names say.

mod body;
mod call;
mod content;
mod cookies;
mod hop;
mod location;
mod origins;
mod outgoing;
mod prepared;
mod response;
mod secure;
mod settings;
mod upgrade;
mod verdict;

pub use body::Part;
pub use call::Call;
pub use location::LocationError;
pub use origins::{KnownHosts, Origins};
pub use prepared::{PrepareError, PreparedCall, PreparedParts, PreparedReply, Reads, View};
pub use response::{BodyError, Response};
pub use settings::{SessionOptions, SessionSettings};
pub use upgrade::UpgradeParts;
pub use verdict::{Checked, StatusRule, Verdict};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use bytes::BytesMut;
use loadr_protocols::http1::{Method, RequestError, check_field};

use super::backoff::Backoff;
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::tls::TlsClient;
use crate::user::{Context, Permit};
use cookies::Jar;
use hop::{Idle, Tally};

/// Largest buffer, in bytes, that a session keeps for its next call.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

/// One user's client; clones are handles to the same.
#[derive(Clone)]
pub struct Session {
    state: Rc<State>,
    context: Context,
}

struct State {
    settings: Rc<SessionSettings>,
    idle: RefCell<Vec<Idle>>,
    /// The user's side of TLS, made for its first connection.
    tls: Cell<Option<Rc<TlsClient>>>,
    /// What sets this user apart; most have nothing.
    personal: RefCell<Option<Box<Personal>>>,
    scratch: Cell<Option<Box<Scratch>>>,
    backoff: RefCell<Backoff>,
    /// No call begins before this moment, because the last ones failed.
    rests_until_ns: Cell<u64>,
}

#[derive(Default)]
struct Personal {
    jar: Jar,
    headers: Vec<(String, Vec<u8>)>,
    request_name: Option<String>,
}

/// Memory that a session uses again.
#[derive(Default)]
struct Scratch {
    request: BytesMut,
    lines: Vec<u8>,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Session {
    /// A session without connections or cookies.
    pub fn new(context: Context, settings: Rc<SessionSettings>) -> Self {
        let backoff = Backoff::new(settings.options.seed ^ context.user_index());
        let state = State {
            settings,
            idle: RefCell::default(),
            tls: Cell::default(),
            personal: RefCell::default(),
            scratch: Cell::default(),
            backoff: RefCell::new(backoff),
            rests_until_ns: Cell::new(0),
        };
        Self { state: Rc::new(state), context }
    }

    /// The same session, used by other work of its user: what is recorded through it is that work's.
    pub fn with_context(&self, context: Context) -> Self {
        Self { state: Rc::clone(&self.state), context }
    }

    /// A GET of `url`: a path, or a whole URL.
    pub fn get<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Get, url)
    }

    /// A POST to `url`.
    pub fn post<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Post, url)
    }

    /// A PUT to `url`.
    pub fn put<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Put, url)
    }

    /// A PATCH of `url`.
    pub fn patch<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Patch, url)
    }

    /// A DELETE of `url`.
    pub fn delete<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Delete, url)
    }

    /// A HEAD of `url`, whose redirects are not followed unless the call says so.
    pub fn head<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Head, url)
    }

    /// An OPTIONS request to `url`.
    pub fn options<'c>(&self, url: impl Into<String>) -> Call<'c> {
        self.call(Method::Options, url)
    }

    /// A request of any method; a name that is no method makes the call fail when it is sent.
    pub fn request<'c>(&self, method: &str, url: impl Into<String>) -> Call<'c> {
        match method.parse() {
            Ok(method) => self.call(method, url),
            Err(error) => self.call(Method::Get, url).fault(&error),
        }
    }

    fn call<'c>(&self, method: Method, url: impl Into<String>) -> Call<'c> {
        Call::new(self.clone(), method, url.into())
    }

    /// Counts the calls that follow under `name`, unless they have their own; `None` goes back to their paths.
    pub fn set_request_name(&self, name: Option<&str>) {
        self.personal(|personal| personal.request_name = name.map(str::to_owned));
    }

    /// As [`Self::set_request_name`], until the guard is dropped.
    pub fn rename_requests(&self, name: &str) -> RenameGuard {
        let before = self.request_name();
        self.set_request_name(Some(name));
        RenameGuard { session: self.clone(), before }
    }

    fn request_name(&self) -> Option<String> {
        self.state.personal.borrow().as_ref().and_then(|personal| personal.request_name.clone())
    }

    /// Sends a header field with every call that follows, in place of one of that name of the options; an Authorization
    /// only to the host. A [`PreparedCall`] keeps those that it and the options have.
    ///
    /// # Errors
    /// The name or the value cannot stand in a request.
    pub fn set_header(&self, name: &str, value: impl AsRef<[u8]>) -> Result<(), RequestError> {
        let value = value.as_ref().trim_ascii().to_vec();
        check_field(name, &value)?;
        self.remove_header(name);
        self.personal(|personal| personal.headers.push((name.to_owned(), value)));
        Ok(())
    }

    /// Sends a header field of [`Self::set_header`] no more.
    pub fn remove_header(&self, name: &str) {
        if let Some(personal) = &mut *self.state.personal.borrow_mut() {
            personal.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        }
    }

    /// Authenticates the calls to the host that follow (RFC 7617).
    pub fn set_basic_auth(&self, user: &str, password: &str) {
        let value = location::basic(user.as_bytes(), password.as_bytes());
        self.set_header("Authorization", value).expect("base64 can stand in a header field");
    }

    /// The value of the first cookie called `name`.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let personal = self.state.personal.borrow();
        personal.as_ref().and_then(|personal| personal.jar.value(name).map(str::to_owned))
    }

    /// Sets a cookie for the host of this session; without a host it does nothing.
    ///
    /// # Errors
    /// The name or the value cannot stand in a request.
    pub fn set_cookie(&self, name: &str, value: &str) -> Result<(), RequestError> {
        check_field(name, value.as_bytes())?;
        if let Some(host) = &self.state.settings.host {
            self.personal(|personal| personal.jar.set(name, value, &host.location.host()));
        }
        Ok(())
    }

    /// Makes this the session of a new user: without connections, cookies, headers of its own, authentication, name or
    /// TLS sessions to resume.
    pub fn clear(&self) {
        // Taken out first: whatever dropping them does, nothing is borrowed.
        let idle = self.state.idle.take();
        let personal = self.state.personal.take();
        let tls = self.state.tls.take();
        drop((idle, personal, tls));
    }

    /// The user's side of TLS.
    pub(crate) fn tls_client(&self) -> Rc<TlsClient> {
        let known = self.state.tls.take();
        let client = known
            .unwrap_or_else(|| Rc::new(TlsClient::new(self.state.settings.options.tls.clone())));
        self.state.tls.set(Some(Rc::clone(&client)));
        client
    }

    fn personal(&self, change: impl FnOnce(&mut Personal)) {
        change(self.state.personal.borrow_mut().get_or_insert_default());
    }

    fn session_options(&self) -> &SessionOptions {
        &self.state.settings.options
    }

    /// Leave for one exchange, after the wait that failed ones before it made due; waits for ever at the end of the run.
    async fn permit(&self) -> Permit {
        // The clock is asked only where something has failed before.
        let rests_until_ns = self.state.rests_until_ns.take();
        if rests_until_ns > 0 {
            self.context.sleep_until(rests_until_ns).await;
        }
        match self.context.permit_in_task(1).await {
            Some(permit) => permit,
            None => std::future::pending().await,
        }
    }

    /// A target that does not answer must not spin a core; one that does is called again at once.
    fn note_health(&self, answered: bool) {
        let mut backoff = self.state.backoff.borrow_mut();
        if answered {
            backoff.reset();
        } else {
            let wait_ns = nanos(backoff.next_wait());
            self.state.rests_until_ns.set(self.context.now_ns() + wait_ns);
        }
    }

    fn entry(&self, sample_type: &str, name: &str) -> EntryIndex {
        self.context.entry(EntryKind::Exchange, sample_type, name)
    }

    fn record(&self, entry: EntryIndex, sample: &Sample<'_>) {
        let exchange = Exchange {
            start_ns: sample.start_ns,
            end_ns: sample.end_ns,
            body_bytes: sample.body_bytes,
            bytes_received: sample.tally.bytes_received,
            bytes_sent: sample.tally.bytes_sent,
            failed: sample.failure.is_some(),
        };
        match sample.failure {
            None => self.context.record(entry, &exchange),
            Some(failure) => self.context.record_failure(entry, &exchange, failure),
        }
    }

    fn take_scratch(&self) -> Box<Scratch> {
        self.state.scratch.take().unwrap_or_default()
    }

    fn put_scratch(&self, mut scratch: Box<Scratch>) {
        for buffer in [&mut scratch.lines, &mut scratch.head, &mut scratch.body] {
            buffer.clear();
            buffer.shrink_to(SCRATCH_BYTES_MAX);
        }
        if scratch.request.capacity() > SCRATCH_BYTES_MAX {
            scratch.request = BytesMut::new();
        }
        self.state.scratch.set(Some(scratch));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user", &self.context.user_index()).finish_non_exhaustive()
    }
}

/// What a finished call is recorded as.
struct Sample<'s> {
    start_ns: u64,
    end_ns: u64,
    body_bytes: u64,
    tally: &'s Tally,
    failure: Option<&'s Failure>,
}

/// Whether a failure is the run's end, which is nobody's sample: the task waits for its own.
async fn unless_cancelled(failure: &Failure) {
    if failure.kind == FailureKind::Cancelled {
        std::future::pending::<()>().await;
    }
}

/// While it lives, calls are counted under the name that [`Session::rename_requests`] was given.
#[must_use = "the name is given back when the guard is dropped"]
#[derive(Debug)]
pub struct RenameGuard {
    session: Session,
    before: Option<String>,
}

impl Drop for RenameGuard {
    fn drop(&mut self) {
        let before = self.before.take();
        self.session.set_request_name(before.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        // One allocation: the state and the counts of its handles.
        assert!(size_of::<State>() + 16 <= 200, "{} bytes", size_of::<State>());
        assert_eq!(size_of::<Session>(), 32);
    }
}
