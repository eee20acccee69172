//! The receiver's network: latents -> boxes in source pixels.

mod select;

use std::sync::Arc;

use ort::value::TensorElementType as Element;

use crate::bundle::Bundle;
use crate::geometry::Geometry;
use crate::runtime::{Dim, Given, Network, Runtime, Selection, SessionOptions, TensorSpec};
use crate::{Error, Result};

/// Most items of one [`Detector::detect_batch`].
pub const MAX_BATCH: usize = 64;
/// Most objects that can be asked for in one frame.
pub const MAX_OBJECTS: usize = 10_000;

/// One detected object. The box is in source pixels and inside the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Number of the class in the bundle.
    pub class_id: u32,
    /// Name of the class.
    pub label: Arc<str>,
    /// 0..=1.
    pub confidence: f32,
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, more than 0.
    pub w: f32,
    /// Height, more than 0.
    pub h: f32,
}

/// Which of the network's boxes are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Least confidence, 0..=1.
    pub threshold: f32,
    /// Of two boxes of one class that overlap by more than this (intersection over union, 0..=1) the less confident one
    /// is dropped.
    pub nms_iou: f32,
    /// Classes to look for; `None` = all.
    pub classes: Option<Vec<u32>>,
    /// Most objects of a frame, the most confident ones, 1..=[`MAX_OBJECTS`].
    pub max_objects: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            threshold: 0.3,
            nms_iou: 0.5,
            classes: None,
            max_objects: 300,
        }
    }
}

impl Params {
    /// Checks the values for a bundle of `classes` classes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn validate(&self, classes: usize) -> Result<()> {
        for (what, value) in [("threshold", self.threshold), ("nms-iou", self.nms_iou)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::range(what, value, "0..=1"));
            }
        }
        if !(1..=MAX_OBJECTS).contains(&self.max_objects) {
            return Err(Error::range(
                "max-objects",
                self.max_objects,
                format!("1..={MAX_OBJECTS}"),
            ));
        }
        match self
            .classes
            .iter()
            .flatten()
            .find(|&&class| class as usize >= classes)
        {
            Some(class) => Err(Error::range(
                "class",
                class,
                format!("0..={}", classes.saturating_sub(1)),
            )),
            None => Ok(()),
        }
    }
}

/// One frame of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Dequantised latents, channel-major.
    pub latents: &'a [f32],
    /// Geometry of its stream.
    pub geometry: &'a Geometry,
    /// What to look for.
    pub params: &'a Params,
}

/// The back-end of the detector.
pub struct Detector {
    network: Network,
    outputs: Selection,
    boxes: String,
    scores: String,
    channels: usize,
    classes: Arc<[Arc<str>]>,
    batch: Vec<f32>,
    selector: select::Selector,
}

impl Detector {
    /// Opens the bundle's back-end.
    ///
    /// # Errors
    /// When the network cannot be loaded, or its tensors are not what docs/bundle.md asks for.
    pub fn new(runtime: &Runtime, bundle: &Bundle, options: &SessionOptions) -> Result<Self> {
        let graph = &bundle.manifest().detect;
        let channels = usize::from(bundle.manifest().latents.channels);
        let classes = bundle.classes().clone();
        let network = Network::open(
            runtime,
            bundle,
            &graph.file,
            options,
            &[TensorSpec {
                name: &graph.input,
                element: Element::Float32,
                dims: &[Dim::Any, Dim::Is(channels), Dim::Any, Dim::Any],
            }],
            &[
                TensorSpec {
                    name: &graph.boxes,
                    element: Element::Float32,
                    dims: &[Dim::Any, Dim::Any, Dim::Is(4)],
                },
                TensorSpec {
                    name: &graph.scores,
                    element: Element::Float32,
                    dims: &[Dim::Any, Dim::Any, Dim::Is(classes.len())],
                },
            ],
        )?;
        let outputs = network.select(&[&graph.boxes, &graph.scores])?;
        let (boxes, scores) = (graph.boxes.clone(), graph.scores.clone());
        let selector = select::Selector::default();
        Ok(Self {
            network,
            outputs,
            boxes,
            scores,
            channels,
            classes,
            batch: Vec::new(),
            selector,
        })
    }

    /// The objects of one frame, most confident first.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for parameters or latents that do not fit; what the network reports.
    pub fn detect(
        &mut self,
        latents: &[f32],
        geometry: &Geometry,
        params: &Params,
    ) -> Result<Vec<Detection>> {
        let item = Item {
            latents,
            geometry,
            params,
        };
        self.check(&item)?;
        Ok(self.forward(latents, &[item])?.pop().unwrap_or_default())
    }

    /// The objects of several frames, whose latents have one size, in one run of the network.
    ///
    /// # Errors
    /// As [`Detector::detect`]; [`Error::OutOfRange`] for more than [`MAX_BATCH`] items or different sizes.
    pub fn detect_batch(&mut self, items: &[Item<'_>]) -> Result<Vec<Vec<Detection>>> {
        if items.len() > MAX_BATCH {
            return Err(Error::range("batch", items.len(), format!("0..={MAX_BATCH}")));
        }
        let Some(first) = items.first() else {
            return Ok(Vec::new());
        };
        for item in items {
            self.check(item)?;
            let ((w, h), (w0, h0)) = (item.geometry.latents, first.geometry.latents);
            if (w, h) != (w0, h0) {
                return Err(Error::range(
                    "latents of one batch",
                    format!("{w}x{h}"),
                    format!("{w0}x{h0}"),
                ));
            }
        }
        if !self.network.batched() {
            return items
                .iter()
                .map(|item| self.detect(item.latents, item.geometry, item.params))
                .collect();
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        for item in items {
            batch.extend_from_slice(item.latents);
        }
        let found = self.forward(&batch, items);
        self.batch = batch;
        found
    }

    fn check(&self, item: &Item<'_>) -> Result<()> {
        item.params.validate(self.classes.len())?;
        let expected = self.channels * item.geometry.latents_per_channel();
        if item.latents.len() == expected {
            return Ok(());
        }
        Err(Error::range(
            "number of latents",
            item.latents.len(),
            expected.to_string(),
        ))
    }

    fn forward(&mut self, latents: &[f32], items: &[Item<'_>]) -> Result<Vec<Vec<Detection>>> {
        let Some(first) = items.first() else {
            return Ok(Vec::new());
        };
        let (w, h) = first.geometry.latents;
        let count = items.len();
        let Self {
            network,
            outputs,
            boxes,
            scores,
            channels,
            classes,
            selector,
            ..
        } = self;
        let dims = [count, *channels, usize::from(h), usize::from(w)];
        network.run(&[Given::floats(dims, latents)], outputs, |outputs| {
            let (shape, boxes) = outputs.tensor::<f32>(boxes, &[Some(count), None, Some(4)])?;
            let anchors = shape.get(1).copied().unwrap_or_default();
            let (_, scores) =
                outputs.tensor::<f32>(scores, &[Some(count), Some(anchors), Some(classes.len())])?;
            if anchors == 0 {
                return Ok(vec![Vec::new(); count]);
            }
            let frames = boxes
                .chunks_exact(anchors * 4)
                .zip(scores.chunks_exact(anchors * classes.len()));
            let frames = frames.zip(items);
            Ok(frames
                .map(|((boxes, scores), item)| {
                    selector.select(boxes, scores, item.geometry, item.params, classes)
                })
                .collect())
        })
    }
}
