//! The newest state of each stream, for retained messages: an older one that was not sent yet is of no use to anybody.

use super::Message;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::Notify;

/// Streams that are remembered; above it, those go that are offline.
const MAX_STREAMS: usize = 4096;

/// The states.
#[derive(Default)]
pub struct States {
    all: Mutex<HashMap<String, State>>,
    changed: Notify,
}

struct State {
    payload: Bytes,
    online: bool,
    sent: bool,
}

impl States {
    /// The state of a topic now.
    pub fn set(&self, topic: String, payload: Bytes, online: bool) {
        let mut all = self.all.lock();
        if all.get(&topic).is_some_and(|state| state.payload == payload) {
            return;
        }
        if all.len() >= MAX_STREAMS && !all.contains_key(&topic) {
            all.retain(|_, state| state.online || !state.sent);
        }
        let state = State {
            payload,
            online,
            sent: false,
        };
        all.insert(topic, state);
        self.changed.notify_one();
    }

    /// The broker may have forgotten them.
    pub fn send_all_again(&self) {
        self.all.lock().values_mut().for_each(|state| state.sent = false);
        self.changed.notify_one();
    }

    /// A state that was not sent yet; from now on it counts as sent.
    pub fn next(&self) -> Option<Message> {
        let mut all = self.all.lock();
        let (topic, state) = all.iter_mut().find(|(_, state)| !state.sent)?;
        state.sent = true;
        Some(Message {
            topic: topic.clone(),
            payload: state.payload.clone(),
            retain: true,
        })
    }

    /// Returns when there may be one.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}
