//! Owns one connection of a sender, from the hello to the end.

mod late;
mod live;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quinn::Connection;
use tokio::time::Instant;

use super::Work;
use super::config::Config;
use super::dial;
use super::failure::Failure;
use super::group::Group;
use super::meter::Meter;
use super::pace::Pace;
use super::shared::{Phase, Shared};
use crate::control::{Broken, ControlReader, ControlWriter};
use crate::wire::group::Keeping;
use crate::wire::message::{Backlog, Hello, INSTANCE_LEN, Spool};
use crate::wire::{Close, Message, VERSION, Violation};

/// How often the receiver is told about the backlog.
const BACKLOG_PERIOD: Duration = Duration::from_secs(1);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// How a connection, or the attempt to make one, ended.
pub enum End {
    /// Everything was delivered.
    Finished,
    /// The application wants no more.
    Stopped,
    /// Trouble.
    Failed(Failure),
}

/// Connects, sends what there is to send, and says how it ended.
pub async fn run(work: &Work, open: &Arc<dial::Open>, instance: [u8; INSTANCE_LEN], pace: &mut Pace) -> End {
    let Work {
        shared,
        config,
        quic,
        meter,
    } = work;
    pace.reconnected();
    meter.set_limit(u64::MAX);
    let dial = tokio::time::timeout(config.connect_timeout, dial::dial(config, quic, open));
    let dialled = tokio::select! {
        dialled = dial => dialled,
        () = shared.reached(Phase::Stopped) => return End::Stopped,
        () = shared.nothing_left() => return End::Finished,
    };
    let (endpoint, connection) = match dialled {
        Ok(Ok(made)) => made,
        Ok(Err(failure)) => return End::Failed(failure),
        Err(_) => {
            let waited = config.connect_timeout.as_millis();
            return End::Failed(Failure::lost(format!("no answer within {waited} ms")));
        }
    };
    let session = Session {
        shared,
        config,
        connection: &connection,
        meter,
        pace: Mutex::new(pace),
        writing: Mutex::default(),
        groups: AtomicU64::new(0),
    };
    let end = tokio::select! {
        end = session.run(instance) => end,
        () = shared.reached(Phase::Stopped) => End::Stopped,
    };
    let close = match end {
        End::Finished => Close::Finished,
        End::Stopped | End::Failed(_) => Close::Shutdown,
    };
    connection.close(close.code().into(), b"");
    if !matches!(end, End::Failed(_)) {
        // The thread ends after this; the receiver should hear that it is over rather than find out.
        let _ = tokio::time::timeout(GOODBYE, endpoint.wait_idle()).await;
    }
    end
}

struct Session<'a> {
    shared: &'a Shared,
    config: &'a Config,
    connection: &'a Connection,
    meter: &'a Meter,
    pace: Mutex<&'a mut Pace>,
    writing: Mutex<Writing>,
    /// Groups begun, of both lanes.
    groups: AtomicU64,
}

/// The unit that waits for room in QUIC, if one does.
#[derive(Default)]
struct Writing {
    /// When it came to the sender, and since when it waits.
    now: Option<(Instant, Instant)>,
    /// Time for which units waited since the last look.
    waited: Duration,
}

impl Session<'_> {
    async fn run(&self, instance: [u8; INSTANCE_LEN]) -> End {
        // Somebody is there: on a thin link the answer takes its time behind the end of the handshake.
        let hello = tokio::time::timeout(self.config.connect_timeout * 2, self.hello(instance)).await;
        let (mut reader, mut writer, max_unit) = match hello {
            Ok(Ok(admitted)) => admitted,
            Ok(Err(broken)) => return End::Failed(self.failure(broken).await),
            Err(_) => return End::Failed(Failure::lost("the receiver does not answer the hello")),
        };
        // What is written now is not seen again: no more than an unknown link gets.
        self.set_window();
        self.shared.connected(self.connection);
        let since = Instant::now();
        let result = self.serve(&mut reader, &mut writer, max_unit).await;
        let lost = self.shared.disconnected();
        match result {
            Ok(()) => End::Finished,
            Err(broken) => {
                let mut failure = self.failure(broken).await;
                failure.lived = since.elapsed();
                if lost > 0 {
                    failure
                        .reason
                        .push_str(&format!("; {lost} units sent and not confirmed"));
                }
                End::Failed(failure)
            }
        }
    }

    /// Says who is here and waits to be let in.
    async fn hello(
        &self,
        instance: [u8; INSTANCE_LEN],
    ) -> Result<(ControlReader, ControlWriter, usize), Broken> {
        let (send, recv) = self.connection.open_bi().await.map_err(|_| Broken::Connection)?;
        let (mut reader, mut writer) = (ControlReader::new(recv), ControlWriter::new(send));
        let token = self.config.token.as_ref().map_or("", |token| token.as_str());
        let hello = Hello {
            version: VERSION,
            stream: self.config.stream.to_string(),
            bundle: self.config.bundle.clone(),
            token: token.as_bytes().to_vec(),
            instance,
            spool: self.shared.spool.as_ref().map(|spool| {
                let spool = spool.lock();
                Spool {
                    id: spool.id(),
                    oldest: spool.oldest(),
                }
            }),
        };
        writer.send(&Message::Hello(hello)).await?;
        match reader.next().await? {
            Message::Accept { max_unit } => {
                Ok((reader, writer, usize::try_from(max_unit).unwrap_or(usize::MAX)))
            }
            other => Err(Violation::new(format!("{} in place of the accept", other.name())).into()),
        }
    }

    async fn serve(
        &self,
        reader: &mut ControlReader,
        writer: &mut ControlWriter,
        max_unit: usize,
    ) -> Result<(), Broken> {
        tokio::select! {
            written = async { tokio::try_join!(self.write_live(max_unit), self.write_late(max_unit)) } => {
                written?;
            }
            () = self.watch() => {}
            broken = self.listen(reader) => return Err(broken),
            broken = self.tell_backlog(writer) => return Err(broken),
            _ = self.connection.closed() => return Err(Broken::Connection),
        };
        let groups = self.groups.load(Ordering::SeqCst);
        writer.send(&Message::Finish { groups }).await?;
        loop {
            match self.listen_once(reader).await? {
                Message::Finished => return Ok(()),
                _ => continue,
            }
        }
    }

    async fn open_group(&self, keeping: Keeping) -> Result<Group, Broken> {
        let group = Group::open(self.connection, keeping).await?;
        self.groups.fetch_max(group.number + 1, Ordering::SeqCst);
        Ok(group)
    }

    /// Tells what waits here, and how long encoding takes.
    async fn tell_backlog(&self, writer: &mut ControlWriter) -> Broken {
        let mut ticks = tokio::time::interval(BACKLOG_PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = Backlog::default();
        loop {
            ticks.tick().await;
            let (units, bytes, dropped) = self.shared.backlog();
            let now = Backlog {
                units: units as u64,
                bytes: bytes as u64,
                dropped,
            };
            if now != told {
                told = now;
                if let Err(broken) = writer.send(&Message::Backlog(now)).await {
                    return broken;
                }
            }
            if let Some(times) = self.shared.take_encoded()
                && let Err(broken) = writer.send(&Message::Encoded(times)).await
            {
                return broken;
            }
        }
    }

    async fn listen(&self, reader: &mut ControlReader) -> Broken {
        loop {
            match self.listen_once(reader).await {
                Ok(Message::Finished) => return Violation::new("finished before the finish").into(),
                Ok(_) => {}
                Err(broken) => return broken,
            }
        }
    }

    async fn listen_once(&self, reader: &mut ControlReader) -> Result<Message, Broken> {
        let message = reader.next().await?;
        match &message {
            Message::KeyRequest => self.shared.key_requested(),
            &Message::Layer { layer, on } => self.shared.layer(layer, on),
            &Message::Received { units, enhancement } => self.shared.confirmed(units, enhancement),
            &Message::Stored { serial, units } => self.shared.stored(serial, units),
            Message::Finished => {}
            other => return Err(Violation::new(format!("{} is not for a sender", other.name())).into()),
        }
        Ok(message)
    }

    async fn failure(&self, broken: Broken) -> Failure {
        match broken {
            Broken::Connection => self.connection.closed().await.into(),
            Broken::Violation(violation) => {
                let text = violation.to_string();
                // A listener that closes ends its streams too: what it closed with says more.
                match self.connection.close_reason() {
                    Some(error) => error.into(),
                    None => {
                        self.connection
                            .close(Close::Violation.code().into(), text.as_bytes());
                        Failure::lost(format!("the receiver's {text}"))
                    }
                }
            }
        }
    }
}
