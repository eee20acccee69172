//! Owns one lane of a camera in the gateway: a task that appends its units to their subject, one after the other. A unit's receipt is kept until
//! the broker has confirmed it.

use super::broker::{self, Broker};
use super::chain::{Chain, Link, Refused};
use super::counts::GatewayCounts;
use super::subjects::Lane;
use super::tag::{FrameId, Kind, TAG, Tag};
use crate::source::Cameras;
use bytes::Bytes;
use cis_codec::Limits;
use cis_codec::frame::{DETECTION, ENHANCEMENT, HeaderReader};
use cis_link::StreamName;
use cis_link::listener::Receipt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A key frame is dear on a thin uplink: it is asked for this often at most.
const KEY_PAUSE: Duration = Duration::from_secs(2);
/// The pause after the broker did not say what it has.
const PAUSE: Duration = Duration::from_millis(200);

/// What comes from a camera.
pub struct Item {
    /// The unit.
    pub data: Bytes,
    /// It came before.
    pub repeated: bool,
    /// It is of the enhancement layer.
    pub enhancement: bool,
    /// Dropped when the broker has it.
    pub receipt: Receipt,
}

/// What all lanes of a gateway share.
pub struct Shared {
    /// The broker.
    pub broker: Arc<Broker>,
    /// The cameras.
    pub cameras: Arc<dyn Cameras>,
    /// What is counted.
    pub counts: Arc<GatewayCounts>,
    /// What a unit may ask for.
    pub limits: Limits,
    /// Frames after which a key frame is asked for.
    pub max_group: u64,
    /// Nothing is tried any longer.
    pub stop: watch::Receiver<bool>,
}

struct Writer {
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
    camera: StreamName,
    lane: Lane,
    chain: Chain,
    frames: HeaderReader,
    enhancement: HeaderReader,
    /// What the broker had when the camera connected: the end of a gateway may have kept its camera from knowing.
    stored: Vec<FrameId>,
    index: u64,
    key: u64,
    newest: Option<FrameId>,
    /// Units of the group so far; nothing goes out before the next key frame when there is none.
    group: Option<u64>,
    /// The rest of the group cannot go out although there is nothing wrong with it: its camera is to keep it.
    losing: bool,
    asked: Option<Instant>,
}

/// Appends what comes until there will be no more.
pub async fn write(shared: Arc<Shared>, camera: StreamName, lane: Lane, mut items: mpsc::Receiver<Item>) {
    let mut stop = shared.stop.clone();
    let Some(mut writer) = Writer::open(shared.clone(), camera, lane, &mut stop).await else {
        while let Some(item) = items.recv().await {
            item.receipt.lost();
            shared.counts.lost.add(1);
        }
        return;
    };
    while let Some(item) = items.recv().await {
        writer.item(item).await;
    }
}

impl Writer {
    async fn open(
        shared: Arc<Shared>,
        camera: StreamName,
        lane: Lane,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<Self> {
        let broker = &shared.broker;
        let (mut stored, mut tail, mut index) = (Vec::new(), 0, 0);
        for of in [Lane::Live, Lane::Late] {
            let subject = broker.subjects.units(&camera, of);
            let last = loop {
                match broker::last(&broker.units, &subject).await {
                    Ok(last) => break last,
                    Err(e) => tracing::debug!(%camera, "the broker does not say what it has: {e}"),
                }
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = super::told(stop)  => return None,
                }
            };
            let Some(last) = last else { continue };
            let tag = Tag::read(Some(&last.headers));
            stored.extend(tag.map(|tag| tag.frame));
            if of == lane {
                (tail, index) = (last.sequence, number(tag, last.sequence).unwrap_or(0));
            }
        }
        let subject = broker.subjects.units(&camera, lane);
        let chain = Chain::new(broker.jetstream.clone(), broker.units.clone(), subject, tail);
        let limits = shared.limits;
        Some(Self {
            stop: stop.clone(),
            shared,
            camera,
            lane,
            chain,
            frames: HeaderReader::of_layer(DETECTION, limits),
            enhancement: HeaderReader::of_layer(ENHANCEMENT, limits),
            stored,
            index,
            key: 0,
            newest: None,
            group: None,
            losing: false,
            asked: None,
        })
    }

    async fn item(&mut self, item: Item) {
        let Some((frame, key, kind)) = self.look(&item) else {
            return;
        };
        if key {
            self.group = Some(0);
            self.losing = false;
        }
        let Some(group) = self.group else {
            return self.lose(&item, kind);
        };
        let data = item.data.clone();
        loop {
            let tag = Tag {
                index: self.index + 1,
                key: if key { 0 } else { self.key },
                frame,
                received_utc_ns: now_utc_ns(),
                kind,
            };
            let link = Link {
                payload: data.clone(),
                mark: (TAG, &tag.to_string()),
                headers: &[],
            };
            let counts = &self.shared.counts;
            match self.chain.append(link, &counts.retried, &mut self.stop).await {
                Ok(place) => {
                    counts.stored.add(1);
                    counts.bytes.add(data.len() as u64);
                    self.index += 1;
                    if key {
                        self.key = place.sequence;
                    }
                    self.group = Some(group + u64::from(kind != Kind::Enhancement));
                    if self.group.is_some_and(|group| group >= self.shared.max_group) {
                        self.ask_key();
                    }
                    return;
                }
                Err(Refused::Other(last)) => {
                    counts.fenced.add(1);
                    tracing::warn!(camera = %self.camera, lane = %self.lane, "somebody else has published units of this camera");
                    self.chain.follow(last.sequence);
                    self.index = number(Tag::read(Some(&last.headers)), last.sequence).unwrap_or(self.index);
                    // A key frame may follow anything, all others their own kind alone.
                    if !key {
                        return self.lose(&item, kind);
                    }
                }
                Err(Refused::Oversized) => {
                    // It would never go: kept by the camera, it would come again and again.
                    counts.oversized.add(1);
                    tracing::warn!(camera = %self.camera, "a unit of {} bytes is more than the broker takes", data.len());
                    return self.gap();
                }
                Err(Refused::Stopped) => return self.lose(&item, kind),
            }
        }
    }

    /// Which frame it is, whether a group begins with it, and what it is to workers.
    fn look(&mut self, item: &Item) -> Option<(FrameId, bool, Kind)> {
        if item.enhancement {
            // Whether it fits its frame is for the worker to see; without its frame here it is of no use.
            let readable = self.enhancement.read(&item.data).is_ok();
            let frame = self.newest.filter(|_| readable && self.group.is_some());
            if frame.is_none() {
                self.shared.counts.unreadable.add(1);
            }
            return frame.map(|frame| (frame, false, Kind::Enhancement));
        }
        match self.frames.read(&item.data) {
            Ok(header) => {
                let frame = FrameId::of(&header);
                self.newest = Some(frame);
                let known = item.repeated || (self.lane == Lane::Late && self.stored.contains(&frame));
                let kind = if known { Kind::Repeated } else { Kind::Frame };
                if header.key {
                    self.enhancement.reset();
                }
                Some((frame, header.key, kind))
            }
            Err(_) if self.losing => {
                self.shared.counts.lost.add(1);
                item.receipt.lost();
                None
            }
            Err(e) => {
                self.shared.counts.unreadable.add(1);
                if self.group.is_some() {
                    tracing::warn!(camera = %self.camera, "{e}; goes on at the next key frame");
                }
                self.gap();
                None
            }
        }
    }

    fn lose(&mut self, item: &Item, kind: Kind) {
        self.shared.counts.lost.add(1);
        item.receipt.lost();
        if kind != Kind::Enhancement {
            self.gap();
            self.losing = true;
        }
    }

    /// What comes next makes sense from its next key frame on.
    fn gap(&mut self) {
        self.group = None;
        self.frames.reset();
        self.enhancement.reset();
        self.ask_key();
    }

    fn ask_key(&mut self) {
        if self.lane == Lane::Live && self.asked.is_none_or(|asked| asked.elapsed() >= KEY_PAUSE) {
            self.asked = Some(Instant::now());
            self.shared.cameras.ask_key(&self.camera);
        }
    }
}

/// The number of the last message; one that is forged may be any, but there cannot be more messages than sequences.
fn number(tag: Option<Tag>, sequence: u64) -> Option<u64> {
    tag.map(|tag| tag.index.min(sequence))
}

fn now_utc_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
