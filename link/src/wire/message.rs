//! Owns the messages of the control stream: their values, their bytes, and their reassembly.

use std::time::Duration;

use super::varint;
use super::{VERSION, Violation};
use crate::Times;

/// Longest body of a message, checked before anything is kept of it.
pub const MAX_BODY: usize = 4096;
/// Longest id of a bundle.
pub const MAX_BUNDLE: usize = 63;
/// Bytes that tell one sender from another of the same name.
pub const INSTANCE_LEN: usize = 16;

/// A message of the control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Sender: who it is. The first message.
    Hello(Hello),
    /// Listener: the sender is let in. The first message.
    Accept {
        /// Largest unit that the listener takes.
        max_unit: u64,
    },
    /// Listener: the next unit should be a key.
    KeyRequest,
    /// Listener: a layer is wanted, or no longer.
    Layer {
        /// Number of the layer.
        layer: u8,
        /// Whether it is wanted.
        on: bool,
    },
    /// Listener: what its application was given on this connection.
    Received {
        /// Number of units.
        units: u64,
        /// Number of enhancement units, which are not among them.
        enhancement: u64,
    },
    /// Sender: how it does.
    Backlog(Backlog),
    /// How long the sender's application took for the units that it handed over since the last such message.
    Encoded(Times),
    /// Sender: no group follows.
    Finish {
        /// Groups begun on this connection.
        groups: u64,
    },
    /// Listener: its application was given everything.
    Finished,
    /// Listener: how much of a kept group is safe with it. The sender need not keep that any longer.
    Stored {
        /// Serial of the group.
        serial: u64,
        /// Units of it, from its first on.
        units: u64,
    },
}

/// Who a sender is and what it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the messages that the sender speaks.
    pub version: u64,
    /// Name to publish under, not yet checked.
    pub stream: String,
    /// Id of the model bundle.
    pub bundle: String,
    /// The secret of the stream; empty if the sender has none.
    pub token: Vec<u8>,
    /// Drawn by chance once per sender, so that its next connection may replace the one before.
    pub instance: [u8; INSTANCE_LEN],
    /// What the sender keeps on its disk, if it does.
    pub spool: Option<Spool>,
}

/// The groups that a sender keeps until the listener has stored them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Drawn by chance when the spool was made: serials of one spool mean nothing in another.
    pub id: [u8; INSTANCE_LEN],
    /// Serial of the oldest group that is still there, or of the next one.
    pub oldest: u64,
}

/// What waits at a sender, and what it had to drop since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Units waiting.
    pub units: u64,
    /// Bytes waiting.
    pub bytes: u64,
    /// Units dropped.
    pub dropped: u64,
}

mod kind {
    pub const HELLO: u64 = 0x01;
    pub const ACCEPT: u64 = 0x02;
    pub const KEY_REQUEST: u64 = 0x03;
    pub const LAYER: u64 = 0x04;
    pub const RECEIVED: u64 = 0x05;
    pub const BACKLOG: u64 = 0x06;
    pub const FINISH: u64 = 0x07;
    pub const FINISHED: u64 = 0x08;
    pub const STORED: u64 = 0x09;
    pub const ENCODED: u64 = 0x0a;
}

impl Message {
    /// What the message is called, for logs: a hello must not be printed with its token.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Accept { .. } => "accept",
            Self::KeyRequest => "key request",
            Self::Layer { .. } => "layer",
            Self::Received { .. } => "received",
            Self::Backlog(_) => "backlog",
            Self::Encoded(_) => "encoded",
            Self::Finish { .. } => "finish",
            Self::Finished => "finished",
            Self::Stored { .. } => "stored",
        }
    }

    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let kind = match self {
            Self::Hello(hello) => {
                put_number(&mut body, 1, hello.version);
                put_field(&mut body, 2, hello.stream.as_bytes());
                put_field(&mut body, 3, hello.bundle.as_bytes());
                put_field(&mut body, 4, &hello.token);
                put_field(&mut body, 5, &hello.instance);
                if let Some(spool) = &hello.spool {
                    put_field(&mut body, 6, &spool.id);
                    put_number(&mut body, 7, spool.oldest);
                }
                kind::HELLO
            }
            Self::Accept { max_unit } => {
                put_number(&mut body, 1, *max_unit);
                kind::ACCEPT
            }
            Self::KeyRequest => kind::KEY_REQUEST,
            Self::Layer { layer, on } => {
                put_number(&mut body, 1, (*layer).into());
                put_number(&mut body, 2, (*on).into());
                kind::LAYER
            }
            Self::Received { units, enhancement } => {
                put_number(&mut body, 1, *units);
                if *enhancement > 0 {
                    put_number(&mut body, 2, *enhancement);
                }
                kind::RECEIVED
            }
            Self::Backlog(backlog) => {
                put_number(&mut body, 1, backlog.units);
                put_number(&mut body, 2, backlog.bytes);
                put_number(&mut body, 3, backlog.dropped);
                kind::BACKLOG
            }
            Self::Encoded(times) => {
                put_number(&mut body, 1, micros(times.sum()));
                let mut counts = Vec::new();
                times
                    .counts()
                    .iter()
                    .for_each(|count| varint::put(&mut counts, *count));
                put_field(&mut body, 2, &counts);
                kind::ENCODED
            }
            Self::Finish { groups } => {
                put_number(&mut body, 1, *groups);
                kind::FINISH
            }
            Self::Finished => kind::FINISHED,
            Self::Stored { serial, units } => {
                put_number(&mut body, 1, *serial);
                put_number(&mut body, 2, *units);
                kind::STORED
            }
        };
        let mut message = Vec::with_capacity(body.len() + 4);
        varint::put(&mut message, kind);
        varint::put(&mut message, body.len() as u64);
        message.append(&mut body);
        message
    }

    /// The message of a kind and a body; `None` for a kind of a later version.
    fn decode(kind: u64, body: &[u8]) -> Result<Option<Self>, Violation> {
        let fields = Fields::read(body)?;
        Ok(Some(match kind {
            kind::HELLO => Self::Hello(Hello::decode(&fields)?),
            kind::ACCEPT => Self::Accept {
                max_unit: fields.number(1)?,
            },
            kind::KEY_REQUEST => Self::KeyRequest,
            kind::LAYER => {
                let layer = fields.number(1)?;
                let layer = u8::try_from(layer).map_err(|_| range("layer", layer, "0 to 255"))?;
                let on = match fields.number(2)? {
                    0 => false,
                    1 => true,
                    other => return Err(range("layer state", other, "0 or 1")),
                };
                Self::Layer { layer, on }
            }
            kind::RECEIVED => Self::Received {
                units: fields.number(1)?,
                enhancement: match fields.optional(2) {
                    Some(_) => fields.number(2)?,
                    None => 0,
                },
            },
            kind::BACKLOG => Self::Backlog(Backlog {
                units: fields.number(1)?,
                bytes: fields.number(2)?,
                dropped: fields.number(3)?,
            }),
            kind::ENCODED => {
                let sum = Duration::from_micros(fields.number(1)?);
                let (mut rest, mut counts) = (fields.get(2)?, Vec::new());
                while !rest.is_empty() {
                    let count = varint::take(&mut rest);
                    counts.push(count.ok_or_else(|| Violation::new("field 2 is not numbers"))?);
                }
                let times = Times::from_parts(sum, &counts);
                Self::Encoded(times.ok_or_else(|| range("counts", counts.len() as u64, "at most 14"))?)
            }
            kind::FINISH => Self::Finish {
                groups: fields.number(1)?,
            },
            kind::FINISHED => Self::Finished,
            kind::STORED => Self::Stored {
                serial: fields.number(1)?,
                units: fields.number(2)?,
            },
            _ => return Ok(None),
        }))
    }
}

impl Hello {
    fn decode(fields: &Fields<'_>) -> Result<Self, Violation> {
        let version = fields.number(1)?;
        if version != VERSION {
            // The fields of another version may differ: the listener refuses by the version alone.
            let (stream, bundle) = (String::new(), String::new());
            return Ok(Self {
                version,
                stream,
                bundle,
                token: Vec::new(),
                instance: [0; INSTANCE_LEN],
                spool: None,
            });
        }
        let drawn = |what, bytes: &[u8]| {
            let wrong = |_| range(what, bytes.len() as u64, "16 bytes long");
            <[u8; INSTANCE_LEN]>::try_from(bytes).map_err(wrong)
        };
        let instance = drawn("instance", fields.get(5)?)?;
        let spool = match fields.optional(6) {
            Some(id) => Some(Spool {
                id: drawn("spool id", id)?,
                oldest: fields.number(7)?,
            }),
            None => None,
        };
        Ok(Self {
            version,
            stream: fields.text(2)?,
            bundle: fields.text(3)?,
            token: fields.get(4)?.to_vec(),
            instance,
            spool,
        })
    }
}

/// In whole microseconds, as many as a varint holds.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).map_or(varint::MAX, |micros| micros.min(varint::MAX))
}

fn range(what: &str, value: u64, range: &str) -> Violation {
    Violation::new(format!("{what} {value}: must be {range}"))
}

fn put_field(body: &mut Vec<u8>, id: u64, value: &[u8]) {
    varint::put(body, id);
    varint::put(body, value.len() as u64);
    body.extend_from_slice(value);
}

fn put_number(body: &mut Vec<u8>, id: u64, value: u64) {
    let mut number = Vec::with_capacity(8);
    varint::put(&mut number, value);
    put_field(body, id, &number);
}

/// Fields known to this version, by id. What a later version adds is skipped.
struct Fields<'a>([Option<&'a [u8]>; Fields::KNOWN]);

impl<'a> Fields<'a> {
    const KNOWN: usize = 8;

    fn read(mut body: &'a [u8]) -> Result<Self, Violation> {
        let mut fields = [None; Self::KNOWN];
        while !body.is_empty() {
            let cut = || Violation::new("a field runs past the end of its message");
            let id = varint::take(&mut body).ok_or_else(cut)?;
            let len = varint::take(&mut body)
                .and_then(|len| usize::try_from(len).ok())
                .ok_or_else(cut)?;
            let (value, rest) = body.split_at_checked(len).ok_or_else(cut)?;
            body = rest;
            let field = usize::try_from(id).ok().and_then(|id| fields.get_mut(id));
            if field.is_some_and(|field| field.replace(value).is_some()) {
                return Err(Violation::new(format!("field {id} comes twice")));
            }
        }
        Ok(Self(fields))
    }

    fn optional(&self, id: usize) -> Option<&'a [u8]> {
        self.0.get(id).copied().flatten()
    }

    fn get(&self, id: usize) -> Result<&'a [u8], Violation> {
        self.optional(id)
            .ok_or_else(|| Violation::new(format!("field {id} is missing")))
    }

    fn number(&self, id: usize) -> Result<u64, Violation> {
        let mut value = self.get(id)?;
        match varint::take(&mut value) {
            Some(number) if value.is_empty() => Ok(number),
            _ => Err(Violation::new(format!("field {id} is not a number"))),
        }
    }

    fn text(&self, id: usize) -> Result<String, Violation> {
        let text = std::str::from_utf8(self.get(id)?);
        text.map(str::to_owned)
            .map_err(|_| Violation::new(format!("field {id} is not text")))
    }
}

/// Puts the bytes of a control stream together to messages. Keeps less than one message of the longest kind.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// Adds what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message. `None`: more must come first. After an error the stream makes no sense.
    pub fn take(&mut self) -> Result<Option<Message>, Violation> {
        loop {
            let mut rest = &self.bytes[..];
            let (Some(kind), Some(len)) = (varint::take(&mut rest), varint::take(&mut rest)) else {
                return Ok(None);
            };
            if len > MAX_BODY as u64 {
                return Err(range("message length", len, "at most 4096"));
            }
            let Some((body, rest)) = rest.split_at_checked(len as usize) else {
                return Ok(None);
            };
            let message = Message::decode(kind, body)?;
            let used = self.bytes.len() - rest.len();
            self.bytes.drain(..used);
            if message.is_some() {
                return Ok(message);
            }
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::one_of_each as examples;
