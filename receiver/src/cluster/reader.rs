//! Owns the reading of one lane of a camera from the broker: every message from a sequence on, in order and none twice, whatever becomes of
//! connection and consumer.

use super::broker::Broker;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Messages that are asked for at a time: as many may be here and wait.
const BATCH: usize = 32;
/// How often the broker says that it is there while there are no messages; silence for twice as long ends the consumer.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long one request for messages stands.
const EXPIRES: Duration = Duration::from_secs(20);
/// When the broker forgets a consumer that nobody asks for anything any more.
const INACTIVE: Duration = Duration::from_secs(60);
/// The pause before a consumer is made anew.
const PAUSE: Duration = Duration::from_millis(100);

/// A message of a lane.
pub struct Message {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Its headers.
    pub headers: Option<HeaderMap>,
    /// The unit.
    pub payload: Bytes,
}

/// The messages of a lane. Reading ends when it is dropped.
pub struct Reader {
    messages: mpsc::Receiver<Message>,
    task: AbortHandle,
}

impl Reader {
    /// Reads from `start` on.
    pub fn start(broker: Arc<Broker>, subject: String, start: u64) -> Self {
        let (sender, messages) = mpsc::channel(BATCH);
        let read = async move {
            let mut next = start;
            while let Err(e) = read(&broker, &subject, &mut next, &sender).await {
                tracing::debug!(subject, "reading goes on at {next} after: {e}");
                tokio::time::sleep(PAUSE).await;
            }
        };
        Self {
            messages,
            task: tokio::spawn(read).abort_handle(),
        }
    }

    /// The next message. It is lost to nobody when this is given up before it is there.
    pub async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads until nobody listens; an error: until the consumer had to be given up.
async fn read(
    broker: &Broker,
    subject: &str,
    next: &mut u64,
    out: &mpsc::Sender<Message>,
) -> Result<(), async_nats::Error> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: (*next).max(1),
        },
        // How far a camera is answered is in its results.
        ack_policy: AckPolicy::None,
        filter_subject: subject.into(),
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: INACTIVE,
        ..pull::Config::default()
    };
    let consumer = broker.units.create_consumer(config).await?;
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(BATCH)
        .heartbeat(HEARTBEAT)
        .expires(EXPIRES)
        .messages()
        .await?;
    let mut delivered = 0;
    while let Some(message) = messages.next().await {
        let message = message?;
        let info = message.info()?;
        delivered += 1;
        if info.consumer_sequence != delivered {
            return Err(format!("message {} in place of {delivered}", info.consumer_sequence).into());
        }
        let sequence = info.stream_sequence;
        let message = message.split().0;
        let message = Message {
            sequence,
            headers: message.headers,
            payload: message.payload,
        };
        if out.send(message).await.is_err() {
            return Ok(());
        }
        *next = sequence + 1;
    }
    Err("the consumer has ended".into())
}
