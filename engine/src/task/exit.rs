//! How a task ends before its end.

use std::fmt;

/// What a task gives back.
pub type TaskResult = Result<(), TaskExit>;

/// Why a task ended early; the effects are those of the exceptions that Locust has for them.
pub enum TaskExit {
    /// Something went wrong that the task did not deal with: counted as an exception, and the user goes on.
    Error(Box<str>),
    /// This task is over; the user waits and takes the next (`RescheduleTask`).
    Reschedule,
    /// This task is over; the user takes the next at once (`RescheduleTaskImmediately`).
    RescheduleNow,
    /// The task set is over (`InterruptTaskSet`).
    Interrupt {
        /// The parent takes its next task at once, rather than after a wait.
        reschedule: bool,
    },
    /// The user is over (`StopUser`).
    StopUser,
    /// The test is over (`StopTest`).
    StopTest,
}

impl TaskExit {
    /// An error with this text.
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error(message.into().into_boxed_str())
    }
}

/// Any error that a task does not deal with ends it; its sources are told too.
impl<E: std::error::Error> From<E> for TaskExit {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many errors have told of their source themselves.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::Error(message.into_boxed_str())
    }
}

impl fmt::Debug for TaskExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(message) => f.debug_tuple("Error").field(message).finish(),
            Self::Reschedule => f.write_str("Reschedule"),
            Self::RescheduleNow => f.write_str("RescheduleNow"),
            Self::Interrupt { reschedule } => {
                f.debug_struct("Interrupt").field("reschedule", reschedule).finish()
            }
            Self::StopUser => f.write_str("StopUser"),
            Self::StopTest => f.write_str("StopTest"),
        }
    }
}
