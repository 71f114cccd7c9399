//! What goes wrong with a WebSocket, in words that are the same for every user it happens to.

use std::io;
use std::time::Duration;

use loadr_protocols::http1;
use loadr_protocols::websocket::{HandshakeError, RemoteError};

use crate::client::stream_failure;
use crate::outcome::{Failure, FailureKind};

/// What was waited for when the time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Upgrade,
    Sending,
    Message,
    Pong,
    Close,
}

impl Awaited {
    fn missing(self) -> &'static str {
        match self {
            Awaited::Upgrade => "no answer to the upgrade",
            Awaited::Sending => "message not taken by the target",
            Awaited::Message => "no such message",
            Awaited::Pong => "no pong",
            Awaited::Close => "no answer to the close frame",
        }
    }
}

/// Puts an error of the stream into words.
#[cold]
pub(super) fn of_stream(error: &io::Error, awaited: Awaited, timeout: Duration) -> Failure {
    let is_ours = error.raw_os_error().is_none();
    if is_ours && error.kind() == io::ErrorKind::TimedOut {
        let message = format!("{} within {timeout:?}", awaited.missing());
        return Failure::new(FailureKind::Timeout, message);
    }
    stream_failure(error, timeout)
}

/// Puts a fault of the target's into words. Counts that differ from time to time are left out.
#[cold]
pub(super) fn of_frames(error: &RemoteError) -> Failure {
    match error {
        RemoteError::ClosedInHeader { .. } | RemoteError::ClosedInFrame { .. } => {
            Failure::new(FailureKind::Closed, "connection closed inside a frame")
        }
        RemoteError::ClosedInMessage { .. } => {
            let message = "connection closed between two fragments of a message";
            Failure::new(FailureKind::Closed, message)
        }
        RemoteError::ClosedWithoutClose => Failure::new(FailureKind::Closed, error.to_string()),
        RemoteError::Utf8 { .. } | RemoteError::Utf8CutOff { .. } => {
            Failure::new(FailureKind::Protocol, "a text message is not UTF-8")
        }
        RemoteError::MessageTooLong { limit, .. } => {
            Failure::new(FailureKind::Protocol, format!("a message of more than {limit} bytes"))
        }
        _ => Failure::new(FailureKind::Protocol, error.to_string()),
    }
}

/// Puts an answer to the upgrade that is not HTTP into words.
#[cold]
pub(super) fn of_response(error: &http1::RemoteError) -> Failure {
    use http1::RemoteError as E;
    match error {
        E::ClosedBeforeResponse { .. } | E::ClosedInHead { .. } => {
            Failure::new(FailureKind::Closed, "connection closed before the upgrade was answered")
        }
        _ => Failure::new(FailureKind::Protocol, error.to_string()),
    }
}

/// Puts a refused or wrong answer to the upgrade into words.
#[cold]
pub(super) fn of_handshake(error: &HandshakeError) -> Failure {
    match error {
        HandshakeError::Refused { .. } => Failure::new(FailureKind::Status, error.to_string()),
        // The value follows from a random key: shown, every one would be an error of its own.
        HandshakeError::AcceptWrong { .. } => {
            let message = "wrong Sec-WebSocket-Accept: it does not answer the key that was sent";
            Failure::new(FailureKind::Protocol, message)
        }
        _ => Failure::new(FailureKind::Protocol, error.to_string()),
    }
}

/// The target closed while something was awaited of it.
#[cold]
pub(super) fn closed_by_target(code: Option<u16>, reason: &str) -> Failure {
    let message = match (code, reason) {
        (None, _) => "the target closed the WebSocket without a code".to_owned(),
        (Some(code), "") => format!("the target closed the WebSocket with code {code}"),
        (Some(code), reason) => {
            format!("the target closed the WebSocket with code {code}: {reason}")
        }
    };
    Failure::new(FailureKind::Closed, message)
}
