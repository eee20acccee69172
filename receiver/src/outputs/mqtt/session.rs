//! The connection to the broker: sends what waits, reconnects for ever, counts what was confirmed.
//!
//! At most [`IN_FLIGHT`] messages are with the client at a time; the rest stay in the queue, whose end is seen by those who fill it.
//! When the connection breaks, the client's messages go back to its channel, so that nothing that was not confirmed is forgotten. What the broker
//! says it is too small for is given up: the client would break the connection over it again and again.

use super::Message;
use super::states::States;
use crate::outputs::{Meter, remote};
use crate::services::Stopping;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

/// Messages that were given to the client and not confirmed.
const IN_FLIGHT: usize = 64;
/// Room for what the session itself says.
const OWN: usize = 4;
/// Without any sign of the broker for this many keep-alive times the connection is given up: a write may hang for ever.
const SILENCE: u32 = 3;

/// What a packet has besides topic and payload, at most: a header, two lengths, an id.
const AROUND: usize = 16;

/// The largest packet that the broker takes, as it said when it was reached last.
struct Largest {
    bytes: AtomicU32,
    told: AtomicBool,
}

/// What a session needs to know.
pub struct Session {
    pub url: String,
    pub status: String,
    pub qos: QoS,
    pub states: Arc<States>,
    pub meter: Arc<Meter>,
}

impl Session {
    /// Runs until the queue is closed and everything in it was sent, or until there is no more time.
    pub async fn run(self, options: MqttOptions, mut queue: Receiver<Message>, stopping: Stopping) {
        let (client, events) = AsyncClient::new(options, IN_FLIGHT + OWN);
        let room = Semaphore::new(IN_FLIGHT);
        let largest = Largest {
            bytes: AtomicU32::new(u32::MAX),
            told: AtomicBool::new(false),
        };
        let work = async {
            tokio::select! {
                () = self.feed(&client, &mut queue, &room, &largest) => {}
                () = self.poll(&client, events, &room, &largest) => {}
            }
        };
        stopping.limit(work).await;
        self.meter.settle();
    }

    /// Gives the client what waits. Returns only when there is nobody to give it to.
    async fn feed(
        &self,
        client: &AsyncClient,
        queue: &mut Receiver<Message>,
        room: &Semaphore,
        largest: &Largest,
    ) {
        loop {
            let Ok(place) = room.acquire().await else { return };
            let state = self.states.next().inspect(|_| self.meter.accepted.add(1));
            let message = match state {
                Some(state) => Some(state),
                None => tokio::select! {
                    message = queue.recv() => message,
                    () = self.states.changed() => continue,
                },
            };
            let Some(Message {
                topic,
                payload,
                retain,
            }) = message
            else {
                break;
            };
            if !self.fits(topic.len(), payload.len(), largest) {
                continue;
            }
            // The place is free again when the broker has confirmed.
            place.forget();
            if let Err(e) = client.publish_bytes(topic, self.qos, retain, payload).await {
                tracing::error!("mqtt: {e}");
                self.meter.failed.add(1);
                room.add_permits(1);
            }
        }
        // Everything is confirmed when all places are free.
        let _all = room.acquire_many(IN_FLIGHT as u32).await;
        self.say(client, "offline");
        let _ = client.try_disconnect();
        std::future::pending().await
    }

    /// Drives the connection until the client has said goodbye.
    async fn poll(&self, client: &AsyncClient, mut events: EventLoop, room: &Semaphore, largest: &Largest) {
        let silence = events.options.keep_alive() * SILENCE;
        let mut backoff = remote::backoff();
        let mut since: Option<Instant> = None;
        let (mut known, mut told) = (false, false);
        loop {
            let problem = match tokio::time::timeout(silence, events.poll()).await {
                Ok(Ok(Event::Incoming(Packet::ConnAck(ack)))) => {
                    tracing::info!("mqtt: connected to {}", self.url);
                    let limit = ack.properties.and_then(|properties| properties.max_packet_size);
                    largest.bytes.store(limit.unwrap_or(u32::MAX), Relaxed);
                    self.meter.reconnects.add(u64::from(known));
                    (since, known, told) = (Some(Instant::now()), true, false);
                    self.say(client, "online");
                    self.states.send_all_again();
                    continue;
                }
                Ok(Ok(Event::Outgoing(Outgoing::Disconnect))) => return,
                Ok(Ok(event)) => {
                    self.count(&event, room);
                    continue;
                }
                Ok(Err(e)) => e.to_string(),
                Err(_) => {
                    events.clean();
                    "no answer".into()
                }
            };
            if !std::mem::replace(&mut told, true) {
                tracing::warn!("mqtt: {}: {problem}; tries again and again", self.url);
            }
            self.take_back(client, &mut events, room, largest);
            if let Some(since) = since.take() {
                backoff.ended(since.elapsed());
            }
            tokio::time::sleep(backoff.next(remote::chance())).await;
        }
    }

    fn count(&self, event: &Event, room: &Semaphore) {
        let delivered = match (self.qos, event) {
            (QoS::AtMostOnce, Event::Outgoing(Outgoing::Publish(0))) => true,
            (QoS::AtLeastOnce, Event::Incoming(Packet::PubAck(ack))) => {
                matches!(
                    ack.reason,
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers
                )
            }
            _ => return,
        };
        let counter = if delivered {
            &self.meter.delivered
        } else {
            &self.meter.failed
        };
        counter.add(1);
        room.add_permits(1);
    }

    /// Puts what the broken connection did not get confirmed back to where the next one takes it.
    fn take_back(&self, client: &AsyncClient, events: &mut EventLoop, room: &Semaphore, largest: &Largest) {
        let pending = std::mem::take(&mut events.pending).into_iter();
        let unsent = events.state.collision.take().map(Request::Publish);
        for request in pending.chain(unsent) {
            let Request::Publish(publish) = request else {
                continue;
            };
            let topic = String::from_utf8_lossy(&publish.topic).into_owned();
            if topic == self.status {
                continue;
            }
            if !self.fits(topic.len(), publish.payload.len(), largest) {
                room.add_permits(1);
            } else if let Err(e) = client.try_publish(topic, publish.qos, publish.retain, publish.payload) {
                tracing::error!("mqtt: a message is lost with the connection: {e}");
                self.meter.failed.add(1);
                room.add_permits(1);
            }
        }
    }

    /// Whether the broker takes a message of this size; one that it does not take has failed.
    fn fits(&self, topic: usize, payload: usize, largest: &Largest) -> bool {
        let (bytes, limit) = (topic + payload + AROUND, largest.bytes.load(Relaxed));
        let fits = bytes <= limit as usize;
        if !fits {
            self.meter.failed.add(1);
            if !largest.told.swap(true, Relaxed) {
                tracing::warn!(
                    "mqtt: {}: messages that are too large for the broker are given up; the first has some {bytes} bytes, it takes {limit}",
                    self.url
                );
            }
        }
        fits
    }

    /// Says how the receiver is. Not with the quality of service of the messages, so that it is not counted as one.
    fn say(&self, client: &AsyncClient, how: &'static str) {
        let qos = match self.qos {
            QoS::AtMostOnce => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        };
        if let Err(e) = client.try_publish(&self.status, qos, true, how) {
            tracing::warn!("mqtt: {}: {e}", self.status);
        }
    }
}
