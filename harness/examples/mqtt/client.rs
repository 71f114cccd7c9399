//! One connection to a broker, and what is measured on it.

use std::sync::Arc;

use loadr::library::custom::*;
use loadr::prelude::*;

use crate::Plan;
use crate::packet::{Message, Mqtt, Qos, Request};

/// How long the broker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Publisher,
    Subscriber,
}

pub(crate) struct Client {
    context: Context,
    plan: Arc<Plan>,
    side: Side,
    id: String,
    topic: String,
    /// What is published: the run, the time, and as many bytes more as are wanted.
    payload: Vec<u8>,
    connection: Option<Framed<Mqtt>>,
    subscribed: bool,
    /// Packet identifier last used.
    identifier: u16,
    backoff: Backoff,
}

impl Client {
    pub(crate) fn new(context: &Context, plan: &Arc<Plan>, side: Side) -> Self {
        let index = context.user_index();
        let role = if side == Side::Publisher { 'p' } else { 's' };
        let mut payload = vec![b'.'; plan.arguments.payload_size as usize];
        payload[..8].copy_from_slice(&plan.run.to_be_bytes());
        Self {
            context: context.clone(),
            plan: Arc::clone(plan),
            side,
            // A broker need not take more than 23 characters (3.1.3.1).
            id: format!("l{:x}-{index}{role}", plan.run as u32),
            topic: plan.arguments.topic.replace("[user]", &index.to_string()),
            payload,
            connection: None,
            subscribed: false,
            identifier: 0,
            backoff: Backoff::new(context.random(|random| random.next_u64())),
        }
    }

    /// Publishes a message; the time is up to when it was sent, or acknowledged.
    pub(crate) async fn publish(&mut self, qos: Qos) -> Result<(), Failure> {
        self.connect().await?;
        let plan = Arc::clone(&self.plan);
        let name = &plan.names.publish[usize::from(qos.level())];
        self.payload[8..16].copy_from_slice(&self.context.now_ns().to_be_bytes());
        let identifier = self.next_identifier();
        let payload = std::mem::take(&mut self.payload);
        let topic = std::mem::take(&mut self.topic);
        let request = Request::Publish { topic: &topic, payload: &payload, qos, identifier };
        let answer = match qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce => Some(Message::Acknowledged { identifier }),
        };
        let published = self.exchange(name, request, answer).await;
        (self.payload, self.topic) = (payload, topic);
        published
    }

    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        self.connect().await?;
        self.exchange("ping", Request::Ping, Some(Message::Pong)).await
    }

    pub(crate) async fn subscribe(&mut self) -> Result<(), Failure> {
        self.connect().await?;
        let (qos, identifier) = (self.plan.subscribe_qos(), self.next_identifier());
        let (plan, topic) = (Arc::clone(&self.plan), self.topic.clone());
        let request = Request::Subscribe { identifier, filter: &topic, qos };
        let answer = Message::Subscribed { identifier, granted: Some(qos.level()) };
        let exchanged = self.exchange(&plan.names.subscribe, request, Some(answer)).await;
        self.subscribed = exchanged.is_ok();
        if exchanged.is_err() {
            self.rest().await;
        }
        exchanged
    }

    /// Says goodbye, where there is anybody to say it to.
    pub(crate) async fn disconnect(&mut self) {
        if let Some(connection) = &mut self.connection {
            let _ = connection.send(Request::Disconnect).await;
        }
    }

    /// Receives what is delivered for as long as the user lives, subscribing anew where the connection is lost.
    pub(crate) async fn listen(mut self, context: Context) {
        self.context = context;
        loop {
            match self.connection.is_some() && self.subscribed {
                true => self.receive().await,
                false => drop(self.subscribe().await),
            }
        }
    }

    /// Waits for a message and records how long it was on its way.
    async fn receive(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let received = connection.recv().await;
        let acknowledged = match received {
            Ok(Message::Published { payload, qos, identifier, .. }) => {
                let sent_ns = sent_ns(payload, self.plan.run);
                let bytes = payload.len() as u64;
                if let Some(sent_ns) = sent_ns {
                    let took_ns = connection.received_at_ns().saturating_sub(sent_ns);
                    let took = Duration::from_nanos(took_ns);
                    let name = &self.plan.names.receive;
                    Sample::new("MQTT", name, took).body_bytes(bytes).record(&self.context);
                }
                match qos {
                    Qos::AtMostOnce => Ok(()),
                    Qos::AtLeastOnce => connection.send(Request::Acknowledge { identifier }).await,
                }
            }
            Ok(other) => Err(unasked(&other)),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = acknowledged {
            self.connection = None;
            self.subscribed = false;
            if failure.kind != FailureKind::Cancelled {
                let name = &self.plan.names.receive;
                let lost = Sample::new("MQTT", name, Duration::ZERO).failure(failure);
                lost.record(&self.context);
            }
        }
    }

    /// Opens the connection where there is none.
    async fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.is_some() {
            return Ok(());
        }
        let entry = self.context.entry(EntryKind::Exchange, "MQTT", "connect");
        let (context, plan, client_id) = (&self.context, &self.plan, &self.id);
        let connected = context.exchange(entry, async |traffic| {
            let stream = context.tcp(&plan.arguments.server).await?;
            let mut connection = Framed::new(context, stream, Mqtt, TIMEOUT);
            // A subscriber has nothing to say: it is given up when its connection is.
            let keep_alive_s = match self.side {
                Side::Publisher => plan.arguments.keep_alive,
                Side::Subscriber => 0,
            };
            let login = plan.arguments.login.as_ref();
            let login = login.map(|(name, password)| (name.as_str(), password.as_str()));
            let request = Request::Connect { client_id, keep_alive_s, login };
            match connection.request(request).await? {
                Message::Connected { return_code: 0, .. } => {}
                other => return Err(Mqtt::failure(&other).unwrap_or_else(|| unasked(&other))),
            }
            *traffic = connection.traffic();
            Ok(connection)
        });
        match connected.await {
            Ok(connection) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(failure) => {
                self.rest().await;
                Err(failure)
            }
        }
    }

    /// Leaves a broker alone that has refused something.
    async fn rest(&mut self) {
        self.context.sleep(self.backoff.next_wait()).await;
    }

    /// Sends a request and waits for its answer, if it has one, as one of the run's exchanges.
    async fn exchange(
        &mut self,
        name: &str,
        request: Request<'_>,
        answer: Option<Message<'_>>,
    ) -> Result<(), Failure> {
        let entry = self.context.entry(EntryKind::Exchange, "MQTT", name);
        // Whatever goes wrong, or is dropped in its middle, takes the connection along.
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        let exchanged = self.context.exchange(entry, async |traffic| {
            let Some(wanted) = answer else {
                connection.send(request).await?;
                traffic.bytes_sent = connection.traffic().bytes_sent;
                return Ok(());
            };
            let received = connection.request(request).await?;
            if received != wanted {
                return Err(Mqtt::failure(&received).unwrap_or_else(|| unasked(&received)));
            }
            *traffic = connection.traffic();
            Ok(())
        });
        exchanged.await?;
        self.connection = Some(connection);
        self.backoff.reset();
        Ok(())
    }

    /// The next packet identifier, which is never 0.
    fn next_identifier(&mut self) -> u16 {
        self.identifier = self.identifier.checked_add(1).unwrap_or(1);
        self.identifier
    }
}

/// When a message of this run was sent; another's is none of ours.
fn sent_ns(payload: &[u8], run: u64) -> Option<u64> {
    let (whose, rest) = payload.split_first_chunk()?;
    let (sent_ns, _) = rest.split_first_chunk()?;
    (u64::from_be_bytes(*whose) == run).then(|| u64::from_be_bytes(*sent_ns))
}

fn unasked(message: &Message<'_>) -> Failure {
    let what = match message {
        Message::Connected { .. } => "a second CONNACK",
        Message::Published { .. } => "a message that was not subscribed to",
        Message::Acknowledged { .. } => "PUBACK of another message",
        Message::Subscribed { .. } => "SUBACK of another subscription",
        Message::Pong => "PINGRESP without PINGREQ",
    };
    Failure::new(FailureKind::Protocol, format!("{what} received"))
}
