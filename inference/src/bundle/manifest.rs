//! `manifest.toml`: its layout (docs/bundle.md). The checks are in `validate`.

use serde::Deserialize;

use crate::geometry::INPUT_STEP;
use crate::picture::Layout;

/// The only layout this reader knows.
pub const FORMAT: u32 = 1;

/// Description of a bundle. Obtained through [`super::Bundle`], always validated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Version of the layout, `FORMAT`.
    pub format: u32,
    /// Name of the bundle in caps and key frames.
    pub id: String,
    /// Version of the bundle.
    pub version: String,
    /// What it is.
    pub description: String,
    /// Licence of the whole.
    pub license: String,
    /// How it was trained.
    pub source: String,
    /// The networks' input x.
    pub input: Input,
    /// The latents.
    pub latents: Latents,
    /// x to latents.
    pub front: FrontGraph,
    /// Latents to boxes.
    pub detect: DetectGraph,
    /// Latents to picture.
    pub restore: RestoreGraph,
    /// x to latents of the enhancement layer, when the bundle has one.
    pub enhance: Option<EnhanceGraph>,
    /// Initial state of the entropy coder.
    pub prior: Prior,
    /// Class names.
    pub classes: Classes,
    /// Other bundles whose streams this one understands.
    #[serde(default)]
    pub decodes: Vec<Decodes>,
    /// Every file but the manifest.
    pub files: Vec<File>,
}

/// `[input]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    /// Pixels of x per pixel of the squeezed image, on each axis.
    pub squeeze: u32,
    /// Sides of x are multiples of this.
    pub multiple: u32,
    /// Value of the fill, 0..=255.
    pub pad: u32,
    /// `input-size` when the user gives none.
    pub default_size: u32,
    /// How x lies in memory; interleaved when not given.
    #[serde(default)]
    pub layout: Layout,
}

/// `[latents]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Latents {
    /// Channels.
    pub channels: u16,
    /// Pixels of x per latent, on each axis.
    pub stride: u32,
    /// Finest step that the networks were trained for.
    pub qindex_min: u8,
    /// Coarsest step that the networks were trained for.
    pub qindex_max: u8,
    /// Step when the user gives none.
    pub qindex_default: u8,
}

/// `[front]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrontGraph {
    /// The network's file.
    pub file: String,
    /// Name of the input tensor.
    pub input: String,
    /// Name of the latents' tensor.
    pub latents: String,
    /// Name of the squeezed image's tensor.
    pub squeezed: String,
    /// The file of a network of its own that makes the squeezed image of x; when not given, `file` makes it.
    pub squeezed_file: Option<String>,
    /// Multiply-accumulates at 832x512.
    pub macs: f64,
}

/// `[detect]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DetectGraph {
    /// The network's file.
    pub file: String,
    /// Name of the input tensor.
    pub input: String,
    /// Name of the boxes' tensor.
    pub boxes: String,
    /// Name of the scores' tensor.
    pub scores: String,
    /// Multiply-accumulates at 832x512.
    pub macs: f64,
}

/// `[restore]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RestoreGraph {
    /// The network's file.
    pub file: String,
    /// Name of the input tensor.
    pub input: String,
    /// Name of the picture's tensor.
    pub picture: String,
    /// Name of the input for latents of the enhancement layer; there when the bundle has `[enhance]`.
    pub enhanced: Option<String>,
    /// What the network remembers from picture to picture, if it does.
    pub state: Option<State>,
    /// Multiply-accumulates at 832x512.
    pub macs: f64,
}

/// `[restore.state]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct State {
    /// Name of the input for what was remembered; zeros when nothing is.
    pub input: String,
    /// Name of the output to be remembered.
    pub output: String,
    /// Channels.
    pub channels: u16,
    /// Pixels of x per place, on each axis.
    pub stride: u32,
}

/// `[enhance]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EnhanceGraph {
    /// The network's file.
    pub file: String,
    /// Name of the input tensor for x.
    pub input: String,
    /// Name of the input tensor for the latents that the receiver has anyway.
    pub received: String,
    /// Name of the tensor of the layer's latents.
    pub latents: String,
    /// Channels of the layer's latents.
    pub channels: u16,
    /// Pixels of x per latent, on each axis.
    pub stride: u32,
    /// Finest step that the networks were trained for.
    pub qindex_min: u8,
    /// Coarsest step that the networks were trained for.
    pub qindex_max: u8,
    /// Step when the user gives none.
    pub qindex_default: u8,
    /// The file of the initial state of the layer's entropy coder.
    pub prior_file: String,
    /// The transform that its latents are coefficients of: then it is predicted along the motion.
    pub transform_file: Option<String>,
    /// Multiply-accumulates at 832x512.
    pub macs: f64,
}

/// `[prior]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prior {
    /// The file.
    pub file: String,
}

/// `[classes]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Classes {
    /// Names, in the order of the scores.
    pub names: Vec<String>,
    /// Official COCO category ids; empty, or as long as `names`.
    #[serde(default)]
    pub coco_ids: Vec<u32>,
}

/// One entry of `[[decodes]]`: a bundle with the same front.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Decodes {
    /// Its id.
    pub id: String,
    /// Its front-id, which must be that of this bundle.
    pub front_id: String,
    /// Its enhance-id, when its enhancement layer is understood, too.
    pub enhance_id: Option<String>,
}

/// One entry of `[[files]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Name, without any path.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Licence.
    pub license: String,
}

impl Manifest {
    /// Legal input sizes are multiples of this: x then needs no padding on its long side.
    pub fn input_step(&self) -> u32 {
        INPUT_STEP.max(self.input.multiple / self.input.squeeze)
    }
}
