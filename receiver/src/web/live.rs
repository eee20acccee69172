//! The films of what cameras see now: one per watched camera, however many browsers watch.

use super::film::{Film, Pace};
use crate::live::Live;
use crate::view::{self, View, encode};
use cis_link::StreamName;
use gst::glib;
use gst::prelude::*;
use gst_app::AppSrc;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The films that run.
pub struct Channels {
    films: Mutex<HashMap<StreamName, Weak<Channel>>>,
    settings: Arc<Live<encode::Settings>>,
}

/// One of them. It ends with the last who holds it.
pub struct Channel {
    /// The film.
    pub film: Film,
    view: Arc<View>,
    entrance: AppSrc,
}

impl Channels {
    /// None yet; those that begin have the settings of that moment.
    pub fn new(settings: Arc<Live<encode::Settings>>) -> Self {
        Self {
            films: Mutex::default(),
            settings,
        }
    }

    /// The film of that camera, which begins if nobody watches yet. Takes a while: not for a thread that serves others.
    pub fn join(&self, name: &StreamName, view: &Arc<View>) -> Result<Arc<Channel>, glib::BoolError> {
        let mut films = self.films.lock();
        films.retain(|_, film| film.strong_count() > 0);
        let running = films.get(name).and_then(Weak::upgrade);
        if let Some(channel) = running
            && Arc::ptr_eq(&channel.view, view)
            && !channel.film.ended()
        {
            return Ok(channel);
        }
        let entrance = view::pictures();
        let film = Film::new(vec![entrance.clone().upcast()], *self.settings.get(), Pace::Live)?;
        film.play()?;
        view.watch(entrance.clone())?;
        let channel = Arc::new(Channel {
            film,
            view: view.clone(),
            entrance,
        });
        films.insert(name.clone(), Arc::downgrade(&channel));
        Ok(channel)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.view.unwatch(&self.entrance);
    }
}
