//! Owns both directions of the control stream: messages over quinn's streams. Either side may be interrupted at any
//! await without losing or repeating a byte.

use bytes::{Buf, BytesMut};
use quinn::{ReadError, RecvStream, SendStream, WriteError};

use crate::wire::message::{MAX_BODY, Reader};
use crate::wire::{Message, Violation};

/// Why no message came or went.
#[derive(Debug)]
pub enum Broken {
    /// The connection tells why.
    Connection,
    /// The peer did what it may not.
    Violation(Violation),
}

impl From<Violation> for Broken {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// The receiving direction.
pub struct ControlReader {
    stream: RecvStream,
    reader: Reader,
}

impl ControlReader {
    pub fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            reader: Reader::default(),
        }
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<Message, Broken> {
        loop {
            if let Some(message) = self.reader.take()? {
                return Ok(message);
            }
            match self.stream.read_chunk(MAX_BODY, true).await {
                Ok(Some(chunk)) => self.reader.push(&chunk.bytes),
                Ok(None) | Err(ReadError::Reset(_)) => {
                    return Err(Violation::new("the control stream ended before the connection").into());
                }
                Err(_) => return Err(Broken::Connection),
            }
        }
    }
}

/// The sending direction.
pub struct ControlWriter {
    stream: SendStream,
    pending: BytesMut,
}

impl ControlWriter {
    pub fn new(stream: SendStream) -> Self {
        // What is said here is small and urgent.
        let _ = stream.set_priority(i32::MAX);
        Self {
            stream,
            pending: BytesMut::new(),
        }
    }

    /// Sends a message, after what an interrupted call left over.
    pub async fn send(&mut self, message: &Message) -> Result<(), Broken> {
        self.flush().await?;
        self.pending.extend_from_slice(&message.encode());
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending).await {
                Ok(written) => self.pending.advance(written),
                Err(WriteError::Stopped(_)) => {
                    return Err(Violation::new("the control stream was stopped").into());
                }
                Err(_) => return Err(Broken::Connection),
            }
        }
        Ok(())
    }
}
