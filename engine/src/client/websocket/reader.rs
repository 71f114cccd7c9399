//! Reading in the background: so that messages are seen, timed and answered when they come, between the user's steps too.

use std::rc::Rc;

use super::connection::{NORMAL, WebSocketConnection, is_cancelled};
use super::failure::{self, Awaited};
use super::line::{Line, READING, Wanted};
use super::message::View;
use super::state::State;
use super::wire::{Due, Receiver, Sink, Step};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::user::Context;

/// Going away (RFC 6455, 7.4.1): as good a reason as any, and no failure between steps.
const GOING_AWAY: u16 = 1001;

/// Goes on reading `connection` beside the user; gives the line that operations now use.
pub(super) fn start(
    state: &Rc<State>,
    context: &Context,
    connection: WebSocketConnection,
) -> Rc<Line> {
    let WebSocketConnection { sender, receiver, .. } = connection;
    // Idle for as long as it likes, from here on.
    receiver.read.set_deadline(None);
    let line = Rc::new(Line::new(sender, receiver.read.deadline()));
    *state.line.borrow_mut() = Some(Rc::clone(&line));
    let reading = Reading { state: Rc::clone(state), line: Rc::clone(&line) };
    context.companion(async move |context: Context| reading.run(context, receiver).await);
    line
}

/// A reader at work; when it is dropped the line ends.
struct Reading {
    state: Rc<State>,
    line: Rc<Line>,
}

/// Why nothing more comes.
struct Ended {
    failure: Failure,
    /// It ended as a connection may between steps.
    in_order: bool,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self { in_order: is_cancelled(&failure), failure }
    }
}

impl Reading {
    async fn run(self, context: Context, mut receiver: Box<Receiver>) {
        let ended = self.read(&context, &mut receiver).await;
        let heard = self.end(&ended.failure);
        if !heard && !ended.in_order && !self.line.is_closing() {
            self.state.note_health(&context, false);
            self.state.count_loss(&context, &ended.failure);
        }
    }

    /// Reads until nothing more comes, and says why.
    async fn read(&self, context: &Context, receiver: &mut Receiver) -> Ended {
        loop {
            let mut sink = LineSink { state: &self.state, line: &self.line, context };
            match receiver.receive(context, READING, &mut sink).await {
                Ok(Step::Taken) => {}
                Ok(Step::Due) => {
                    if let Err(failure) = self.flush(context, receiver).await {
                        return failure.into();
                    }
                }
                Ok(Step::Closed(code, reason)) => {
                    return self.closed(context, receiver, code, &reason).await;
                }
                Err(failure) => {
                    if let Some(code) = receiver.complaint.take() {
                        self.say_goodbye(Some(code)).await;
                    }
                    return failure.into();
                }
            }
        }
    }

    /// A target that asks for answers and does not read them shall not hold this up for ever.
    async fn flush(&self, context: &Context, receiver: &mut Receiver) -> Result<(), Failure> {
        let timeout = self.state.settings.options.timeout;
        let deadline_ns = context.now_ns().saturating_add(nanos(timeout));
        let _watch = self.line.await_for(Wanted::Nothing, deadline_ns);
        let mut lent = self.line.lend_sender().await?;
        let sent = lent.sender().flush(&mut receiver.due).await;
        sent.map_err(|error| failure::of_stream(&error, Awaited::Sending, timeout))?;
        lent.give_back();
        Ok(())
    }

    async fn closed(
        &self,
        context: &Context,
        receiver: &mut Receiver,
        code: Option<u16>,
        reason: &str,
    ) -> Ended {
        if self.line.deliver_close() {
            // Whoever closed goes on now, and with a new connection: this one only waits for its end.
            self.leave();
            receiver.await_end(context).await;
            let failure = Failure::new(FailureKind::Closed, "the WebSocket was closed");
            return Ended { failure, in_order: true };
        }
        self.say_goodbye(code).await;
        let in_order = matches!(code, None | Some(NORMAL | GOING_AWAY));
        Ended { failure: failure::closed_by_target(code, reason), in_order }
    }

    async fn say_goodbye(&self, code: Option<u16>) {
        if let Ok(mut lent) = self.line.lend_sender().await {
            let _ = lent.sender().close(code, "").await;
        }
    }

    /// Takes the line away; true when somebody awaited something on it.
    fn end(&self, failure: &Failure) -> bool {
        self.leave();
        self.line.end(failure)
    }

    /// Has operations find this line no more.
    fn leave(&self) {
        let mut line = self.state.line.borrow_mut();
        if line.as_ref().is_some_and(|line| Rc::ptr_eq(line, &self.line)) {
            *line = None;
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let message = "the user that read from this WebSocket is gone";
        self.end(&Failure::new(FailureKind::Other, message));
    }
}

/// Gives messages to whoever awaits them, or to the rules.
struct LineSink<'s> {
    state: &'s State,
    line: &'s Line,
    context: &'s Context,
}

impl Sink for LineSink<'_> {
    fn message(&mut self, view: View<'_>, due: &mut Due) -> bool {
        if !self.state.echoes(&view, due) && !self.line.deliver(&view) {
            self.state.keep(self.context, &view);
        }
        false
    }

    fn pong(&mut self, payload: &[u8]) -> bool {
        self.line.deliver_pong(payload);
        false
    }
}
