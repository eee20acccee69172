//! Owns the question how far a camera is answered: what its last result says.

use super::broker;
use super::camera::Shared;
use super::progress::{PROGRESS, Progress};
use super::subjects::Lane;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use cis_link::StreamName;
use futures_util::StreamExt;

/// The sequence of the last message on the subject of a camera's results, and what the last result among them says.
pub async fn load(shared: &Shared, name: &StreamName) -> Result<(u64, Progress), async_nats::Error> {
    let broker = &shared.broker;
    let subject = broker.subjects.results(name);
    let Some(last) = broker::last(&broker.results, &subject).await? else {
        return Ok(Default::default());
    };
    let found = match read(&last.headers) {
        Some(progress) => Some(progress),
        None => {
            shared.counts.foreign.add(1);
            tracing::warn!(stream = %name, "the last message on {subject} is no worker's: looking for the last result");
            search(shared, subject, last.sequence).await?
        }
    };
    let mut progress = found.unwrap_or_default();
    // A stream of units that was made anew counts from 1 again.
    let newest = broker.units.get_info().await?.state.last_sequence;
    for lane in [Lane::Live, Lane::Late] {
        if progress.lane(lane).up_to.sequence > newest {
            tracing::warn!(stream = %name, "the broker's units have been begun anew: all that there are get an answer");
            progress = Progress::default();
        }
    }
    Ok((last.sequence, progress))
}

fn read(headers: &HeaderMap) -> Option<Progress> {
    headers.get(PROGRESS)?.as_str().parse().ok()
}

/// Reads all that there is, up to the last message. Nobody but workers should be allowed to publish there.
async fn search(shared: &Shared, subject: String, last: u64) -> Result<Option<Progress>, async_nats::Error> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::None,
        filter_subject: subject,
        headers_only: true,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = shared.broker.results.create_consumer(config).await?;
    let mut messages = consumer.messages().await?;
    let mut found = None;
    while let Some(message) = messages.next().await {
        let message = message?;
        found = message.headers.as_ref().and_then(read).or(found);
        if message.info()?.stream_sequence >= last {
            return Ok(found);
        }
    }
    Err("the consumer has ended".into())
}
