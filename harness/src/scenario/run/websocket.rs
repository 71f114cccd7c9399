//! Steps on the user's WebSocket.
//!
//! The connection is the user's, and lives from task to task. It is read from at all times, between steps too: so that
//! messages are counted when they come, and pings and keep-alives answered. A step that finds no connection makes one, to
//! where the last one led.

mod class;
mod message;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use loadr_engine::client::session::UpgradeParts;
use loadr_engine::client::websocket::{SampleName, View, WebSocket};
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::EntryKind;
use loadr_engine::task::{TaskExit, TaskResult};
use loadr_engine::user::{Context, Sample};

use super::calls::basic;
use super::pieces::{push_placeholder, rendered};
use super::send::pairs;
use super::user::ScenarioUser;
use crate::scenario::step::Auth;
use crate::scenario::step::websocket::{Connect, SocketAction};
use crate::scenario::template::{Template, Unset, Values};

pub(super) use class::{SocketClassCode, SocketCode};

use class::SocketName;
use message::Arrived;

/// A user's WebSocket; clones are the same.
#[derive(Clone)]
pub(super) struct UserSocket {
    client: WebSocket,
    /// Where the last connection led.
    target: Rc<RefCell<Option<Rc<Target>>>>,
}

/// Where a connection leads, and what it is counted under.
struct Target {
    url: String,
    parts: UpgradeParts,
    kind: Box<str>,
    name: String,
    timeout: Duration,
}

impl UserSocket {
    pub(super) fn new(class: &SocketClassCode, context: &Context) -> Self {
        let client = WebSocket::new(context.clone(), Rc::clone(&class.settings));
        Self { client, target: Rc::default() }
    }

    /// The same, used by other work of its user.
    pub(super) fn with_context(&self, context: &Context) -> Self {
        Self { client: self.client.with_context(context.clone()), ..self.clone() }
    }

    /// Makes this the WebSocket of a new user.
    pub(super) fn clear(&self) {
        self.client.disconnect();
        self.target.take();
    }
}

impl ScenarioUser {
    fn user_socket(&self) -> &UserSocket {
        self.socket.as_ref().expect("a class with such a step has WebSockets")
    }

    fn socket_class(&self) -> &SocketClassCode {
        self.class.websocket.as_ref().expect("a class with such a step has WebSockets")
    }

    /// Has messages that no step waits for counted and answered.
    pub(super) fn listen(self: &Rc<Self>) {
        let (Some(socket), Some(class)) = (&self.socket, &self.class.websocket) else { return };
        // Weak, for the user holds the WebSocket that holds this.
        let user = Rc::downgrade(self);
        socket.client.on_message(move |view| {
            if let Some(user) = user.upgrade() {
                user.heed(view);
            }
            false
        });
        for pushes in &class.pushes {
            socket.client.count_pushes(pushes.clone());
        }
    }

    /// Does with a message what the rules say, apart from counting it.
    fn heed(&self, view: &View<'_>) {
        let rules = &self.socket_class().rules;
        let Some(rule) = rules.iter().find(|rule| rule.matcher.matches(view)) else { return };
        let arrived = Arrived::new(view, Duration::ZERO);
        let missing = self.keep(&rule.extract, &arrived).map_err(|unset| self.unset(unset));
        let answered = match missing {
            Ok(None) => rule.answer.as_ref().map_or(Ok(()), |answer| self.answer(answer)),
            Ok(Some(missing)) => Err(TaskExit::error(missing)),
            Err(exit) => Err(exit),
        };
        if let Err(TaskExit::Error(message)) = answered {
            let place = format!("{}.on_message", self.class.name);
            self.context.record_exception(&place, &message);
        }
    }

    /// Does a step, and counts it.
    pub(super) async fn websocket(&self, code: &SocketCode) -> TaskResult {
        let step = &code.step;
        let client = self.user_socket().client.with_timeout(code.timeout);
        match &step.action {
            SocketAction::Connect(connect) => return self.connect(code, connect).await,
            SocketAction::Close { code: close_code, reason } => {
                let (name, reason) = (self.sample_name(code)?, self.rendered(reason)?);
                // Counted by now, as all that fails below.
                let _ = client.close_as(name, Some(*close_code), &reason).await;
                return Ok(());
            }
            _ => {}
        }
        if !self.has_connection().await? {
            return self.fall_back(&step.extract);
        }
        match &step.action {
            SocketAction::Send(message) => {
                let (name, start_ns) = (self.sample_name(code)?, self.context.now_ns());
                let message = self.message(message)?;
                let outcome = client.send_as(name, message.outgoing()).await;
                self.put_message(message);
                self.count_if_failed(code, name, start_ns, outcome);
                Ok(())
            }
            SocketAction::Ping => {
                let (name, start_ns) = (self.sample_name(code)?, self.context.now_ns());
                let outcome = client.ping_as(name).await;
                self.count_if_failed(code, name, start_ns, outcome);
                Ok(())
            }
            _ => self.receive(code, &client).await,
        }
    }

    /// Waits for a message, having sent another if it is a reply; judges it and keeps what is to be kept of it.
    async fn receive(&self, code: &SocketCode, client: &WebSocket) -> TaskResult {
        let step = &code.step;
        let name = self.sample_name(code)?;
        let matcher = self.read(|scope| code.matcher(scope))?;
        let start_ns = self.context.now_ns();
        let (heard, unset) = (Cell::new(false), Cell::new(None));
        let read = |view: &View<'_>| {
            heard.set(true);
            let took = Duration::from_nanos(view.arrived_ns().saturating_sub(start_ns));
            match self.judge_message(code, &Arrived::new(view, took)) {
                Ok(None) => Ok(()),
                Ok(Some(text)) => Err(Failure::new(FailureKind::Check, text)),
                Err(missing) => {
                    unset.set(Some(missing));
                    Ok(())
                }
            }
        };
        let outcome = match &step.action {
            SocketAction::Request { message, .. } => {
                let message = self.message(message)?;
                let request = client.request(message.outgoing()).matching(&matcher);
                let outcome = request.name(name).timeout(code.timeout).read(read).await;
                self.put_message(message);
                outcome
            }
            _ => client.recv_with(name, &matcher, read).await,
        };
        self.count_if_failed(code, name, start_ns, outcome);
        match unset.get() {
            Some(unset) => Err(self.unset(unset)),
            None if heard.get() => Ok(()),
            None => self.fall_back(&step.extract),
        }
    }

    /// What is wrong with a message, if anything is.
    fn judge_message(
        &self,
        code: &SocketCode,
        arrived: &Arrived<'_, '_>,
    ) -> Result<Option<String>, Unset> {
        let failure = self.look(|scope| code.step.expect.failure(arrived, scope))?;
        Ok(failure.or(self.keep(&code.step.extract, arrived)?))
    }

    /// Counts what has no name and so was not counted by the client, if it failed.
    fn count_if_failed<T>(
        &self,
        code: &SocketCode,
        name: SampleName<'_>,
        start_ns: u64,
        outcome: Result<T, Failure>,
    ) {
        if let (Err(failure), SampleName::Uncounted) = (outcome, name) {
            self.record_socket(&code.step.kind, code.step.action.verb(), start_ns, failure);
        }
    }

    /// Counts a failure that the client has not counted.
    fn record_socket(&self, kind: &str, name: &str, start_ns: u64, failure: Failure) {
        let response_time = Duration::from_nanos(self.context.now_ns().saturating_sub(start_ns));
        self.context.record_sample(&Sample {
            method: kind,
            name,
            start_ns,
            response_time,
            body_bytes: 0,
            failure: Some(failure),
        });
    }

    fn sample_name(&self, code: &SocketCode) -> Result<SampleName<'static>, TaskExit> {
        Ok(match &code.name {
            SocketName::Entry(_, entry) => SampleName::Entry(*entry),
            SocketName::Rendered(name) => {
                let name = self.rendered(name)?;
                SampleName::Entry(self.context.entry(EntryKind::Exchange, &code.step.kind, &name))
            }
            SocketName::None => SampleName::Uncounted,
        })
    }

    /// Connects, having said goodbye to where it was connected.
    async fn connect(&self, code: &SocketCode, connect: &Connect) -> TaskResult {
        let target = Rc::new(Target {
            url: self.read(|scope| url(&connect.url, scope))?,
            parts: self.read(|scope| self.socket_class().parts(connect, scope))?,
            kind: code.step.kind.clone(),
            name: match &code.name {
                SocketName::Entry(name, _) => name.clone(),
                SocketName::Rendered(name) => self.rendered(name)?,
                SocketName::None => unreachable!("a connection has a name"),
            },
            timeout: code.timeout,
        });
        let socket = self.user_socket();
        *socket.target.borrow_mut() = Some(Rc::clone(&target));
        let _ = socket.client.with_timeout(code.timeout).close().await;
        self.open(&target).await;
        Ok(())
    }

    /// Whether there is a connection, one having been tried to make where there was none.
    async fn has_connection(&self) -> Result<bool, TaskExit> {
        let socket = self.user_socket();
        if socket.client.is_connected() {
            return Ok(true);
        }
        let known = socket.target.borrow().clone();
        let target = match known {
            Some(target) => target,
            None => Rc::new(self.read(|scope| self.socket_class().fallback(scope))?),
        };
        Ok(self.open(&target).await)
    }

    /// Makes a connection as who the user is by now: its cookies may be others than before.
    async fn open(&self, target: &Target) -> bool {
        let client = &self.user_socket().client;
        match self.session.route(&target.url, &target.parts) {
            Ok(route) => client.set_route(Some(route)),
            Err(failure) => {
                let now_ns = self.context.now_ns();
                self.record_socket(&target.kind, &target.name, now_ns, failure);
                return false;
            }
        }
        let entry = self.context.entry(EntryKind::Exchange, &target.kind, &target.name);
        client.with_timeout(target.timeout).connect_as(entry).await.is_ok()
    }
}

impl SocketClassCode {
    /// Where a step connects to that finds no connection, if none was made before.
    fn fallback(&self, values: &impl Values) -> Result<Target, Unset> {
        Ok(Target {
            url: url(&self.fallback.url, values)?,
            parts: self.parts(&self.fallback, values)?,
            kind: self.kind.clone(),
            name: self.connect_name.clone(),
            timeout: self.timeout,
        })
    }

    fn parts(&self, connect: &Connect, values: &impl Values) -> Result<UpgradeParts, Unset> {
        let mut headers = pairs(&connect.headers, values)?;
        let credentials = match &connect.auth {
            Some(Auth::Basic { user, password }) => {
                Some(basic(&rendered(user, values)?, &rendered(password, values)?))
            }
            Some(Auth::Bearer(token)) => Some(format!("Bearer {}", rendered(token, values)?)),
            None => None,
        };
        if let Some(credentials) = credentials {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
            headers.push(("Authorization".to_owned(), credentials));
        }
        Ok(UpgradeParts {
            query: pairs(&connect.query, values)?,
            headers,
            subprotocols: connect.subprotocols.to_vec(),
            deflate: self.deflate,
        })
    }
}

/// A URL with its placeholders filled in, as that of a request.
fn url(url: &Template, values: &impl Values) -> Result<String, Unset> {
    let mut text = String::new();
    for (index, part) in url.parts().iter().enumerate() {
        push_placeholder(part, index == 0, values, &mut text)?;
    }
    Ok(text)
}
