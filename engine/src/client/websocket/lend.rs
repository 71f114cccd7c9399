//! How an operation gets at the connection: it has it for itself, or shares it with a reader in the background.
//!
//! A connection is out of its place while an operation has it, so that one whose operation failed or was dropped midway
//! never comes back.

use std::rc::Rc;

use super::WebSocket;
use super::connection::{WebSocketConnection, is_cancelled};
use super::line::Line;
use super::reader;
use super::state::State;
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, Exchange};
use crate::user::Permit;

/// A connection to do something with.
pub(super) enum Hold<'s> {
    Lent(Lent<'s>),
    Line(Rc<Line>),
}

/// A connection that this operation has for itself; it is gone unless it is given back.
pub(super) struct Lent<'s> {
    socket: &'s WebSocket,
    connection: Option<Box<WebSocketConnection>>,
}

impl Lent<'_> {
    pub(super) fn connection(&mut self) -> &mut WebSocketConnection {
        self.connection.as_mut().expect("it is given back by value")
    }

    fn state(&self) -> &Rc<State> {
        &self.socket.state
    }

    /// The operation is over and the connection well.
    pub(super) fn give_back(mut self) {
        let Some(connection) = self.connection.take() else { return };
        connection.set_deadline(None);
        if self.state().reads_on() {
            // A rule was added meanwhile.
            reader::start(self.state(), &self.socket.context, *connection);
        } else {
            self.state().idle.set(Some(connection));
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // Gone before the next one asks.
        drop(self.connection.take());
        self.state().give_turn();
    }
}

impl WebSocket {
    /// The connection, made now where there is none.
    pub(super) async fn hold(&self) -> Result<Hold<'_>, Failure> {
        self.hold_as(self.state.settings.connect_entry).await
    }

    /// The same, a new connection counted under `entry`.
    pub(super) async fn hold_as(&self, entry: EntryIndex) -> Result<Hold<'_>, Failure> {
        loop {
            if let Some(line) = &*self.state.line.borrow() {
                return Ok(Hold::Line(Rc::clone(line)));
            }
            if !self.state.lent.replace(true) {
                break;
            }
            self.state.turn().await;
        }
        let mut lent = Lent { socket: self, connection: self.state.idle.take() };
        if lent.connection.is_some() {
            return Ok(Hold::Lent(lent));
        }
        let connection = Box::new(self.open(entry).await?);
        if self.state.reads_on() {
            return Ok(Hold::Line(reader::start(&self.state, &self.context, *connection)));
        }
        lent.connection = Some(connection);
        Ok(Hold::Lent(lent))
    }

    /// Makes a connection and records that.
    async fn open(&self, entry: EntryIndex) -> Result<WebSocketConnection, Failure> {
        let rests_until_ns = self.state.rests_until_ns.take();
        if rests_until_ns > 0 {
            self.context.sleep_until(rests_until_ns).await;
        }
        let permit = self.permit().await;
        self.state.inbox.borrow_mut().clear();
        let opened = self.open_uncounted().await;
        if let Err(failure) = &opened {
            self.unless_cancelled(failure).await;
        }
        self.state.note_health(&self.context, opened.is_ok());
        let exchange = Exchange {
            start_ns: permit.start_ns,
            end_ns: self.context.now_ns(),
            failed: opened.is_err(),
            ..Exchange::default()
        };
        match &opened {
            Ok(_) => self.context.record(entry, &exchange),
            Err(failure) => {
                self.context.record_failure(entry, &exchange, failure);
            }
        }
        opened
    }

    async fn open_uncounted(&self) -> Result<WebSocketConnection, Failure> {
        let (settings, context) = (&self.state.settings, &self.context);
        let options = settings.open_options(self.timeout);
        let route = self.state.route.borrow().clone();
        if let Some(route) = route {
            let client = || route.tls_client();
            let (endpoint, upgrade) = (&route.endpoint, &route.upgrade);
            return WebSocketConnection::open(context, endpoint, client, upgrade, &options).await;
        }
        let Some(place) = &settings.place else {
            let message = "no place to connect to is known";
            return Err(Failure::new(FailureKind::Other, message));
        };
        let own = self.state.own_upgrade();
        let upgrade = own.as_deref().unwrap_or(&place.upgrade);
        let client = || self.state.tls_client();
        WebSocketConnection::open(context, &place.endpoint, client, upgrade, &options).await
    }

    /// Leave for one exchange; waits for ever at the end of the run.
    pub(super) async fn permit(&self) -> Permit {
        match self.context.permit_in_task(1).await {
            Some(permit) => permit,
            None => std::future::pending().await,
        }
    }

    /// A failure that is the run's end is nobody's sample: the task waits for its own.
    pub(super) async fn unless_cancelled(&self, failure: &Failure) {
        if is_cancelled(failure) {
            std::future::pending::<()>().await;
        }
    }
}
