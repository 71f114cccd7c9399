//! A user as its tasks see it.

use std::future::Future;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::client::session::Session;
use loadr_engine::random::SplitMix64;
use loadr_engine::task::{TaskExit, TaskResult};
use loadr_engine::user::{Context, Role};

use super::attachments::Attachments;
use super::feed::Feed;
use super::sample::Sample;

/// A user of a class whose users each have a state `S`; clones are handles to the same user.
pub struct User<S = ()> {
    /// Its HTTP client: connections, cookies and headers of its own.
    pub client: Session,
    /// What it has of its own from its start to its end.
    pub state: Rc<S>,
    /// Its handle to the engine, for protocols of one's own.
    pub context: Context,
    pub(super) attachments: Rc<Attachments>,
}

impl<S> Clone for User<S> {
    fn clone(&self) -> Self {
        let (client, state) = (self.client.clone(), Rc::clone(&self.state));
        let (context, attachments) = (self.context.clone(), Rc::clone(&self.attachments));
        Self { client, state, context, attachments }
    }
}

impl<S> User<S> {
    /// Its index, unique in the whole run, from 0.
    pub fn index(&self) -> u64 {
        self.context.user_index()
    }

    /// Whether this process makes load by itself, directs others, or is directed.
    pub fn role(&self) -> Role {
        self.context.role()
    }

    /// Waits within a task.
    pub async fn sleep(&self, duration: Duration) {
        self.context.sleep(duration).await;
    }

    /// A number drawn at random, both ends included, that follows from the run's seed.
    pub fn random(&self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        let span = high.saturating_sub(low).saturating_add(1);
        low + self.context.random(|random: &mut SplitMix64| random.below(span))
    }

    /// One of `choices`, each as likely as the next.
    ///
    /// # Panics
    /// If there are none.
    pub fn choose<'a, T>(&self, choices: &'a [T]) -> &'a T {
        let index = self.context.random(|random| random.below(choices.len() as u64));
        &choices[index as usize]
    }

    /// What this user keeps of type `T` from task to task, made by `make` where there is none yet: a protocol's
    /// connection, a prepared request. It is dropped with the user, and must hold no [`User`], which would hold it.
    ///
    /// ```
    /// # use loadr::prelude::*;
    /// # use std::cell::Cell;
    /// async fn count(user: User) {
    ///     let rounds = user.attached(|| Cell::new(0_u32));
    ///     rounds.set(rounds.get() + 1);
    /// }
    /// ```
    pub fn attached<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        self.attachments.get_or_make(make)
    }

    /// What this user keeps of type `T`, if anything.
    pub fn attachment<T: 'static>(&self) -> Option<Rc<T>> {
        self.attachments.find()
    }

    /// Keeps `value` in place of what there was of its type, which is given back.
    pub fn attach<T: 'static>(&self, value: T) -> Option<Rc<T>> {
        self.attachments.put(Rc::new(value))
    }

    /// Takes away what this user keeps of type `T`.
    pub fn detach<T: 'static>(&self) -> Option<Rc<T>> {
        self.attachments.take()
    }

    /// Runs `work` beside the user's tasks, so that the task at hand can end. It ends with the user at the latest: it is
    /// dropped when the user or the run is stopped, and awaited when the user ends by itself.
    pub fn background(&self, work: impl AsyncFnOnce(Self) + 'static)
    where
        S: 'static,
    {
        let user = self.clone();
        self.context.background(async move |context: Context| {
            let client = user.client.with_context(context.clone());
            work(Self { client, context, ..user }).await;
        });
    }

    /// Runs `work` off the shard, on a thread of a bounded pool, and waits for it: for libraries that block. More of it:
    /// [`Context::blocking`].
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.context.blocking(work).await
    }

    /// Runs `work` off the shard, on a tokio runtime, and waits for it: for libraries that want tokio. Clients made in it
    /// may be kept in the user's state. More of it: [`Context::tokio`].
    pub async fn tokio<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.context.tokio(work).await
    }

    /// The next row of a feed; `None` where none is left.
    ///
    /// # Panics
    /// If no class of the test has the feed: see [`UserClass::feed`](super::UserClass::feed).
    pub async fn next_row<T>(&self, feed: &Feed<T>) -> Option<Arc<T>> {
        feed.draw(&self.context).await
    }

    /// Puts a measured operation into the statistics.
    pub fn record(&self, sample: Sample<'_>) {
        sample.record(&self.context);
    }

    /// Puts the time that `work` takes into the statistics, as a failure where it ends with an error; `method` stands in
    /// the place of one. What came of it is given back, and so is the error: it has been counted, and `?` would count it
    /// as the task's too. Where `work` goes off the shard, what it waits for its turn there is not part of the time: see
    /// [`Context::timed`].
    ///
    /// ```
    /// # use loadr::prelude::*;
    /// async fn look_up(user: User) {
    ///     let name = "shop.example:80";
    ///     let found = user.measure("DNS", name, async {
    ///         // Any error may be passed on.
    ///         Ok(user.blocking(move || std::net::ToSocketAddrs::to_socket_addrs(name)).await?.count())
    ///     });
    ///     if let Ok(count) = found.await {
    ///         println!("{count} addresses");
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// What `work` ended with.
    pub async fn measure<T>(
        &self,
        method: &str,
        name: &str,
        work: impl Future<Output = Result<T, TaskExit>>,
    ) -> Result<T, TaskExit> {
        self.context.measure(method, name, work).await
    }

    /// Ends the task set that the task is in: its parent takes another task at once, or after its wait where the task
    /// ends with [`TaskExit::Interrupt`] and says so.
    ///
    /// # Errors
    /// Always, so that `?` or `return` ends the task.
    pub fn interrupt(&self) -> TaskResult {
        Err(TaskExit::Interrupt { reschedule: true })
    }

    /// Ends this user: `on_stop` runs, and nobody takes its place.
    ///
    /// # Errors
    /// Always, so that `?` or `return` ends the task.
    pub fn stop(&self) -> TaskResult {
        Err(TaskExit::StopUser)
    }

    /// Ends the whole test.
    ///
    /// # Errors
    /// Always, so that `?` or `return` ends the task.
    pub fn stop_test(&self) -> TaskResult {
        Err(TaskExit::StopTest)
    }
}
