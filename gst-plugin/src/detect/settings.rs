//! The properties of `cisdetect`.

use cis_inference::detect::{MAX_OBJECTS, Params};
use gst::glib;
use gst::prelude::*;

use super::classes;
use crate::model::{Model, ModelSettings};

const DEFAULT_THRESHOLD: f32 = 0.3;
const DEFAULT_NMS_IOU: f32 = 0.6;
const DEFAULT_MAX_OBJECTS: u32 = 100;

/// What the element was asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    pub model: ModelSettings,
    threshold: f32,
    nms_iou: f32,
    classes: String,
    max_objects: u32,
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
                _ => return None,
            })
        })
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
