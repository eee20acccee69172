//! Owns one connection of a sender, from the hello to the end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Connection, SendStream, WriteError};

use super::config::Config;
use super::dial;
use super::event::Event;
use super::failure::Failure;
use super::shared::{Phase, Shared};
use crate::control::{Broken, ControlReader, ControlWriter};
use crate::wire::message::{Backlog, Hello, INSTANCE_LEN};
use crate::wire::{Close, Message, VERSION, Violation, group};

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
pub async fn run(
    shared: &Shared,
    config: &Config,
    quic: &quinn::ClientConfig,
    instance: [u8; INSTANCE_LEN],
) -> End {
    let dial = tokio::time::timeout(config.connect_timeout, dial::dial(config, quic));
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
}

impl Session<'_> {
    async fn run(&self, instance: [u8; INSTANCE_LEN]) -> End {
        let hello = tokio::time::timeout(self.config.connect_timeout, self.hello(instance)).await;
        let (mut reader, mut writer, max_unit) = match hello {
            Ok(Ok(admitted)) => admitted,
            Ok(Err(broken)) => return End::Failed(self.failure(broken).await),
            Err(_) => return End::Failed(Failure::lost("the receiver does not answer the hello")),
        };
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
        let groups = tokio::select! {
            groups = self.write_groups(max_unit) => groups?,
            broken = self.listen(reader) => return Err(broken),
            broken = self.tell_backlog(writer) => return Err(broken),
            _ = self.connection.closed() => return Err(Broken::Connection),
        };
        writer.send(&Message::Finish { groups }).await?;
        loop {
            match self.listen_once(reader).await? {
                Message::Finished => return Ok(()),
                _ => continue,
            }
        }
    }

    /// Writes units until there are no more. Returns the number of groups.
    async fn write_groups(&self, max_unit: usize) -> Result<u64, Broken> {
        let mut groups = 0;
        let mut open: Option<Group> = None;
        while let Some(unit) = self.shared.next().await {
            if unit.data.len() > max_unit {
                let size = unit.data.len();
                tracing::warn!(
                    size,
                    max_unit,
                    "unit larger than the receiver takes: group dropped"
                );
                self.shared.give_up_group();
                continue;
            }
            if unit.key {
                drop(open.take());
                open = Some(Group::open(self.connection, groups).await?);
                groups += 1;
            }
            let Some(group) = &mut open else {
                self.shared.give_up_group();
                continue;
            };
            self.shared.sending(&unit.data, unit.key);
            group.write(unit.data).await?;
        }
        Ok(groups)
    }

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
            &Message::Layer { layer, on } => self.shared.event(Event::Layer { layer, on }),
            &Message::Received { units } => self.shared.confirmed(units),
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

/// The stream of one group. Ends when dropped: orderly after a whole unit, by a reset inside one.
struct Group {
    stream: SendStream,
    whole: bool,
}

impl Group {
    async fn open(connection: &Connection, number: u64) -> Result<Self, Broken> {
        let stream = connection.open_uni().await.map_err(|_| Broken::Connection)?;
        // The receiver reads one group after the other: the older one first.
        let _ = stream.set_priority(i32::try_from(number).map_or(i32::MIN, |n| -n));
        let mut group = Self { stream, whole: false };
        group.write_all(&mut [group::preamble(number)]).await?;
        Ok(group)
    }

    async fn write(&mut self, unit: Bytes) -> Result<(), Broken> {
        self.write_all(&mut [group::length(&unit), unit]).await
    }

    async fn write_all(&mut self, parts: &mut [Bytes]) -> Result<(), Broken> {
        self.whole = false;
        match self.stream.write_all_chunks(parts).await {
            Ok(()) => self.whole = true,
            Err(WriteError::Stopped(code)) => {
                return Err(Violation::new(format!("the receiver stopped a group with code {code}")).into());
            }
            Err(_) => return Err(Broken::Connection),
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // An error means that the stream is over already.
        let _ = if self.whole {
            self.stream.finish()
        } else {
            self.stream.reset(Close::Shutdown.code().into())
        };
    }
}
