//! A user's panic ends what the user was doing, never its shard.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

thread_local! {
    /// This thread is polling a user: whoever catches the panic reports it.
    static IN_USER: Cell<bool> = const { Cell::new(false) };
    /// Where the latest panic of a user happened.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `future`; gives the text of its panic if it panics.
pub(crate) async fn catch<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let before = IN_USER.replace(true);
        // What was broken off is dropped and never looked at again.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        IN_USER.set(before);
        match polled {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(payload) => Poll::Ready(Err(describe(payload.as_ref()))),
        }
    })
    .await
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

fn describe(payload: &(dyn Any + Send)) -> String {
    let text = message(payload);
    match LOCATION.take() {
        Some(location) => format!("panicked: {text} ({location})"),
        None => format!("panicked: {text}"),
    }
}

/// The text of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked with something that is no text".to_owned())
}
