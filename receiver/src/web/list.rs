//! The camera list as the page shows it: once a second, the same JSON for everybody who looks.

use crate::clock;
use crate::stats::Snapshot;
use crate::stream::{Registry, Stream};
use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often it is made anew.
const PERIOD: Duration = Duration::from_secs(1);
/// Rates are means over this many periods.
const MEAN: usize = 3;
/// Cameras that have gone and are still listed; more, and the one that went first is forgotten.
const GONE: usize = 256;

/// Keeps the list up to date for ever.
pub async fn run(registry: Arc<Registry>, list: watch::Sender<Utf8Bytes>) {
    let mut known = Known::default();
    let mut tick = tokio::time::interval(PERIOD);
    loop {
        tick.tick().await;
        let streams = known.update(registry.open());
        let text = json!({"type": "streams", "streams": streams}).to_string();
        list.send_replace(text.into());
    }
}

#[derive(Default)]
struct Known {
    /// The last counts of each open stream, oldest first. A camera that comes back is another one.
    past: HashMap<usize, Vec<Snapshot>>,
    /// Since when those are gone that were here.
    gone: BTreeMap<String, (Instant, String)>,
    before: Vec<String>,
}

impl Known {
    fn update(&mut self, open: Vec<Arc<Stream>>) -> Vec<Value> {
        let names: Vec<String> = open.iter().map(|stream| stream.name.to_string()).collect();
        for name in std::mem::replace(&mut self.before, names.clone()) {
            self.gone
                .insert(name, (Instant::now(), clock::text(clock::now())));
        }
        self.gone.retain(|name, _| !names.contains(name));
        while self.gone.len() > GONE {
            let first = self.gone.iter().min_by_key(|(_, (since, _))| *since);
            let Some(name) = first.map(|(name, _)| name.clone()) else {
                break;
            };
            self.gone.remove(&name);
        }
        let mut past = HashMap::new();
        let mut streams: BTreeMap<String, Value> = BTreeMap::new();
        for stream in open {
            let identity = Arc::as_ptr(&stream) as usize;
            let mut counts = self.past.remove(&identity).unwrap_or_default();
            let now = stream.snapshot();
            if counts.last().is_some_and(|last| last.open > now.open) {
                counts.clear();
            }
            let before = counts.first().cloned().unwrap_or_default();
            streams.insert(stream.name.to_string(), entry(&stream, &before, &now));
            counts.push(now);
            if counts.len() > MEAN {
                counts.remove(0);
            }
            past.insert(identity, counts);
        }
        self.past = past;
        for (name, (_, since)) in &self.gone {
            streams.insert(
                name.clone(),
                json!({"name": name, "state": "gone", "since": since}),
            );
        }
        streams.into_values().collect()
    }
}

fn entry(stream: &Stream, before: &Snapshot, now: &Snapshot) -> Value {
    let seconds = now.open.saturating_sub(before.open).as_secs_f64().max(1e-3);
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    let kbit = |now, before| rate(now, before) * 8e-3;
    let mut objects = BTreeMap::<String, u32>::new();
    let found = stream.found.lock().clone();
    if found.current {
        for region in found.regions.iter() {
            *objects.entry(region.label.clone()).or_default() += 1;
        }
    }
    let millis = |time: Duration| time.as_millis() as u64;
    json!({
        "name": stream.name.as_str(),
        "state": if now.frames > before.frames { "live" } else { "silent" },
        "open_s": now.open.as_secs(),
        "fps": rate(now.frames, before.frames),
        "kbit_s": kbit(now.bytes, before.bytes),
        "enhancement_kbit_s": kbit(now.enhancement_bytes, before.enhancement_bytes),
        "latency_ms": now.latency.map(|(p50, p95)| json!({"p50": millis(p50), "p95": millis(p95)})),
        "objects": objects,
        "watched": now.watched,
        "lost": {
            "undecoded": now.undecoded,
            "undetected": now.undetected,
            "unrecorded": now.unrecorded,
            "unrestored": now.unrestored,
        },
    })
}
