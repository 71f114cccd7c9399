//! What an exchange came to: success, or a failure that is counted by its kind.
//!
//! A failure is a result of the run, not an error of the tool: the user goes on to its next exchange. Its kind
//! is one of a fixed set, so that reports and thresholds can name it; its text is free, and bounded in number by
//! the recorder.

use std::borrow::Cow;
use std::fmt;

/// Why an exchange failed, by who or what ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The target refused the connection (`ECONNREFUSED`, or no such Unix socket).
    ConnectRefused,
    /// The connection was not made within the connect timeout.
    ConnectTimeout,
    /// The connection was not made for another reason: no route, network down.
    ConnectFailed,
    /// TLS came to nothing: the handshake failed, or what came after it made no sense.
    Tls,
    /// This machine has no ephemeral port left for the target's address (`EADDRNOTAVAIL`).
    NoLocalPort,
    /// This process may open no more descriptors (`EMFILE`, `ENFILE`).
    DescriptorLimit,
    /// The target reset the connection in the middle of an exchange.
    Reset,
    /// The target closed the connection before the reply was complete.
    Closed,
    /// The reply was not complete within the timeout.
    Timeout,
    /// The reply broke the rules of the protocol.
    Protocol,
    /// The reply was complete, but its status is not an expected one.
    Status,
    /// The end of the run cut the exchange off; it is counted as such and as nothing else.
    Cancelled,
    /// A check of the test found the reply wrong.
    Check,
    /// A task ended with an error that nobody caught: no exchange of its own, but counted like one's failure.
    Exception,
    /// Anything else, such as the rest past the bound on distinct errors.
    Other,
}

impl FailureKind {
    /// The kind as reports spell it, such as `connect-refused`.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureKind::ConnectRefused => "connect-refused",
            FailureKind::ConnectTimeout => "connect-timeout",
            FailureKind::ConnectFailed => "connect-failed",
            FailureKind::Tls => "tls",
            FailureKind::NoLocalPort => "no-local-port",
            FailureKind::DescriptorLimit => "descriptor-limit",
            FailureKind::Reset => "reset",
            FailureKind::Closed => "closed",
            FailureKind::Timeout => "timeout",
            FailureKind::Protocol => "protocol",
            FailureKind::Status => "status",
            FailureKind::Cancelled => "cancelled",
            FailureKind::Check => "check",
            FailureKind::Exception => "exception",
            FailureKind::Other => "other",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A failed exchange: its kind, and the text that the error report shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Why the exchange failed.
    pub kind: FailureKind,
    /// The text of the error report. Equal texts are counted together, so it names no port or time.
    pub message: Cow<'static, str>,
}

impl Failure {
    /// A failure of `kind` with its text.
    pub fn new(kind: FailureKind, message: impl Into<Cow<'static, str>>) -> Self {
        Failure { kind, message: message.into() }
    }
}
