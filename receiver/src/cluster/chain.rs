//! Owns the rule that keeps a subject in order: every message names the sequence of the one it follows, and the broker refuses it if that is
//! not the last one there. So a message that was sent again because its confirmation was lost is not there twice, and of two who believe
//! a camera theirs one finds out.

use super::broker;
use crate::stats::Counter;
use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::watch;

/// The pauses between two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The end of a subject, as far as it is known here.
pub struct Chain {
    jetstream: Context,
    stream: Stream,
    subject: String,
    tail: u64,
    failing: bool,
}

/// Why a message is not on its subject.
pub enum Refused {
    /// Somebody else's is the last one there.
    Other(Box<StreamMessage>),
    /// The broker takes none that large.
    Oversized,
    /// It was not to be tried any longer.
    Stopped,
}

/// A message to be appended.
pub struct Link<'a> {
    /// Its payload.
    pub payload: Bytes,
    /// The header by which it is recognised: name and value.
    pub mark: (&'static str, &'a str),
    /// Further headers.
    pub headers: &'a [(&'static str, String)],
}

/// How a message got there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its sequence.
    pub sequence: u64,
    /// The broker had it already, by its id, wherever that is.
    pub duplicate: bool,
}

impl Chain {
    /// The chain of a subject whose last message is `tail`; 0: there is none.
    pub fn new(jetstream: Context, stream: Stream, subject: String, tail: u64) -> Self {
        Self {
            jetstream,
            stream,
            subject,
            tail,
            failing: false,
        }
    }

    /// From now on it follows this one.
    pub fn follow(&mut self, tail: u64) {
        self.tail = tail;
    }

    /// Appends a message, and tries for as long as the broker does not answer and `stop` is false; `retried` counts those tries.
    pub async fn append(
        &mut self,
        link: Link<'_>,
        retried: &Counter,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Place, Refused> {
        let mut pause = FIRST_PAUSE;
        loop {
            let published = self.publish(&link).await;
            let trouble = match published {
                Ok(place) => {
                    if std::mem::take(&mut self.failing) {
                        tracing::info!(subject = self.subject, "the broker takes messages again");
                    }
                    return Ok(place);
                }
                Err(e) if e.kind() == PublishErrorKind::MaxPayloadExceeded => return Err(Refused::Oversized),
                Err(e) if e.kind() == PublishErrorKind::WrongLastSequence => {
                    match broker::last(&self.stream, &self.subject).await {
                        Ok(Some(last)) if is(&last.headers, link.mark) => {
                            self.tail = last.sequence;
                            return Ok(Place {
                                sequence: last.sequence,
                                duplicate: false,
                            });
                        }
                        Ok(Some(last)) => return Err(Refused::Other(Box::new(last))),
                        Ok(None) => {
                            // What it followed has grown too old, or was removed.
                            self.tail = 0;
                            continue;
                        }
                        Err(e) => e.to_string(),
                    }
                }
                Err(e) => broker::chain_of(&e),
            };
            retried.add(1);
            if !std::mem::replace(&mut self.failing, true) {
                tracing::warn!(
                    subject = self.subject,
                    "not taken by the broker, tried again: {trouble}"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = super::told(stop)  => return Err(Refused::Stopped),
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn publish(
        &mut self,
        link: &Link<'_>,
    ) -> Result<Place, async_nats::jetstream::context::PublishError> {
        let mut message = PublishMessage::build()
            .payload(link.payload.clone())
            .expected_last_subject_sequence(self.tail)
            .header(link.mark.0, link.mark.1);
        for (name, value) in link.headers {
            message = message.header(*name, value.as_str());
        }
        let confirmed = self
            .jetstream
            .send_publish(self.subject.clone(), message)
            .await?
            .await?;
        if !confirmed.duplicate || confirmed.sequence > self.tail {
            self.tail = confirmed.sequence;
        }
        Ok(Place {
            sequence: confirmed.sequence,
            duplicate: confirmed.duplicate,
        })
    }
}

fn is(headers: &HeaderMap, mark: (&'static str, &str)) -> bool {
    headers.get(mark.0).is_some_and(|value| value.as_str() == mark.1)
}
