//! The properties of `cisencode`: defaults, ranges, and what they mean for the codec.

use cis_codec::encode::Config;
use cis_codec::frame::ENHANCEMENT;
use cis_codec::quant::QINDEX_MAX;
use cis_inference::geometry::MAX_INPUT;
use gst::glib;
use gst::prelude::*;

use crate::model::{Model, ModelSettings};

const DEFAULT_QINDEX: i32 = -1;
const DEFAULT_KEY_INTERVAL: u32 = 250;
const DEFAULT_STICKY: f32 = 0.05;
const MAX_STICKY: f32 = 0.49;
const DEFAULT_SQUEEZED_INTERVAL: u32 = 25;
const DEFAULT_ENHANCEMENT_BITRATE: u32 = 20;
/// No unit of the enhancement layer is longer than what its rate sends in this time: what comes after it has to wait so long at most.
const ENHANCEMENT_CAP_S: f64 = 0.25;
/// What the header of its key frames needs, and then some.
const ENHANCEMENT_CAP_LEAST: u32 = 160;

/// When the enhancement layer is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "CisEnhancement")]
#[repr(i32)]
pub enum Enhancement {
    /// Not at all.
    #[enum_value(name = "Never", nick = "never")]
    Never = 0,
    /// While the receiver asks for it.
    #[default]
    #[enum_value(name = "While somebody downstream asks for it", nick = "on-request")]
    OnRequest = 1,
    /// In every frame.
    #[enum_value(name = "Always", nick = "always")]
    Always = 2,
}

/// What the element was asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    pub model: ModelSettings,
    pub qindex: i32,
    pub bitrate: u32,
    pub max_frame_bytes: u32,
    pub key_interval: u32,
    pub input_size: u32,
    pub sticky: f32,
    pub skip_threshold: f64,
    pub squeezed_location: Option<String>,
    pub squeezed_interval: u32,
    /// Not a property: `bitrate` is what the link carries, and constant quality was asked for.
    pub bitrate_is_bound: bool,
    pub enhancement: Enhancement,
    pub enhancement_bitrate: u32,
    pub enhancement_qindex: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: ModelSettings::default(),
            qindex: DEFAULT_QINDEX,
            bitrate: 0,
            max_frame_bytes: 0,
            key_interval: DEFAULT_KEY_INTERVAL,
            input_size: 0,
            sticky: DEFAULT_STICKY,
            skip_threshold: 0.0,
            squeezed_location: None,
            squeezed_interval: DEFAULT_SQUEEZED_INTERVAL,
            bitrate_is_bound: false,
            enhancement: Enhancement::default(),
            enhancement_bitrate: DEFAULT_ENHANCEMENT_BITRATE,
            enhancement_qindex: DEFAULT_QINDEX,
        }
    }
}

impl Settings {
    /// All properties but `stats`.
    pub fn properties() -> Vec<glib::ParamSpec> {
        let mut properties = ModelSettings::properties();
        properties.extend([
            glib::ParamSpecInt::builder("qindex")
                .nick("Quantiser index")
                .blurb("Coarseness of the latents with constant quality, and the first one with a bitrate: 0 is the finest, every 8 double the step; -1: the bundle's own")
                .minimum(-1)
                .maximum(i32::from(QINDEX_MAX))
                .default_value(DEFAULT_QINDEX)
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("bitrate")
                .nick("Bitrate")
                .blurb("Mean rate in kbit/s, headers included; 0: constant quality")
                .maximum(u32::MAX / 1000)
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("max-frame-bytes")
                .nick("Most bytes of a frame")
                .blurb("No frame gets longer than this; 0: no cap")
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("key-interval")
                .nick("Key frame interval")
                .blurb("Frames from one key frame to the next; 0: only the first one and those asked for")
                .default_value(DEFAULT_KEY_INTERVAL)
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("input-size")
                .nick("Input size")
                .blurb("Long side of the squeezed image in pixels, a multiple of 32; 0: the bundle's own")
                .maximum(MAX_INPUT)
                .mutable_ready()
                .build(),
            glib::ParamSpecFloat::builder("sticky")
                .nick("Stickiness")
                .blurb("Squared error, in steps squared, that a bit must save for a symbol to change: sensor noise then costs no bits; the higher, the fewer bits; 0: every symbol is the nearest")
                .minimum(0.0)
                .maximum(MAX_STICKY)
                .default_value(DEFAULT_STICKY)
                .mutable_playing()
                .build(),
            glib::ParamSpecDouble::builder("skip-threshold")
                .nick("Skip threshold")
                .blurb("A frame is sent as a repeat of the last one, without running the network, when no block of 32x32 pixels of the scaled frame has changed by more than this mean difference, in levels of 0..255; 0: never")
                .minimum(0.0)
                .maximum(255.0)
                .mutable_playing()
                .build(),
            glib::ParamSpecString::builder("squeezed-location")
                .nick("Squeezed image's file")
                .blurb("PNG file that is replaced by the squeezed image every squeezed-interval coded frames; unset: none")
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("squeezed-interval")
                .nick("Squeezed image's interval")
                .blurb("Coded frames from one squeezed image to the next")
                .minimum(1)
                .default_value(DEFAULT_SQUEEZED_INTERVAL)
                .mutable_playing()
                .build(),
            glib::ParamSpecEnum::builder_with_default("enhancement", Enhancement::default())
                .nick("Enhancement layer")
                .blurb("When what an operator needs for a better picture is coded besides; detection never notices")
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("enhancement-bitrate")
                .nick("Bitrate of the enhancement layer")
                .blurb("Most kbit/s of the enhancement layer, on top of bitrate; it has less where the link does not carry both; 0: constant quality")
                .maximum(u32::MAX / 1000)
                .default_value(DEFAULT_ENHANCEMENT_BITRATE)
                .mutable_playing()
                .build(),
            glib::ParamSpecInt::builder("enhancement-qindex")
                .nick("Quantiser index of the enhancement layer")
                .blurb("As qindex, for the enhancement layer; with a bitrate the coarsest: where bits are left over it gets finer, by three octaves at most")
                .minimum(-1)
                .maximum(i32::from(QINDEX_MAX))
                .default_value(DEFAULT_QINDEX)
                .mutable_playing()
                .build(),
        ]);
        properties
    }

    /// Sets a property.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        if self.model.set(name, value) {
            return;
        }
        match name {
            "qindex" => self.qindex = value.get().unwrap_or(DEFAULT_QINDEX),
            "bitrate" => self.bitrate = value.get().unwrap_or_default(),
            "max-frame-bytes" => self.max_frame_bytes = value.get().unwrap_or_default(),
            "key-interval" => self.key_interval = value.get().unwrap_or(DEFAULT_KEY_INTERVAL),
            "input-size" => self.input_size = value.get().unwrap_or_default(),
            "sticky" => self.sticky = value.get().unwrap_or(DEFAULT_STICKY),
            "skip-threshold" => self.skip_threshold = value.get().unwrap_or_default(),
            "squeezed-location" => {
                let location = value.get::<Option<String>>().unwrap_or_default();
                self.squeezed_location = location.filter(|location| !location.is_empty());
            }
            "squeezed-interval" => self.squeezed_interval = value.get().unwrap_or(DEFAULT_SQUEEZED_INTERVAL),
            "enhancement" => self.enhancement = value.get().unwrap_or_default(),
            "enhancement-bitrate" => {
                self.enhancement_bitrate = value.get().unwrap_or(DEFAULT_ENHANCEMENT_BITRATE);
            }
            "enhancement-qindex" => self.enhancement_qindex = value.get().unwrap_or(DEFAULT_QINDEX),
            _ => {}
        }
    }

    /// The value of a property; `None` when it is not one of these.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        self.model.get(name).or_else(|| {
            Some(match name {
                "qindex" => self.qindex.to_value(),
                "bitrate" => self.bitrate.to_value(),
                "max-frame-bytes" => self.max_frame_bytes.to_value(),
                "key-interval" => self.key_interval.to_value(),
                "input-size" => self.input_size.to_value(),
                "sticky" => self.sticky.to_value(),
                "skip-threshold" => self.skip_threshold.to_value(),
                "squeezed-location" => self.squeezed_location.to_value(),
                "squeezed-interval" => self.squeezed_interval.to_value(),
                "enhancement" => self.enhancement.to_value(),
                "enhancement-bitrate" => self.enhancement_bitrate.to_value(),
                "enhancement-qindex" => self.enhancement_qindex.to_value(),
                _ => return None,
            })
        })
    }

    /// What the codec is asked for, with the bundle's defaults filled in.
    pub fn codec_config(&self, model: &Model) -> Config {
        let latents = &model.bundle.manifest().latents;
        let qindex = u8::try_from(self.qindex).unwrap_or(latents.qindex_default);
        Config {
            // A link with room to spare makes no frame finer than was asked for.
            qindex_min: match self.bitrate_is_bound {
                true => qindex.clamp(latents.qindex_min, latents.qindex_max),
                false => latents.qindex_min,
            },
            qindex_max: latents.qindex_max,
            qindex,
            key_interval: self.key_interval,
            sticky: self.sticky,
            bitrate: self.bitrate,
            max_frame_bytes: self.max_frame_bytes,
            ..Config::new(model.id.clone())
        }
    }

    /// The same of the enhancement layer; `None` when the bundle has none.
    pub fn enhancement_config(&self, model: &Model) -> Option<Config> {
        let layer = model.bundle.manifest().enhance.as_ref()?;
        let max_frame_bytes = match self.enhancement_bitrate {
            0 => 0,
            kbps => ((f64::from(kbps) * 125.0 * ENHANCEMENT_CAP_S) as u32).max(ENHANCEMENT_CAP_LEAST),
        };
        Some(Config {
            layer: ENHANCEMENT,
            qindex_min: layer.qindex_min,
            qindex_max: layer.qindex_max,
            qindex: u8::try_from(self.enhancement_qindex).unwrap_or(layer.qindex_default),
            // A key frame of detection starts it anew, and nothing else.
            key_interval: 0,
            sticky: self.sticky,
            bitrate: self.enhancement_bitrate,
            max_frame_bytes,
            ..Config::new(model.id.clone())
        })
    }

    /// The long side of the squeezed image.
    pub fn input_size(&self, model: &Model) -> u32 {
        match self.input_size {
            0 => model.bundle.manifest().input.default_size,
            size => size,
        }
    }
}
