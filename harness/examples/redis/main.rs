//! GET and SET against a Redis server, pipelined: `redis --server 127.0.0.1:6379 -u 50 -t 10s --pipeline-depth 16`.
//!
//! Made for speed: commands are encoded before the run and shared by all users, replies are read where they were received,
//! and a pipeline costs one wake-up for all the replies that come together. What a reply says is not looked at unless it
//! is an error, which is a failure in the server's words.

mod resp;

use std::future::pending;
use std::sync::Arc;

use loadr::library::custom::*;
use loadr::prelude::*;

use resp::Resp;

#[derive(clap::Args)]
struct Arguments {
    /// Where the server listens: host:port, or the path of its Unix socket
    #[arg(long, default_value = "127.0.0.1:6379")]
    server: String,
    /// Commands that each user keeps outstanding
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pipeline_depth: u64,
    /// Of a hundred commands so many are SET, the others GET
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=100))]
    set_percent: u64,
    /// Keys to choose from
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    keys: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    data_size: u64,
    /// Authenticate with this password
    #[arg(long)]
    password: Option<String>,
    /// Speak version 3 of the protocol
    #[arg(long)]
    resp3: bool,
    /// Seconds that a reply may take
    #[arg(long, default_value = "10", value_parser = seconds)]
    reply_timeout: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is wanted")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// What all users share.
struct Plan {
    arguments: Arguments,
    gets: Vec<Box<[u8]>>,
    sets: Vec<Box<[u8]>>,
}

impl Plan {
    fn new(arguments: Arguments) -> Self {
        let value = "x".repeat(arguments.data_size as usize);
        let keys = || (0..arguments.keys).map(|number| format!("key:{number:012}"));
        let gets = keys().map(|key| resp::command(&["GET", &key])).collect();
        let sets = keys().map(|key| resp::command(&["SET", &key, &value])).collect();
        Self { arguments, gets, sets }
    }
}

/// One user, from its connection to the end of that and on to the next.
struct Client {
    context: Context,
    plan: Arc<Plan>,
    get: EntryIndex,
    set: EntryIndex,
    backoff: Backoff,
}

impl Client {
    fn new(context: Context, plan: Arc<Plan>) -> Self {
        let entry = |name| context.entry(EntryKind::Exchange, "REDIS", name);
        let (get, set) = (entry("GET"), entry("SET"));
        let backoff = Backoff::new(context.random(|random| random.next_u64()));
        Self { context, plan, get, set, backoff }
    }

    async fn live(&mut self) {
        while !self.context.is_stopping() {
            let failed = match self.connect().await {
                Ok(mut pipeline) => self.converse(&mut pipeline).await,
                // What is not connected to is asked nothing: the command that it was for has failed.
                Err(failure) => {
                    self.context.exchange(self.get, async |_| Err::<(), _>(failure)).await
                }
            };
            if failed.is_err() {
                self.context.wait(self.backoff.next_wait()).await;
            }
        }
    }

    async fn connect(&self) -> Result<Pipeline<Resp>, Failure> {
        let arguments = &self.plan.arguments;
        let stream = match arguments.server.starts_with('/') {
            true => self.context.unix(&arguments.server).await?,
            false => self.context.tcp(&arguments.server).await?,
        };
        let mut framed =
            Framed::new(&self.context, stream, Resp::default(), arguments.reply_timeout);
        if let Some(password) = &arguments.password {
            accepted(framed.request(&["AUTH", password]).await?)?;
        }
        if arguments.resp3 {
            accepted(framed.request(&["HELLO", "3"]).await?)?;
        }
        Ok(Pipeline::new(framed))
    }

    /// Keeps the pipeline full until the user is to stop or the connection fails.
    async fn converse(&mut self, pipeline: &mut Pipeline<Resp>) -> Result<(), Failure> {
        loop {
            let outstanding = pipeline.outstanding() as u64;
            let room = self.plan.arguments.pipeline_depth - outstanding;
            let permit = match outstanding {
                0 => self.context.permit(room).await,
                // The replies that are outstanding are worth more than leave to send another command.
                _ => self.context.try_permit(room),
            };
            match permit {
                Some(permit) => self.begin(pipeline, permit),
                None if outstanding > 0 => {}
                None if self.context.is_stopping() => return Ok(()),
                // The budget of the run is spent: the engine ends the user.
                None => pending().await,
            }
            pipeline.settle(|_| {}).await?;
            self.backoff.reset();
        }
    }

    fn begin(&self, pipeline: &mut Pipeline<Resp>, permit: Permit) {
        let (plan, arguments) = (&*self.plan, &self.plan.arguments);
        for _ in 0..permit.count {
            let (key, percent) =
                self.context.random(|random| (random.below(arguments.keys), random.below(100)));
            let (entry, commands) = match percent < arguments.set_percent {
                true => (self.set, &plan.sets),
                false => (self.get, &plan.gets),
            };
            pipeline.begin_encoded(permit, entry, &commands[key as usize]);
        }
    }
}

/// The failure that a reply reports, if it does.
fn accepted(reply: resp::Reply<'_>) -> Result<(), Failure> {
    Resp::failure(&reply).map_or(Ok(()), Err)
}

fn main() -> ExitCode {
    loadr::run_with(|arguments: Arguments| {
        let plan = Arc::new(Plan::new(arguments));
        let live = move |user: User| {
            let mut client = Client::new(user.context.clone(), Arc::clone(&plan));
            async move { client.live().await }
        };
        Test::new().user(UserClass::new("RedisUser").task(task(live).name("converse")))
    })
}
