//! What a task can be a function of: a user as one protocol or another shows it.

use super::user::User;

/// A user as its tasks see it: [`User`] itself, or one dressed for a protocol.
///
/// Whatever implements this can be the argument of a task, of `on_start` and of `on_stop`. It is made anew for each, so
/// what is to last from task to task belongs into [`User::attached`].
///
/// ```
/// use loadr::prelude::*;
///
/// struct Caller {
///     user: User,
/// }
///
/// impl UserKind for Caller {
///     type State = ();
///
///     fn of(user: User) -> Self {
///         Self { user }
///     }
/// }
///
/// async fn call(caller: Caller) {
///     caller.user.sleep(Duration::from_millis(1)).await;
/// }
///
/// let class: UserClass = UserClass::new("Caller").task(call);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no user",
    label = "a task takes a user, by value",
    note = "a task is an `async fn` that takes a `User` by value, or something that implements `UserKind`"
)]
pub trait UserKind: Sized + 'static {
    /// What each user of its class has of its own.
    type State: 'static;

    /// The user, so dressed.
    fn of(user: User<Self::State>) -> Self;
}

impl<S: 'static> UserKind for User<S> {
    type State = S;

    fn of(user: Self) -> Self {
        user
    }
}
