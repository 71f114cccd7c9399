//! The WebSocket client of a task: one user's connection, what is sent on it, and what becomes of what comes.
//!
//! A [`WebSocket`] connects when it is first used, or when it is told to. Each operation is a sample, recorded before its
//! result is given back: a connection with its upgrade, a message sent, a request with its reply, a ping with its pong. A
//! failure drops the connection; the next operation makes a new one, after a wait that grows with failures in a row. When
//! no exchange is permitted any more, an operation waits until the engine drops the task.
//!
//! There are two ways of reading. As long as only operations want messages, an operation reads for itself, and what it
//! does not want waits in an inbox: nothing runs beside the task, nothing is allocated, and pings are answered while
//! something is awaited. Once a handler or [`Pushes`] want messages that nobody awaits, a reader in the background goes on
//! reading between steps: messages are timed when they come, and pings answered.
//!
//! - `connection`: one connection in one task; [`WebSocketConnection`] is what URL mode drives. `wire`: its two directions.
//! - `lend`: how an operation gets at the connection. `operation`: sending, receiving, requests. `line`, `reader`: the same
//!   with a reader in the background.
//! - `message`, `inbox`, `push`: messages, those that wait, and those that nobody asked for. `state`: what handles share.
//! - `route`, `failure`, `settings`: what their names say.

mod connection;
mod failure;
mod inbox;
mod lend;
mod line;
mod message;
mod operation;
mod push;
mod reader;
mod route;
mod settings;
mod state;
mod wire;

pub use connection::{Arrival, OpenOptions, WebSocketConnection};
pub use message::{Matcher, Message, Outgoing, View};
pub use operation::{Request, SampleName};
pub use push::{Latency, Pushes};
pub use route::Route;
pub use settings::{WebSocketOptions, WebSocketSettings};

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use loadr_protocols::websocket::Upgrade;

use crate::record::EntryKind;
use crate::user::Context;
use state::State;

/// One user's client; clones are handles to the same.
#[derive(Clone)]
pub struct WebSocket {
    state: Rc<State>,
    context: Context,
    /// Time for each operation.
    timeout: Duration,
}

impl WebSocket {
    /// A WebSocket that is not connected yet.
    pub fn new(context: Context, settings: Rc<WebSocketSettings>) -> Self {
        let timeout = settings.options.timeout;
        let state = State::new(settings, context.user_index());
        Self { state: Rc::new(state), context, timeout }
    }

    /// The same WebSocket, used by other work of its user: what is recorded through it is that work's.
    pub fn with_context(&self, context: Context) -> Self {
        Self { context, ..self.clone() }
    }

    /// The same WebSocket, whose operations have this time in place of the options'.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Uses this upgrade for the connections to come, in place of the settings': a path or header fields of the user's own;
    /// see [`WebSocketSettings::upgrade_to`].
    pub fn set_upgrade(&self, upgrade: Option<Upgrade>) {
        *self.state.upgrade.borrow_mut() = upgrade.map(Rc::new);
    }

    /// Makes the connections to come by this route, in place of where the settings lead.
    pub fn set_route(&self, route: Option<Route>) {
        *self.state.route.borrow_mut() = route.map(Rc::new);
    }

    /// What this was made of.
    pub fn settings(&self) -> &Rc<WebSocketSettings> {
        &self.state.settings
    }

    /// Shows messages that no operation awaits to `handler`, as soon as they come; those for which it gives true are seen
    /// by nobody else. From now on there is a reader in the background.
    pub fn on_message(&self, handler: impl Fn(&View<'_>) -> bool + 'static) {
        self.state.add_rules(|rules| rules.handlers.push(Rc::new(handler)));
        self.read_on();
    }

    /// Counts messages that no operation awaits and no handler took as pushes, as soon as they come: the first rule that
    /// means a message counts it. From now on there is a reader in the background.
    pub fn count_pushes(&self, pushes: Pushes) {
        let options = &self.state.settings.options;
        let name = pushes.name.as_deref().unwrap_or(&options.push_name);
        let entry = self.context.entry(EntryKind::Exchange, &options.kind, name);
        self.state.add_rules(|rules| rules.pushes.push((pushes, entry)));
        self.read_on();
    }

    /// Whether there is a connection, as far as anybody has noticed.
    pub fn is_connected(&self) -> bool {
        let idle = self.state.idle.take();
        let is_connected =
            idle.is_some() || self.state.lent.get() || self.state.line.borrow().is_some();
        self.state.idle.set(idle);
        is_connected
    }

    /// Drops the connection without a word, and what waits to be received: this is then as new, but for its rules.
    pub fn disconnect(&self) {
        // Taken out first: whatever dropping them does, nothing is borrowed.
        let idle = self.state.idle.take();
        let line = self.state.line.take();
        if let Some(line) = line {
            line.begin_close();
            line.shut_down();
        }
        drop(idle);
        self.state.inbox.borrow_mut().clear();
    }

    /// Has a connection that nobody uses read in the background from now on.
    fn read_on(&self) {
        if let Some(connection) = self.state.idle.take() {
            reader::start(&self.state, &self.context, *connection);
        }
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("user", &self.context.user_index())
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
