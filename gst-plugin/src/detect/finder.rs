//! The detector of an element: one of its own, or one that it shares with all elements of the same `model-instance-id`.

use std::sync::Arc;

use cis_inference::Error;
use cis_inference::batch::{Batcher, Lane, LaneOptions, Options, Request, WhenFull, instances};
use cis_inference::detect::{Detection, Detector, Params};
use cis_inference::geometry::Geometry;

use crate::model::Opened;

/// Finds objects in latents.
pub enum Finder {
    Own(Box<Detector>),
    Shared {
        lane: Lane,
        /// Lives as long as one element uses it.
        _batcher: Arc<Batcher>,
    },
}

impl Finder {
    /// Opens the network, or finds it open; `instance`: the name under which it is shared.
    pub fn open(opened: &Opened, instance: Option<&str>, batch: Options) -> Result<Self, Error> {
        let (runtime, bundle, options) = (&opened.runtime, &opened.model.bundle, &opened.options);
        let Some(name) = instance else {
            return Ok(Self::Own(Box::new(Detector::new(runtime, bundle, options)?)));
        };
        let batcher = instances::get(name, runtime, bundle, options, batch)?;
        // An element waits for each answer before it asks again.
        let lane = batcher.lane(LaneOptions {
            places: 1,
            when_full: WhenFull::Wait,
            deadline: None,
            background: false,
        });
        Ok(Self::Shared {
            lane,
            _batcher: batcher,
        })
    }

    /// The objects of a frame.
    pub fn detect(
        &mut self,
        latents: &[f32],
        geometry: &Geometry,
        params: &Arc<Params>,
    ) -> Result<Vec<Detection>, Arc<Error>> {
        match self {
            Self::Own(detector) => Ok(detector.detect(latents, geometry, params)?),
            Self::Shared { lane, .. } => lane.detect(Request {
                latents: latents.to_vec(),
                geometry: *geometry,
                params: params.clone(),
            }),
        }
    }
}
