//! One simulated camera: its place in the clip, the link, and what it sent.

use crate::clip::Cursor;
use cis_codec::Limits;
use cis_codec::frame::Restamper;
use cis_link::Unit;
use cis_link::sender::{Config, Event, Outcome, Sender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A camera that runs.
pub struct Camera {
    sender: Sender,
    cursor: Cursor,
    restamper: Restamper,
    /// Frames so far.
    pub frames: u64,
    /// Frames that the link had no room for.
    pub dropped: u64,
    /// Key frames that were asked for.
    pub asked: u64,
    want_key: bool,
}

/// System time, ns since the Unix epoch.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}

impl Camera {
    /// Starts to connect.
    pub fn start(config: Config, cursor: Cursor) -> anyhow::Result<Self> {
        Ok(Self {
            sender: Sender::start(config)?,
            cursor,
            restamper: Restamper::new(Limits::default()),
            frames: 0,
            dropped: 0,
            asked: 0,
            want_key: true,
        })
    }

    /// Whether the receiver has let it in.
    pub fn connected(&self) -> bool {
        self.sender.stats().connected
    }

    /// Sends the next frame as captured now, `pts` after the first.
    pub fn frame(&mut self, pts: Duration) -> anyhow::Result<()> {
        for event in self.sender.events().try_iter() {
            if event == Event::KeyRequested {
                self.want_key = true;
                self.asked += 1;
            }
        }
        let unit = self.cursor.next(std::mem::take(&mut self.want_key));
        let pts_ns = u64::try_from(pts.as_nanos())?;
        let (data, header) = self.restamper.restamp(unit, pts_ns, now_ns())?;
        let unit = Unit {
            data: data.into(),
            key: header.key,
        };
        self.frames += 1;
        self.dropped += u64::from(matches!(self.sender.send(unit), Outcome::Dropped(_)));
        Ok(())
    }

    /// Connections after the first.
    pub fn reconnects(&self) -> u64 {
        self.sender.stats().reconnects
    }

    /// Sends what waits and says goodbye; `false`: not all of it arrived.
    pub fn finish(self, deadline: Duration) -> bool {
        self.sender.finish(deadline)
    }
}
