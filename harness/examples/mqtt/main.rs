//! Messages through an MQTT 3.1.1 broker such as Mosquitto: `mqtt --server 127.0.0.1:1883 -u 100 -t 10s`.
//!
//! Each user publishes on one connection and listens on another, to the topic that it publishes to. So beside what the
//! broker answers, and how fast, there is the time from publishing to delivery: each message carries when it was sent. The
//! names are those that Locust's own MQTT client has.

mod client;
mod packet;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use loadr::prelude::*;

use client::{Client, Side};
use packet::Qos;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the broker listens: host:port
    #[arg(long, default_value = "127.0.0.1:1883")]
    server: String,
    /// Topic of the messages; [user] stands for the user's number
    #[arg(long, default_value = "loadr/[user]")]
    topic: String,
    /// Bytes of a message, of which 16 tell whose it is and when it was sent
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    payload_size: u32,
    /// Listen with this quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=1))]
    subscribe_qos: u8,
    /// Seconds between the tasks of a user
    #[arg(long, default_value_t = 0.0)]
    pause: f64,
    /// Seconds without a word after which the broker gives up a publisher; 0 for never
    #[arg(long, default_value_t = 60)]
    keep_alive: u16,
    /// Name and password of every user, with a colon in between
    #[arg(long, value_parser = login)]
    login: Option<(String, String)>,
}

fn login(text: &str) -> Result<(String, String), String> {
    let (name, password) =
        text.split_once(':').ok_or("a name and a password are wanted, name:password")?;
    Ok((name.to_owned(), password.to_owned()))
}

/// What all users share.
pub(crate) struct Plan {
    arguments: Arguments,
    names: Names,
    /// Tells this run's messages and clients from those of others.
    run: u64,
}

/// What exchanges are counted under.
struct Names {
    /// By the quality of service.
    publish: [String; 2],
    subscribe: String,
    receive: String,
}

impl Names {
    fn new(arguments: &Arguments) -> Self {
        let topic = &arguments.topic;
        Self {
            publish: [0, 1].map(|qos| format!("publish:{qos}:{topic}")),
            subscribe: format!("subscribe:{}:{topic}", arguments.subscribe_qos),
            receive: format!("receive:{topic}"),
        }
    }
}

impl Plan {
    fn subscribe_qos(&self) -> Qos {
        if self.arguments.subscribe_qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce }
    }
}

/// A user's publishing client, while no task has it.
struct Publisher {
    plan: Arc<Plan>,
    idle: RefCell<Option<Client>>,
}

impl Publisher {
    /// The client; one that a task was stopped with is replaced.
    fn take(&self, context: &Context) -> Client {
        let idle = self.idle.take();
        idle.unwrap_or_else(|| Client::new(context, &self.plan, Side::Publisher))
    }
}

async fn listen(user: User<Publisher>) {
    let mut client = Client::new(&user.context, &user.state.plan, Side::Subscriber);
    // Whoever published before the first subscription would wait for what nobody delivers.
    let _ = client.subscribe().await;
    user.context.companion(async move |context| client.listen(context).await);
}

async fn publish(user: User<Publisher>, qos: Qos) {
    let mut client = user.state.take(&user.context);
    // A failure has been counted, and the client connects anew.
    let _ = client.publish(qos).await;
    user.state.idle.replace(Some(client));
}

async fn ping(user: User<Publisher>) {
    let mut client = user.state.take(&user.context);
    let _ = client.ping().await;
    user.state.idle.replace(Some(client));
}

async fn leave(user: User<Publisher>) {
    user.state.take(&user.context).disconnect().await;
}

fn main() -> ExitCode {
    loadr::run_with(|arguments: Arguments| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = now.as_nanos() as u64 ^ u64::from(std::process::id());
        let pause = arguments.pause;
        let names = Names::new(&arguments);
        let plan = Arc::new(Plan { arguments, names, run });
        let state =
            move |_: &Context| Publisher { plan: Arc::clone(&plan), idle: RefCell::default() };
        let class = UserClass::with_state("MqttUser", state)
            .on_start(listen)
            .on_stop(leave)
            .wait(constant(pause))
            .task(task(|user| publish(user, Qos::AtMostOnce)).name("publish_qos_0").weight(5))
            .task(task(|user| publish(user, Qos::AtLeastOnce)).name("publish_qos_1").weight(5))
            .task(task(ping).weight(1));
        Test::new().user(class)
    })
}
