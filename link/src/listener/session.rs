//! Owns one connection of a listener, from the handshake to the end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use quinn::{Connection, Incoming};
use rustls::pki_types::CertificateDer;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::admission::{Denied, admit};
use super::allowance::Allowance;
use super::event::Slot;
use super::history::News;
use super::lane::LANE;
use super::liveness;
use super::shared::Shared;
use super::stream::{Conflict, Registration, Stream};
use crate::control::{Broken, ControlReader, ControlWriter};
use crate::reason;
use crate::wire::message::Hello;
use crate::wire::{Close, Message, Refusal, Violation};

/// How often the camera is told what was received.
const RECEIVED_PERIOD: Duration = Duration::from_secs(1);

/// Serves one connection.
pub async fn run(shared: Arc<Shared>, incoming: Incoming) {
    let remote = incoming.remote_address();
    let patience = shared.config.limits.hello_timeout;
    let handshake = async { incoming.accept()?.await };
    let connection = match timeout(patience, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return shared.refused(remote, None, reason::words(&error)),
        Err(_) => return shared.refused(remote, None, "no handshake in time".into()),
    };
    let (hello, reader, writer) = match timeout(patience, read_hello(&connection)).await {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(broken)) => {
            let reason = end_words(&connection, broken);
            return shared.refused(remote, None, reason);
        }
        Err(_) => {
            connection.close(Close::Timeout.code().into(), b"");
            return shared.refused(remote, None, "no hello in time".into());
        }
    };
    match timeout(patience, register(&shared, &connection, hello)).await {
        Ok(Ok((registration, slots))) => serve(&shared, registration, slots, reader, writer).await,
        Ok(Err(denied)) => deny(&shared, &connection, remote, denied),
        Err(_) => {
            let words = "the application does not keep up, or an older connection does not end";
            deny(&shared, &connection, remote, Denied::new(Refusal::Busy, words));
        }
    }
}

async fn read_hello(connection: &Connection) -> Result<(Hello, ControlReader, ControlWriter), Broken> {
    let (send, recv) = connection.accept_bi().await.map_err(|_| Broken::Connection)?;
    let (mut reader, writer) = (ControlReader::new(recv), ControlWriter::new(send));
    match reader.next().await? {
        Message::Hello(hello) => Ok((hello, reader, writer)),
        other => Err(Violation::new(format!("{} in place of the hello", other.name())).into()),
    }
}

fn deny(shared: &Shared, connection: &Connection, remote: SocketAddr, denied: Denied) {
    connection.close(
        Close::Refused(denied.refusal).code().into(),
        denied.to_peer.as_bytes(),
    );
    shared.refused(remote, Some(denied.refusal), denied.to_log);
}

/// Room for the events with which a stream begins and ends.
struct Slots {
    opened: Slot,
    closed: Slot,
}

async fn register(
    shared: &Shared,
    connection: &Connection,
    hello: Hello,
) -> Result<(Registration, Slots), Denied> {
    let identity = connection.peer_identity();
    let chain = identity.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    let certificate = chain.as_ref().and_then(|chain| chain.first());
    let name = admit(&hello, certificate, &shared.config, &shared.auth.read())?;
    let limits = &shared.config.limits;
    let ledger = hello.spool.map(|_| shared.ledgers.get(&name));
    let stream = Stream::new(
        name,
        hello.bundle,
        hello.instance,
        connection.clone(),
        ledger,
        limits,
    );
    let stream = Arc::new(stream);
    let going = |_| Denied::new(Refusal::Busy, "the receiver is going away");
    let opened = shared.edges.clone().acquire_owned().await.map_err(going)?;
    let closed = shared.edges.clone().acquire_owned().await.map_err(going)?;
    let slots = Slots {
        opened: Slot::new(opened),
        closed: Slot::new(closed),
    };
    loop {
        match shared.register.add(stream.clone(), limits.streams) {
            Ok(registration) => {
                if let (Some(ledger), Some(spool)) = (&registration.stream.ledger, &hello.spool) {
                    ledger.enter(spool);
                }
                return Ok((registration, slots));
            }
            Err(Conflict::Refused(refusal, words)) => return Err(Denied::new(refusal, words)),
            Err(Conflict::Older(older)) => replace(&older).await,
            Err(Conflict::Taken(older)) if liveness::answers(&older).await => {
                let text = format!("{} is published from {} already", older.name, older.remote);
                return Err(Denied::new(Refusal::NameTaken, text));
            }
            Err(Conflict::Taken(older)) => {
                tracing::info!(stream = %older.name, remote = %older.remote, "gone without a word: its name is free");
                replace(&older).await;
            }
        }
    }
}

/// Ends an older connection; everything of it is with the application then.
async fn replace(older: &Stream) {
    older.connection.close(Close::Replaced.code().into(), b"");
    older.ended().await;
}

async fn serve(
    shared: &Shared,
    registration: Registration,
    slots: Slots,
    mut reader: ControlReader,
    mut writer: ControlWriter,
) {
    let stream = &*registration.stream;
    shared.accepted(stream, slots.opened);
    let session = Session {
        shared,
        stream,
        allowance: allowance(shared.config.limits.bytes_per_second),
        groups: watch::Sender::new(0),
        finish: watch::Sender::new(None),
        acknowledged: watch::Sender::new(false),
    };
    let broken = tokio::select! {
        Err(broken) = session.talk(&mut writer) => broken,
        Err(broken) = session.listen(&mut reader) => broken,
        Err(broken) = session.receive() => broken,
        _ = stream.connection.closed() => Broken::Connection,
    };
    let by_peer = stream
        .connection
        .close_reason()
        .and_then(|error| reason::closed_with(&error));
    let finished = *session.acknowledged.borrow() && by_peer == Some(Close::Finished);
    let reason = end_words(&stream.connection, broken);
    tracing::info!(stream = %stream.name, finished, reason, "stream closed");
    let event = super::Event::Closed {
        stream: stream.name.clone(),
        finished,
        reason,
    };
    shared.sink.put(event, slots.closed);
}

/// Closes a connection on which the protocol was broken. Why it ended, in words.
fn end_words(connection: &Connection, broken: Broken) -> String {
    match (connection.close_reason(), broken) {
        // A peer that closes ends its streams too: what it closed with says more.
        (Some(error), _) => reason::words(&error),
        (None, Broken::Violation(violation)) => {
            let text = violation.to_string();
            connection.close(Close::Violation.code().into(), text.as_bytes());
            text
        }
        (None, Broken::Connection) => "connection lost".into(),
    }
}

fn allowance(rate: u64) -> Option<Mutex<Allowance>> {
    let rate = rate as f64;
    (rate > 0.0).then(|| Mutex::new(Allowance::new(rate, 2.0 * rate, tokio::time::Instant::now())))
}

pub struct Session<'a> {
    pub shared: &'a Shared,
    pub stream: &'a Stream,
    /// Bytes that the camera may send now, if there is a limit.
    pub allowance: Option<Mutex<Allowance>>,
    /// Groups that are over.
    pub groups: watch::Sender<u64>,
    /// Groups there will be, once the camera said so.
    finish: watch::Sender<Option<u64>>,
    /// The camera was told that everything was received.
    acknowledged: watch::Sender<bool>,
}

impl Session<'_> {
    /// Tells the camera what the application wants and what was received.
    async fn talk(&self, writer: &mut ControlWriter) -> Result<Infallible, Broken> {
        let max_unit = self.shared.config.limits.unit_bytes as u64;
        writer.send(&Message::Accept { max_unit }).await?;
        self.tell_stored(writer).await?;
        let mut ticks = tokio::time::interval(RECEIVED_PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = (0, 0);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stream.outbox.wake.notified() => {}
                () = self.complete() => {
                    let (units, enhancement) = self.received();
                    writer.send(&Message::Received { units, enhancement }).await?;
                    self.tell_stored(writer).await?;
                    writer.send(&Message::Finished).await?;
                    self.acknowledged.send_replace(true);
                    // The camera closes; it has nothing to be told any more.
                    std::future::pending::<()>().await;
                }
            }
            let wishes = self.stream.outbox.take();
            // Before the key request: the camera can tell whether the newest key was known when another was asked for.
            let received = self.received();
            if received != told || wishes.probe {
                told = received;
                let (units, enhancement) = received;
                writer.send(&Message::Received { units, enhancement }).await?;
            }
            if wishes.key {
                writer.send(&Message::KeyRequest).await?;
            }
            for (layer, on) in wishes.layers {
                writer.send(&Message::Layer { layer, on }).await?;
            }
            self.tell_stored(writer).await?;
        }
    }

    fn received(&self) -> (u64, u64) {
        let counters = self.stream.counters.lock();
        (counters.units, counters.enhancement_units)
    }

    async fn tell_stored(&self, writer: &mut ControlWriter) -> Result<(), Broken> {
        let news = self.stream.ledger.as_ref().map(|ledger| ledger.take_news());
        for News { serial, units, .. } in news.unwrap_or_default() {
            let units = units.into();
            writer.send(&Message::Stored { serial, units }).await?;
        }
        Ok(())
    }

    /// Completes when the camera has announced the end and every group before it is over.
    async fn complete(&self) {
        let (mut finish, mut groups) = (self.finish.subscribe(), self.groups.subscribe());
        // Errors mean that the senders of the values are gone, and `self` holds them.
        let Ok(Some(last)) = finish.wait_for(Option::is_some).await.map(|last| *last) else {
            return;
        };
        let _ = groups.wait_for(|groups| *groups >= last).await;
        if let Some(ledger) = &self.stream.ledger {
            // The end is complete when everything is stored, too.
            while ledger.history.lock().outstanding() > 0 {
                ledger.wake.notified().await;
            }
        }
    }

    async fn listen(&self, reader: &mut ControlReader) -> Result<Infallible, Broken> {
        loop {
            match reader.next().await? {
                Message::Backlog(backlog) => self.stream.counters.lock().backlog = backlog,
                Message::Encoded(times) => self.stream.counters.lock().encoded.merge(&times),
                Message::Finish { groups } => {
                    self.finish.send_replace(Some(groups));
                }
                other => {
                    return Err(Violation::new(format!("{} is not for a listener", other.name())).into());
                }
            }
        }
    }

    /// Takes the groups in the order in which the camera began them, each into its lane.
    async fn receive(&self) -> Result<Infallible, Broken> {
        let (live, mut live_groups) = mpsc::channel(LANE);
        let (late, mut late_groups) = mpsc::channel(LANE);
        let accept = async {
            for number in 0.. {
                let recv = self.stream.connection.accept_uni().await;
                let group = self
                    .begin_group(number, recv.map_err(|_| Broken::Connection)?)
                    .await?;
                let lane = if group.is_late() { &late } else { &live };
                lane.send(group).await.map_err(|_| Broken::Connection)?;
            }
            Err::<Infallible, _>(Broken::Connection)
        };
        let (never, _, _) = tokio::try_join!(
            accept,
            self.read_lane(&mut live_groups),
            self.read_lane(&mut late_groups)
        )?;
        Ok(never)
    }
}
