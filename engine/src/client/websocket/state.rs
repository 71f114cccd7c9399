//! What the handles of one WebSocket share: its connection, its rules for messages, and those that wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use loadr_protocols::websocket::Upgrade;

use super::connection::WebSocketConnection;
use super::inbox::Inbox;
use super::line::Line;
use super::message::{Outgoing, View, frame_bytes};
use super::push::{Latency, Pushes, SentIds};
use super::route::Route;
use super::settings::WebSocketSettings;
use super::wire::Due;
use crate::client::backoff::Backoff;
use crate::clock::nanos;
use crate::outcome::Failure;
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::tls::TlsClient;
use crate::user::Context;

/// Sees a message that no operation awaits; true when nobody else needs to.
pub(super) type Handler = Rc<dyn Fn(&View<'_>) -> bool>;

/// What is done with messages that no operation awaits.
#[derive(Clone, Default)]
pub(super) struct Rules {
    pub(super) handlers: Vec<Handler>,
    pub(super) pushes: Vec<(Pushes, EntryIndex)>,
}

pub(super) struct State {
    pub(super) settings: Rc<WebSocketSettings>,
    /// The user's own upgrade, in place of the settings'.
    pub(super) upgrade: RefCell<Option<Rc<Upgrade>>>,
    /// The user as TLS knows it, once that is spoken.
    tls: Cell<Option<Rc<TlsClient>>>,
    /// Where connections lead, in place of the settings' endpoint, and with its own upgrade.
    pub(super) route: RefCell<Option<Rc<Route>>>,
    /// The connection while nothing is under way on it.
    pub(super) idle: Cell<Option<Box<WebSocketConnection>>>,
    /// An operation has the connection, or makes one.
    pub(super) lent: Cell<bool>,
    /// Operations that wait for it.
    queue: RefCell<VecDeque<Waker>>,
    /// The connection while it is read from in the background.
    pub(super) line: RefCell<Option<Rc<Line>>>,
    rules: RefCell<Rc<Rules>>,
    pub(super) inbox: RefCell<Inbox>,
    sent_ids: RefCell<SentIds>,
    /// Counts pings, so that each has a payload of its own.
    pub(super) pings: Cell<u64>,
    backoff: RefCell<Backoff>,
    /// No connection is made before this moment, because the last one failed.
    pub(super) rests_until_ns: Cell<u64>,
}

impl State {
    pub(super) fn new(settings: Rc<WebSocketSettings>, user_index: u64) -> Self {
        let backoff = Backoff::new(settings.options.seed ^ user_index);
        Self {
            settings,
            upgrade: RefCell::default(),
            tls: Cell::default(),
            route: RefCell::default(),
            idle: Cell::default(),
            lent: Cell::default(),
            queue: RefCell::default(),
            line: RefCell::default(),
            rules: RefCell::default(),
            inbox: RefCell::default(),
            sent_ids: RefCell::default(),
            pings: Cell::default(),
            backoff: RefCell::new(backoff),
            rests_until_ns: Cell::default(),
        }
    }

    pub(super) fn add_rules(&self, add: impl FnOnce(&mut Rules)) {
        add(Rc::make_mut(&mut self.rules.borrow_mut()));
    }

    /// Whether somebody wants to see messages when they come, and not when they are asked for.
    pub(super) fn reads_on(&self) -> bool {
        let rules = self.rules.borrow();
        !rules.handlers.is_empty() || !rules.pushes.is_empty()
    }

    /// A target that does not answer must not spin a core.
    pub(super) fn note_health(&self, context: &Context, works: bool) {
        let mut backoff = self.backoff.borrow_mut();
        if works {
            backoff.reset();
        } else {
            self.rests_until_ns.set(context.now_ns() + nanos(backoff.next_wait()));
        }
    }

    /// Remembers when a message was sent, if pushes refer to it.
    pub(super) fn note_sent(&self, outgoing: &Outgoing<'_>, now_ns: u64) {
        for (pushes, _) in &self.rules.borrow().pushes {
            if let Latency::Correlation { sent, .. } = &pushes.latency {
                self.sent_ids.borrow_mut().note(outgoing, sent, now_ns);
            }
        }
    }

    /// Has a message sent back that is to be; true when that is all there is to do with it.
    #[inline]
    pub(super) fn echoes(&self, view: &View<'_>, due: &mut Due) -> bool {
        match &self.settings.options.echo {
            Some(matcher) if matcher.matches(view) => {
                due.echo(view);
                true
            }
            _ => false,
        }
    }

    /// Does with a message that no operation awaits what the rules say: the first that wants it has it, and what none
    /// wants waits to be received.
    #[cold]
    pub(super) fn keep(&self, context: &Context, view: &View<'_>) {
        // A handler may well add another: nothing is borrowed while it runs.
        let rules = Rc::clone(&self.rules.borrow());
        if rules.handlers.iter().any(|handler| handler(view)) {
            return;
        }
        if let Some((pushes, entry)) =
            rules.pushes.iter().find(|(pushes, _)| pushes.matcher.matches(view))
        {
            return self.count_push(context, *entry, &pushes.latency, view);
        }
        self.inbox.borrow_mut().push(view.to_message());
        self.make_room(context);
    }

    /// What has to make room has been asked for by nobody: it is a push.
    fn make_room(&self, context: &Context) {
        let options = &self.settings.options;
        let (messages_max, bytes_max) = (options.inbox_messages_max, options.inbox_bytes_max);
        loop {
            let oldest = self.inbox.borrow_mut().overflow(messages_max, bytes_max);
            let Some(oldest) = oldest else { return };
            let entry = self.entry(context, &options.push_name);
            self.count_push(context, entry, &Latency::Unknown, &oldest.view());
        }
    }

    fn count_push(&self, context: &Context, entry: EntryIndex, latency: &Latency, view: &View<'_>) {
        let arrived_unix_s = context.unix_s(view.arrived_ns());
        let took_ns = latency.of(view, arrived_unix_s, &self.sent_ids.borrow()).unwrap_or(0);
        // It may have been made before the run: its time counts, wherever that lies.
        let start_ns = view.arrived_ns().saturating_sub(took_ns);
        let exchange = Exchange {
            start_ns,
            end_ns: start_ns + took_ns,
            body_bytes: view.bytes().len() as u64,
            bytes_received: frame_bytes(view.bytes()),
            ..Exchange::default()
        };
        context.record_sample_of(entry, &exchange, None);
    }

    /// Counts the loss of a connection on which nobody awaited anything.
    pub(super) fn count_loss(&self, context: &Context, failure: &Failure) {
        let pushes = self.rules.borrow().pushes.first().map(|(_, entry)| *entry);
        let entry = pushes.unwrap_or_else(|| self.entry(context, &self.settings.options.push_name));
        let now_ns = context.now_ns();
        let exchange =
            Exchange { start_ns: now_ns, end_ns: now_ns, failed: true, ..Exchange::default() };
        context.record_sample_of(entry, &exchange, Some(failure));
    }

    /// Waits until no operation has the connection, or until it is read from in the background.
    pub(super) async fn turn(&self) {
        poll_fn(|task| {
            if !self.lent.get() || self.line.borrow().is_some() {
                return Poll::Ready(());
            }
            self.queue.borrow_mut().push_back(task.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Nobody has the connection any more.
    pub(super) fn give_turn(&self) {
        self.lent.set(false);
        // Taken out first: whoever is woken may queue up again.
        let waiting = std::mem::take(&mut *self.queue.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The user as TLS knows it; its sessions are resumed by itself alone.
    pub(super) fn tls_client(&self) -> Rc<TlsClient> {
        let known = self.tls.take();
        let client =
            known.unwrap_or_else(|| Rc::new(TlsClient::new(self.settings.options.tls.clone())));
        self.tls.set(Some(Rc::clone(&client)));
        client
    }

    pub(super) fn own_upgrade(&self) -> Option<Rc<Upgrade>> {
        self.upgrade.borrow().clone()
    }

    /// The entry that `name` is counted under.
    pub(super) fn entry(&self, context: &Context, name: &str) -> EntryIndex {
        context.entry(EntryKind::Exchange, &self.settings.options.kind, name)
    }
}
