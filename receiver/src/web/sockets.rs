//! The page's WebSockets: the list, live pictures, replays. Text messages are JSON, binary ones fragmented MP4.

use super::film::{Chunk, Film};
use super::{Page, replay};
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use cis_link::StreamName;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// A viewer who takes nothing for this long is disconnected.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a socket looks whether its session is still valid.
const LOOK: Duration = Duration::from_secs(5);

/// A socket, and the cookie by which it was let in.
pub struct Visitor {
    page: Arc<Page>,
    cookie: String,
    socket: WebSocket,
}

/// The visitor has gone, or has to go.
struct Gone;

impl Visitor {
    /// Somebody who was let in.
    pub fn new(page: Arc<Page>, cookie: String, socket: WebSocket) -> Self {
        Self { page, cookie, socket }
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match tokio::time::timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    async fn say(&mut self, text: serde_json::Value) -> Result<(), Gone> {
        self.send(Message::Text(text.to_string().into())).await
    }

    /// Ends as soon as the visitor has gone or is no longer logged in. What browsers say otherwise means nothing here.
    async fn leaves(&mut self) -> Gone {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => if self.page.visitor(&self.cookie).is_none() {
                    return Gone;
                },
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Gone,
                    Some(Ok(_)) => {}
                },
            }
        }
    }

    /// Sends the list whenever it has changed.
    pub async fn list(mut self) {
        let mut list = self.page.list.clone();
        list.mark_changed();
        loop {
            tokio::select! {
                changed = list.changed() => {
                    let text: Utf8Bytes = list.borrow_and_update().clone();
                    if changed.is_err() || self.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                Gone = self.leaves() => return,
            }
        }
    }

    /// Sends what a camera sees.
    pub async fn live(mut self, name: StreamName) {
        let page = self.page.clone();
        let Ok(_place) = page.viewers.try_acquire() else {
            let _ = self
                .say(json!({"type": "busy", "reason": "web.max-viewers browsers watch already"}))
                .await;
            return;
        };
        let open = page.registry.open();
        let view = open
            .iter()
            .find(|stream| stream.name == name)
            .and_then(|stream| stream.view.clone());
        let Some(view) = view else {
            let _ = self.say(json!({"type": "gone"})).await;
            return;
        };
        let channels = self.page.clone();
        let joined = tokio::task::spawn_blocking(move || channels.channels.join(&name, &view)).await;
        match joined {
            Ok(Ok(channel)) => {
                let _ = self.play(&channel.film).await;
                // Perhaps the last who held it: that waits for the pipeline's threads.
                let _ = tokio::task::spawn_blocking(move || drop(channel)).await;
            }
            Ok(Err(e)) => tracing::error!("web: {e}"),
            Err(e) => tracing::error!("web: {e}"),
        }
    }

    /// Sends a recording from a position on.
    pub async fn replay(mut self, name: StreamName, file: String, from: Duration) {
        let page = self.page.clone();
        let Ok(_place) = page.replays.try_acquire() else {
            let _ = self
                .say(json!({"type": "busy", "reason": "web.max-replays recordings are replayed already"}))
                .await;
            return;
        };
        let library = self.page.clone();
        let wanted = file.clone();
        let look = move || Some(library.recordings.as_ref()?.find(&name, &wanted)?.path);
        let path = tokio::task::spawn_blocking(look).await.ok().flatten();
        let (Some(path), Some(settings)) = (path, page.replay.clone()) else {
            let _ = self.say(json!({"type": "gone"})).await;
            return;
        };
        let encode = *page.encode.get();
        let opened = tokio::task::spawn_blocking(move || replay::open(&path, from, &settings, encode)).await;
        let opened = match opened {
            Ok(opened) => opened.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match opened {
            Ok((film, length)) => {
                let length = length.map(|length| length.nseconds() as f64 * 1e-9);
                let told = self
                    .say(json!({"type": "recording", "length": length, "from": from.as_secs_f64()}))
                    .await;
                if told.is_ok() {
                    let _ = self.play(&film).await;
                }
                let _ = tokio::task::spawn_blocking(move || drop(film)).await;
            }
            Err(e) => {
                tracing::warn!("web: {file}: {e}");
                let _ = self
                    .say(json!({"type": "failed", "reason": "this recording cannot be replayed"}))
                    .await;
            }
        }
    }

    /// Sends a film to its end: what comes first, then everything from a key frame on.
    async fn play(&mut self, film: &Film) -> Result<(), Gone> {
        let mut chunks = film.subscribe();
        if film.ended() {
            return Ok(());
        }
        let first = tokio::select! {
            first = film.init() => first,
            gone = self.leaves() => return Err(gone),
        };
        let Some(first) = first else {
            return self.say(json!({"type": "end"})).await;
        };
        self.say(json!({"type": "init", "codec": first.codec})).await?;
        self.send(Message::Binary(first.data)).await?;
        let mut waiting = true;
        film.ask_key();
        loop {
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                gone = self.leaves() => return Err(gone),
            };
            match chunk {
                Ok(Chunk::Picture(text)) => self.send(Message::Text(text)).await?,
                Ok(Chunk::Fragment { key, .. }) if waiting && !key => {}
                Ok(Chunk::Fragment { data, .. }) => {
                    waiting = false;
                    self.send(Message::Binary(data)).await?;
                }
                Ok(Chunk::End) | Err(RecvError::Closed) => {
                    return self.say(json!({"type": "end"})).await;
                }
                Err(RecvError::Lagged(chunks)) => {
                    self.page.skipped.add(chunks);
                    waiting = true;
                    film.ask_key();
                }
            }
        }
    }
}
