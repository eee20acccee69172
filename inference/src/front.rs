//! The camera's network: x -> latents, and the squeezed image for those who want to see it.

use ort::value::TensorElementType as Element;

use crate::bundle::Bundle;
use crate::geometry::Geometry;
use crate::picture::Layout;
use crate::restore::Picture;
use crate::runtime::{Dim, Given, Network, Outputs, Runtime, Selection, SessionOptions, TensorSpec};
use crate::{Error, Result};

/// Information squeezing and the front of the detector.
pub struct Front {
    network: Network,
    latents_only: Selection,
    squeezer: Squeezer,
    latents_name: String,
    squeezed_name: String,
    channels: usize,
    squeeze: u32,
    /// Pixels of x per latent.
    stride: u32,
    layout: Layout,
    latents: Vec<f32>,
}

/// Where the squeezed image comes from.
enum Squeezer {
    /// The front itself, asked for both outputs.
    Front(Selection),
    /// A network of its own, opened when the image is first asked for: ONNX Runtime computes every output of a network,
    /// asked for or not, and most cameras never ask.
    Own(Option<(Network, Selection)>, Box<Opener>),
}

/// What it takes to open a network later.
struct Opener {
    runtime: Runtime,
    bundle: Bundle,
    options: SessionOptions,
    file: String,
}

impl Front {
    /// Opens the bundle's front.
    ///
    /// # Errors
    /// When the network cannot be loaded, or its tensors are not what docs/bundle.md asks for.
    pub fn new(runtime: &Runtime, bundle: &Bundle, options: &SessionOptions) -> Result<Self> {
        let manifest = bundle.manifest();
        let graph = &manifest.front;
        let channels = usize::from(manifest.latents.channels);
        let latents_dims = [Dim::Is(1), Dim::Is(channels), Dim::Any, Dim::Any];
        let mut outputs = vec![TensorSpec {
            name: &graph.latents,
            element: Element::Float32,
            dims: &latents_dims,
        }];
        if graph.squeezed_file.is_none() {
            outputs.push(squeezed(&graph.squeezed));
        }
        let network = open(runtime, bundle, &graph.file, options, &outputs)?;
        let squeezer = match &graph.squeezed_file {
            None => Squeezer::Front(network.select(&[&graph.latents, &graph.squeezed])?),
            Some(file) => Squeezer::Own(
                None,
                Box::new(Opener {
                    runtime: runtime.clone(),
                    bundle: bundle.clone(),
                    options: options.clone(),
                    file: file.clone(),
                }),
            ),
        };
        Ok(Self {
            latents_only: network.select(&[&graph.latents])?,
            squeezer,
            network,
            latents_name: graph.latents.clone(),
            squeezed_name: graph.squeezed.clone(),
            channels,
            squeeze: manifest.input.squeeze,
            stride: manifest.latents.stride,
            layout: manifest.input.layout,
            latents: Vec::new(),
        })
    }

    /// The latents (channel-major) of `x`, as [`crate::picture::Preparer::prepare`] makes it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when `x` is not of the geometry's size; what the network reports.
    pub fn run(&mut self, x: &[u8], geometry: &Geometry) -> Result<&[f32]> {
        let dims = dims(self.layout, x, geometry)?;
        let size = geometry.grid(self.stride);
        let Self {
            network,
            latents,
            channels,
            latents_name,
            ..
        } = self;
        network.run(&[Given::bytes(dims, x)], &self.latents_only, |outputs| {
            keep_latents(outputs, latents_name, *channels, size, latents)
        })?;
        Ok(&self.latents)
    }

    /// As [`Front::run`], and the squeezed image without its padding.
    ///
    /// # Errors
    /// As [`Front::run`]; what the squeezed image's own network reports, when the bundle has one.
    pub fn run_with_squeezed(&mut self, x: &[u8], geometry: &Geometry) -> Result<(&[f32], Picture)> {
        let dims = dims(self.layout, x, geometry)?;
        let picture = match &mut self.squeezer {
            Squeezer::Own(opened, opener) => {
                let (own, selection) = match opened {
                    Some(opened) => opened,
                    None => opened.insert(opener.open(&self.squeezed_name)?),
                };
                let picture = own.run(&[Given::bytes(dims, x)], selection, |outputs| {
                    picture(outputs, &self.squeezed_name, self.squeeze, geometry)
                })?;
                self.run(x, geometry)?;
                picture
            }
            Squeezer::Front(both) => self.network.run(&[Given::bytes(dims, x)], both, |outputs| {
                keep_latents(
                    outputs,
                    &self.latents_name,
                    self.channels,
                    geometry.grid(self.stride),
                    &mut self.latents,
                )?;
                picture(outputs, &self.squeezed_name, self.squeeze, geometry)
            })?,
        };
        Ok((&self.latents, picture))
    }
}

impl Opener {
    fn open(&self, squeezed_name: &str) -> Result<(Network, Selection)> {
        let outputs = [squeezed(squeezed_name)];
        let network = open(&self.runtime, &self.bundle, &self.file, &self.options, &outputs)?;
        let selection = network.select(&[squeezed_name])?;
        Ok((network, selection))
    }
}

/// A network from x to `outputs`.
fn open(
    runtime: &Runtime,
    bundle: &Bundle,
    file: &str,
    options: &SessionOptions,
    outputs: &[TensorSpec<'_>],
) -> Result<Network> {
    let x = TensorSpec {
        name: &bundle.manifest().front.input,
        element: Element::Uint8,
        dims: x_dims(bundle.manifest().input.layout),
    };
    Network::open(runtime, bundle, file, options, &[x], outputs)
}

/// What a network must say of x.
pub(crate) fn x_dims(layout: Layout) -> &'static [Dim] {
    match layout {
        Layout::Interleaved => &[Dim::Is(1), Dim::Any, Dim::Any, Dim::Fixed(3)],
        Layout::Planar => &[Dim::Is(1), Dim::Fixed(3), Dim::Any, Dim::Any],
    }
}

fn squeezed(name: &str) -> TensorSpec<'_> {
    TensorSpec {
        name,
        element: Element::Float32,
        dims: &[Dim::Is(1), Dim::Is(3), Dim::Any, Dim::Any],
    }
}

/// The shape of x, whose length is checked.
pub(crate) fn dims(layout: Layout, x: &[u8], geometry: &Geometry) -> Result<[usize; 4]> {
    if x.len() != geometry.x_bytes() {
        let legal = geometry.x_bytes().to_string();
        return Err(Error::range("length of x", x.len(), legal));
    }
    let (width, height) = (geometry.x.0 as usize, geometry.x.1 as usize);
    Ok(match layout {
        Layout::Interleaved => [1, height, width, 3],
        Layout::Planar => [1, 3, height, width],
    })
}

/// Copies latents of `channels` times (width, height) out of an output.
pub(crate) fn keep_latents(
    outputs: &Outputs<'_>,
    name: &str,
    channels: usize,
    (width, height): (usize, usize),
    latents: &mut Vec<f32>,
) -> Result<()> {
    let (_, y) = outputs.tensor::<f32>(name, &[Some(1), Some(channels), Some(height), Some(width)])?;
    latents.clear();
    latents.extend_from_slice(y);
    Ok(())
}

fn picture(outputs: &Outputs<'_>, name: &str, squeeze: u32, geometry: &Geometry) -> Result<Picture> {
    let (w, h) = (geometry.x.0 / squeeze, geometry.x.1 / squeeze);
    let shape = [Some(1), Some(3), Some(h as usize), Some(w as usize)];
    let (_, x_s) = outputs.tensor::<f32>(name, &shape)?;
    let content = (
        geometry.content.0.div_ceil(squeeze),
        geometry.content.1.div_ceil(squeeze),
    );
    Ok(interleave(x_s, (w, h), content))
}

/// Planar float RGB to interleaved bytes, cropped. Values beyond 0..=255 are clamped, NaN becomes 0.
fn interleave(planes: &[f32], size: (u32, u32), content: (u32, u32)) -> Picture {
    let (w, h) = (size.0 as usize, size.1 as usize);
    let (cw, ch) = (content.0 as usize, content.1 as usize);
    let mut data = Vec::with_capacity(cw * ch * 3);
    let plane = |index: usize| planes.chunks_exact(w).skip(index * h).take(ch);
    for ((r, g), b) in plane(0).zip(plane(1)).zip(plane(2)) {
        for ((&r, &g), &b) in r.iter().zip(g).zip(b).take(cw) {
            // A float to integer cast saturates, and makes 0 of NaN.
            data.extend([r, g, b].map(|v| v.round() as u8));
        }
    }
    Picture {
        width: content.0,
        height: content.1,
        data,
    }
}
