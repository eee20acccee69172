//! Owns one camera in a worker: reads its units, has them answered by intake and detector, and publishes the results. It knows from the last
//! result where to begin, and says with each result how far it has come.

use super::broker::Broker;
use super::chain::{Chain, Link, Refused};
use super::counts::WorkerCounts;
use super::feed::Feed;
use super::history;
use super::progress::{PROGRESS, Progress, Tracker};
use super::reader::{Message, Reader};
use super::results::{Desk, News};
use super::subjects::Lane;
use super::tag::{FrameId, Kind, Tag};
use crate::outputs::Meter;
use bytes::Bytes;
use cis_link::listener::{Event, Receipt};
use cis_link::{StreamName, Unit};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// The header that tells whose result it is: worker, process and frame.
pub const RESULT: &str = "Cis-Result";
/// By which the broker knows a second result of a frame.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// Frames of a camera's past that are before the detector at a time: what is live must not wait behind them.
const LATE_WINDOW: usize = 2;

/// What all cameras of a worker share.
pub struct Shared {
    /// The broker.
    pub broker: Arc<Broker>,
    /// Where units go.
    pub feed: Feed,
    /// Where results come from.
    pub desk: Desk,
    /// What is counted.
    pub counts: Arc<WorkerCounts>,
    /// What became of results.
    pub meter: Arc<Meter>,
    /// This process, among all others.
    pub identity: String,
    /// Id of the model bundle.
    pub bundle: String,
    /// Live frames that are before the detector at a time.
    pub window: usize,
    /// Results have an id.
    pub ids: bool,
}

/// One lane.
struct Side {
    reader: Reader,
    tracker: Tracker,
    /// Units that were given out and not come back.
    outstanding: usize,
    window: usize,
    /// Sequence and number of the unit before.
    before: (u64, u64),
}

/// A camera.
struct Camera {
    shared: Arc<Shared>,
    name: StreamName,
    live: Side,
    late: Side,
    chain: Chain,
    sender: mpsc::Sender<News>,
    /// Somebody else has published results: these are no good any more.
    fenced: bool,
    stop: watch::Receiver<bool>,
}

/// Works for a camera until `stop` says so, or somebody else does; then what was given out is published still, if it may be. `give_up`:
/// nothing is tried any longer.
pub async fn hold(
    shared: Arc<Shared>,
    name: StreamName,
    mut stop: watch::Receiver<bool>,
    give_up: watch::Receiver<bool>,
) {
    let begun = tokio::select! {
        begun = history::load(&shared, &name) => begun,
        () = super::told(&mut stop) => return,
    };
    let (tail, progress) = match begun {
        Ok(begun) => begun,
        Err(e) => {
            return tracing::warn!(stream = %name, "not taken yet, the broker does not say how far it is: {e}");
        }
    };
    let late_window = LATE_WINDOW.min(shared.window);
    // Each unit brings two pieces of news at most.
    let (sender, mut news) = mpsc::channel(2 * (shared.window + late_window));
    let side = |lane, window| Side::start(&shared, &name, lane, &progress, window);
    let results = shared.broker.subjects.results(&name);
    let (jetstream, stream) = (shared.broker.jetstream.clone(), shared.broker.results.clone());
    let mut camera = Camera {
        live: side(Lane::Live, shared.window),
        late: side(Lane::Late, late_window),
        chain: Chain::new(jetstream, stream, results, tail),
        shared: shared.clone(),
        name: name.clone(),
        sender: sender.clone(),
        fenced: false,
        stop: give_up,
    };
    shared.counts.taken.add(1);
    shared.desk.open(name.clone(), sender);
    let opened = Event::Opened {
        stream: name.clone(),
        // Of the camera's address the gateway alone knows.
        remote: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        bundle: shared.bundle.clone(),
    };
    shared.feed.put(opened).await;
    camera.work(&mut news, &mut stop).await;
    camera.drain(&mut news).await;
    shared.desk.close(&name);
    shared.counts.released.add(1);
    let reason = match camera.fenced {
        true => "another worker has published results of it",
        false => "it is another worker's now",
    };
    let closed = Event::Closed {
        stream: name,
        finished: false,
        reason: reason.into(),
    };
    shared.feed.put(closed).await;
}

impl Side {
    fn start(shared: &Shared, name: &StreamName, lane: Lane, progress: &Progress, window: usize) -> Self {
        let answered = progress.lane(lane).clone();
        let before = (answered.up_to.sequence, answered.up_to.index);
        let tracker = Tracker::new(answered);
        let subject = shared.broker.subjects.units(name, lane);
        Self {
            reader: Reader::start(shared.broker.clone(), subject, tracker.start()),
            tracker,
            outstanding: 0,
            window,
            before,
        }
    }

    /// How many units are missing before this one.
    fn missed(&mut self, sequence: u64, index: u64) -> u64 {
        let (last, number) = std::mem::replace(&mut self.before, (sequence, index));
        // Each of them had a sequence of its own. Numbers that say otherwise are of a stream that was begun anew, or forged.
        let room = sequence.saturating_sub(last + 1);
        let hole = index.checked_sub(number.saturating_add(1));
        hole.filter(|hole| *hole <= room).unwrap_or(0)
    }

    fn has_room(&self) -> bool {
        self.outstanding < self.window && self.tracker.open() < self.window
    }
}

impl Camera {
    async fn work(&mut self, news: &mut mpsc::Receiver<News>, stop: &mut watch::Receiver<bool>) {
        while !self.fenced {
            let (live, late) = (self.live.has_room(), self.late.has_room());
            tokio::select! {
                () = super::told(stop) => return,
                Some(news) = news.recv() => self.hear(news).await,
                Some(message) = self.live.reader.next(), if live => self.give(Lane::Live, message).await,
                Some(message) = self.late.reader.next(), if late => self.give(Lane::Late, message).await,
            }
        }
    }

    /// Waits for what was given out: what came back later would be taken for the next one's.
    async fn drain(&mut self, news: &mut mpsc::Receiver<News>) {
        while self.live.outstanding + self.late.outstanding > 0 {
            let Some(news) = news.recv().await else { return };
            self.hear(news).await;
        }
    }

    fn side(&mut self, lane: Lane) -> &mut Side {
        match lane {
            Lane::Live => &mut self.live,
            Lane::Late => &mut self.late,
        }
    }

    /// Gives a unit to intake.
    async fn give(&mut self, lane: Lane, message: Message) {
        let Some(tag) = Tag::read(message.headers.as_ref()) else {
            return self.shared.counts.foreign.add(1);
        };
        let sequence = message.sequence;
        let side = self.side(lane);
        let wanted = side.tracker.read(sequence, &tag);
        let missed = match wanted {
            true => side.missed(sequence, tag.index),
            false => 0,
        };
        if wanted {
            side.outstanding += 1;
        }
        if missed > 0 {
            self.shared.counts.missed.add(missed);
            tracing::warn!(stream = %self.name, %lane, "{missed} units are no longer with the broker: cluster.units-max-age is too short for these workers");
        }
        let receipt = match wanted {
            true => self.receipt(lane, sequence),
            false => Receipt::default(),
        };
        if !wanted {
            self.shared.counts.repeated.add(1);
        }
        let event = Event::Unit {
            stream: self.name.clone(),
            unit: Unit {
                data: message.payload,
                key: tag.is_key(),
            },
            group: 0,
            enhancement: tag.kind == Kind::Enhancement,
            late: lane == Lane::Late,
            repeated: !wanted || tag.kind == Kind::Repeated,
            last: false,
            receipt,
        };
        self.shared.feed.put(event).await;
    }

    fn receipt(&self, lane: Lane, sequence: u64) -> Receipt {
        let sender = self.sender.clone();
        Receipt::new(move |_| {
            // There is room for all that was given out.
            let _ = sender.try_send(News::Done { lane, sequence });
        })
    }

    async fn hear(&mut self, news: News) {
        match news {
            News::Result { lane, frame, json } => {
                let waits = self.side(lane).tracker.answer(frame).is_some();
                if waits && !self.fenced {
                    self.publish(frame, json).await;
                }
            }
            News::Done { lane, sequence } => {
                let side = self.side(lane);
                side.outstanding = side.outstanding.saturating_sub(1);
                // A frame that could not be decoded, or one that came before: there is no answer.
                side.tracker.done(sequence);
            }
        }
    }

    async fn publish(&mut self, frame: FrameId, json: Vec<u8>) {
        let progress = Progress {
            live: self.live.tracker.answered(),
            late: self.late.tracker.answered(),
        };
        let mut headers = vec![(PROGRESS, progress.to_string())];
        if self.shared.ids {
            headers.push((MESSAGE_ID, format!("{}:{frame}", self.name)));
        }
        let mark = format!("{} {frame}", self.shared.identity);
        let link = Link {
            payload: Bytes::from(json),
            mark: (RESULT, &mark),
            headers: &headers,
        };
        let counts = &self.shared.counts;
        match self.chain.append(link, &counts.retried, &mut self.stop).await {
            Ok(place) => {
                self.shared.meter.accepted.add(1);
                self.shared.meter.delivered.add(1);
                match place.duplicate {
                    true => counts.duplicates.add(1),
                    false => counts.answered.add(1),
                }
            }
            Err(Refused::Other(_)) => {
                counts.fenced.add(1);
                self.fenced = true;
            }
            Err(Refused::Oversized) => {
                self.shared.meter.accepted.add(1);
                self.shared.meter.failed.add(1);
                tracing::error!(stream = %self.name, "the result of frame {} is larger than the broker takes", frame.number);
            }
            // The next owner answers it.
            Err(Refused::Stopped) => self.fenced = true,
        }
    }
}
