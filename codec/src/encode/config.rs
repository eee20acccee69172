//! What can be asked of an encoder, and the check that it is possible.

use super::Error;
use crate::{BundleId, Limits, frame::DETECTION, quant};

/// Settings of an encoder. All but `bundle` and `layer` can be changed between frames.
#[derive(Clone, Debug)]
pub struct Config {
    /// Layer of the stream; the key frames of one are none of the other.
    pub layer: u8,
    /// Bundle that makes the latents.
    pub bundle: BundleId,
    /// Finest quantiser index that rate control may choose.
    pub qindex_min: u8,
    /// Coarsest quantiser index that rate control may choose.
    pub qindex_max: u8,
    /// Quantiser index of constant quality, and the first one when there is a bitrate.
    pub qindex: u8,
    /// Frames from one key frame to the next; 0: only the first one and those asked for.
    pub key_interval: u32,
    /// Squared error, in steps squared, that a bit has to save: the higher, the more symbols stay as they were (in key frames: become
    /// zero or smaller). 0: every symbol is the nearest. 0 to 0.49.
    pub sticky: f32,
    /// Mean rate in kbit/s, headers included; 0: constant quality.
    pub bitrate: u32,
    /// No unit is longer than this many bytes; 0: no cap.
    pub max_frame_bytes: u32,
    /// Sizes that are accepted.
    pub limits: Limits,
}

impl Config {
    /// Constant quality at the middle index, with every other setting at its default.
    pub fn new(bundle: BundleId) -> Self {
        Self {
            layer: DETECTION,
            bundle,
            qindex_min: 8,
            qindex_max: 56,
            qindex: 32,
            key_interval: 250,
            // Chosen by docs/ablations.md. Letting a change wait for some frames loses far more than coarser steps do: .04 AP50 at equal bytes.
            sticky: 0.05,
            bitrate: 0,
            max_frame_bytes: 0,
            limits: Limits::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let out_of_range = |field, found: f64, min: f64, max: f64| {
            if (min..=max).contains(&found) {
                Ok(())
            } else {
                Err(Error::Config {
                    field,
                    found,
                    min,
                    max,
                })
            }
        };
        let top = f64::from(quant::QINDEX_MAX);
        let (min, max) = (f64::from(self.qindex_min), f64::from(self.qindex_max));
        out_of_range("qindex_max", max, 0.0, top)?;
        out_of_range("qindex_min", min, 0.0, max)?;
        out_of_range("qindex", f64::from(self.qindex), 0.0, top)?;
        out_of_range("sticky", f64::from(self.sticky), 0.0, 0.49)
    }
}
