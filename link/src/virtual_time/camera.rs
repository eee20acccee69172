//! A camera: makes units at a steady pace, and obeys the link or does not.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::Unit;
use crate::sender::shared::Shared;
use crate::sender::{Congestion, Event};

/// What a camera sends.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    /// From one frame to the next.
    pub frame: Duration,
    /// From one key to the next, in frames.
    pub group: u32,
    /// Bytes of a unit, and of a key.
    pub unit: usize,
    pub key: usize,
    /// Whether it sends no more than it is told to.
    pub obeys: bool,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            frame: Duration::from_millis(100),
            group: 20,
            unit: 250,
            key: 250,
            obeys: false,
        }
    }
}

/// Least bytes of a unit that a camera makes when it is told to send less; after that it leaves frames out.
const LEAST: f64 = 40.0;
/// Seconds of the bound that may be sent ahead before frames are left out, and after which the link has given up what is ahead.
const DEBT: f64 = 0.5;
const FORGOTTEN: f64 = 1.0;

/// What the link told a camera, and when, counted from the first frame.
pub type Told = Vec<(Duration, Congestion)>;

impl Camera {
    /// Sends so many frames, then finishes. What it was told goes to `told`.
    pub async fn film(self, frames: u32, link: Arc<Shared>, events: Receiver<Event>, told: Arc<Mutex<Told>>) {
        let began = Instant::now();
        let (mut since_key, mut target, mut debt) = (0, None, 0.0_f64);
        for number in 0..frames {
            for event in events.try_iter() {
                if let Event::Congestion(now) = event {
                    target = now.target_bitrate.filter(|_| self.obeys);
                    told.lock().push((began.elapsed(), now));
                }
            }
            let key = since_key >= self.group || number == 0 || link.key_wanted();
            let wish = if key { self.key } else { self.unit };
            let share = target.map(|target| target as f64 / 8.0 * self.frame.as_secs_f64());
            let second = share.map_or(0.0, |share| share / self.frame.as_secs_f64());
            debt = (debt.min(second * FORGOTTEN) - share.unwrap_or(0.0)).max(0.0);
            let left_out = share.is_some() && debt > second * DEBT;
            if !left_out {
                since_key = if key { 1 } else { since_key + 1 };
                let part = share.map_or(1.0, |share| (share / self.unit as f64).min(1.0));
                let bytes = (wish as f64 * part).max(LEAST) as usize;
                debt += if share.is_some() { bytes as f64 } else { 0.0 };
                let mut data = number.to_be_bytes().to_vec();
                data.resize(bytes, 0);
                link.push(Unit {
                    data: data.into(),
                    key,
                });
            }
            // The link's word comes at any time, frames at theirs.
            sleep(self.frame).await;
        }
        link.finish();
    }
}
