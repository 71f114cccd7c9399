//! A user's panic ends what the user was doing, never its shard.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

thread_local! {
    /// This thread runs code of a user: whoever catches the panic reports it.
    static IN_USER: Cell<bool> = const { Cell::new(false) };
    /// Where the latest panic of a user happened.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `future`; gives the text of its panic if it panics.
pub(crate) async fn catch<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match guarded(|| future.as_mut().poll(context)) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic.describe())),
    })
    .await
}

/// A panic of a user, which another thread may go on with.
pub(crate) struct Panic {
    payload: Box<dyn Any + Send>,
    location: Option<String>,
}

/// Runs `work`, on whatever thread; what was broken off by a panic must never be looked at again.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    let before = IN_USER.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IN_USER.set(before);
    result.map_err(|payload| Panic { payload, location: LOCATION.take() })
}

impl Panic {
    /// Goes on panicking, here.
    pub(crate) fn resume(self) -> ! {
        LOCATION.set(self.location);
        resume_unwind(self.payload)
    }

    fn describe(self) -> String {
        let text = message(self.payload.as_ref());
        match self.location {
            Some(location) => format!("panicked: {text} ({location})"),
            None => format!("panicked: {text}"),
        }
    }
}

/// Has panics of users noted instead of printed; those of anything else are printed as before.
pub(crate) fn quieten_users() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IN_USER.get() {
                let location = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
                LOCATION.set(location);
            } else {
                print(info);
            }
        }));
    });
}

/// The text of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked with something that is no text".to_owned())
}
