//! The properties of `cisdetect`.

use std::time::Duration;

use cis_inference::batch::Options;
use cis_inference::detect::{MAX_BATCH, MAX_OBJECTS, Params};
use gst::glib;
use gst::prelude::*;

use super::classes;
use crate::model::{Model, ModelSettings};

const DEFAULT_THRESHOLD: f32 = 0.3;
const DEFAULT_NMS_IOU: f32 = 0.6;
const DEFAULT_MAX_OBJECTS: u32 = 100;
const DEFAULT_BATCH_SIZE: u32 = 1;
const DEFAULT_BATCH_TIMEOUT: u32 = 5;

/// What the element was asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    pub model: ModelSettings,
    threshold: f32,
    nms_iou: f32,
    classes: String,
    max_objects: u32,
    /// Elements of the same name share a network.
    pub instance: Option<String>,
    batch_size: u32,
    batch_timeout: u32,
    /// Whether something of [`Settings::params`] has changed since it was last asked for.
    pub changed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: ModelSettings::default(),
            threshold: DEFAULT_THRESHOLD,
            nms_iou: DEFAULT_NMS_IOU,
            classes: String::new(),
            max_objects: DEFAULT_MAX_OBJECTS,
            instance: None,
            batch_size: DEFAULT_BATCH_SIZE,
            batch_timeout: DEFAULT_BATCH_TIMEOUT,
            changed: true,
        }
    }
}

impl Settings {
    /// All properties but `stats`.
    pub fn properties() -> Vec<glib::ParamSpec> {
        let mut properties = ModelSettings::properties();
        properties.extend([
            glib::ParamSpecFloat::builder("threshold")
                .nick("Threshold")
                .blurb("Least confidence of an object")
                .minimum(0.0)
                .maximum(1.0)
                .default_value(DEFAULT_THRESHOLD)
                .mutable_playing()
                .build(),
            glib::ParamSpecFloat::builder("nms-iou")
                .nick("NMS overlap")
                .blurb("Of two boxes of one class that overlap by more than this (intersection over union) the less confident one is dropped")
                .minimum(0.0)
                .maximum(1.0)
                .default_value(DEFAULT_NMS_IOU)
                .mutable_playing()
                .build(),
            glib::ParamSpecString::builder("classes")
                .nick("Classes")
                .blurb("Classes to look for, names or numbers separated by commas; empty: all")
                .default_value(Some(""))
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("max-objects")
                .nick("Most objects")
                .blurb("Most objects of one frame: the most confident ones")
                .minimum(1)
                .maximum(MAX_OBJECTS as u32)
                .default_value(DEFAULT_MAX_OBJECTS)
                .mutable_playing()
                .build(),
            glib::ParamSpecString::builder("model-instance-id")
                .nick("Model instance")
                .blurb("Elements of one process with the same id share one network; unset: a network of its own")
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("batch-size")
                .nick("Batch size")
                .blurb("Most frames that go through a shared network together, one of each element")
                .minimum(1)
                .maximum(MAX_BATCH as u32)
                .default_value(DEFAULT_BATCH_SIZE)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("batch-timeout")
                .nick("Batch timeout")
                .blurb("How long a frame waits for those of other elements to go with it, ms")
                .maximum(Options::MAX_TIMEOUT.as_millis() as u32)
                .default_value(DEFAULT_BATCH_TIMEOUT)
                .mutable_ready()
                .build(),
        ]);
        properties
    }

    /// Sets a property.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        self.changed = true;
        if self.model.set(name, value) {
            return;
        }
        match name {
            "threshold" => self.threshold = value.get().unwrap_or(DEFAULT_THRESHOLD),
            "nms-iou" => self.nms_iou = value.get().unwrap_or(DEFAULT_NMS_IOU),
            "classes" => {
                self.classes = value
                    .get::<Option<String>>()
                    .unwrap_or_default()
                    .unwrap_or_default()
            }
            "max-objects" => self.max_objects = value.get().unwrap_or(DEFAULT_MAX_OBJECTS),
            "model-instance-id" => {
                let id = value.get::<Option<String>>().unwrap_or_default();
                self.instance = id.filter(|id| !id.is_empty());
            }
            "batch-size" => self.batch_size = value.get().unwrap_or(DEFAULT_BATCH_SIZE),
            "batch-timeout" => self.batch_timeout = value.get().unwrap_or(DEFAULT_BATCH_TIMEOUT),
            _ => {}
        }
    }

    /// The value of a property; `None` when it is not one of these.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        self.model.get(name).or_else(|| {
            Some(match name {
                "threshold" => self.threshold.to_value(),
                "nms-iou" => self.nms_iou.to_value(),
                "classes" => self.classes.to_value(),
                "max-objects" => self.max_objects.to_value(),
                "model-instance-id" => self.instance.to_value(),
                "batch-size" => self.batch_size.to_value(),
                "batch-timeout" => self.batch_timeout.to_value(),
                _ => return None,
            })
        })
    }

    /// How a shared network puts frames together.
    pub fn batch(&self) -> Options {
        Options {
            size: self.batch_size as usize,
            timeout: Duration::from_millis(self.batch_timeout.into()),
        }
    }

    /// What the detector is asked for.
    pub fn params(&self, model: &Model) -> Result<Params, String> {
        let params = Params {
            threshold: self.threshold,
            nms_iou: self.nms_iou,
            classes: classes::parse(&self.classes, model.bundle.classes())?,
            max_objects: self.max_objects as usize,
        };
        params
            .validate(model.bundle.classes().len())
            .map_err(|error| error.to_string())?;
        Ok(params)
    }
}
