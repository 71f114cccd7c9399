//! Users of XML-RPC servers.

use std::ops::Deref;

use loadr_engine::client::xmlrpc::XmlRpcClient;

use super::kind::UserKind;
use super::user::User;

/// A user whose client calls the methods of an XML-RPC server: the one at its host, by the host's own path.
///
/// Everything else that a [`User`] can do it can too. Each call is in the statistics as `xmlrpc`, under its method's name.
///
/// ```no_run
/// use loadr::prelude::*;
///
/// async fn get_time(user: XmlRpcUser) {
///     let _ = user.client.call("get_time", ()).await;
/// }
///
/// async fn get_random_number(user: XmlRpcUser) -> TaskResult {
///     // A fault ends the task; as any other failed call it has been counted by then.
///     let number = user.client.call("get_random_number", (0, 100)).await?;
///     if !number.as_i64().is_some_and(|number| (0..=100).contains(&number)) {
///         return Err(TaskExit::error("not a number between 0 and 100"));
///     }
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     let class = UserClass::new("ApiUser").host("http://127.0.0.1:8877/");
///     loadr::run(Test::new().user(class.task(get_time).task(get_random_number)))
/// }
/// ```
pub struct XmlRpcUser<S = ()> {
    /// Its client; `user.user.client` is that for other requests.
    pub client: XmlRpcClient,
    /// The user itself.
    pub user: User<S>,
}

impl<S: 'static> UserKind for XmlRpcUser<S> {
    type State = S;

    fn of(user: User<S>) -> Self {
        Self { client: XmlRpcClient::new(user.client.clone()), user }
    }
}

impl<S> Clone for XmlRpcUser<S> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), user: self.user.clone() }
    }
}

impl<S> Deref for XmlRpcUser<S> {
    type Target = User<S>;

    fn deref(&self) -> &User<S> {
        &self.user
    }
}
