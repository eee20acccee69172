//! The camera's network: x -> latents, and the squeezed image for those who want to see it.

use ort::value::TensorElementType as Element;

use crate::bundle::Bundle;
use crate::geometry::Geometry;
use crate::restore::Picture;
use crate::runtime::{Dim, Network, Runtime, Selection, SessionOptions, TensorSpec};
use crate::{Error, Result};

/// Information squeezing and the front of the detector.
pub struct Front {
    network: Network,
    latents_only: Selection,
    with_squeezed: Selection,
    latents_name: String,
    squeezed_name: String,
    channels: usize,
    squeeze: u32,
    latents: Vec<f32>,
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
        let network = Network::open(
            runtime,
            bundle,
            &graph.file,
            options,
            &TensorSpec {
                name: &graph.input,
                element: Element::Uint8,
                dims: &[Dim::Is(1), Dim::Any, Dim::Any, Dim::Is(3)],
            },
            &[
                TensorSpec {
                    name: &graph.latents,
                    element: Element::Float32,
                    dims: &[Dim::Is(1), Dim::Is(channels), Dim::Any, Dim::Any],
                },
                TensorSpec {
                    name: &graph.squeezed,
                    element: Element::Float32,
                    dims: &[Dim::Is(1), Dim::Is(3), Dim::Any, Dim::Any],
                },
            ],
        )?;
        Ok(Self {
            latents_only: network.select(&[&graph.latents])?,
            with_squeezed: network.select(&[&graph.latents, &graph.squeezed])?,
            network,
            latents_name: graph.latents.clone(),
            squeezed_name: graph.squeezed.clone(),
            channels,
            squeeze: manifest.input.squeeze,
            latents: Vec::new(),
        })
    }

    /// The latents (channel-major) of `x`, as [`crate::picture::Preparer::prepare`] makes it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when `x` is not of the geometry's size; what the network reports.
    pub fn run(&mut self, x: &[u8], geometry: &Geometry) -> Result<&[f32]> {
        self.forward(x, geometry, false)?;
        Ok(&self.latents)
    }

    /// As [`Front::run`], and the squeezed image without its padding.
    ///
    /// # Errors
    /// As [`Front::run`].
    pub fn run_with_squeezed(&mut self, x: &[u8], geometry: &Geometry) -> Result<(&[f32], Picture)> {
        let squeezed = self.forward(x, geometry, true)?.unwrap_or_default();
        Ok((&self.latents, squeezed))
    }

    fn forward(&mut self, x: &[u8], geometry: &Geometry, squeezed: bool) -> Result<Option<Picture>> {
        if x.len() != geometry.x_bytes() {
            return Err(Error::range(
                "length of x",
                x.len(),
                geometry.x_bytes().to_string(),
            ));
        }
        let dims = [1, geometry.x.1 as usize, geometry.x.0 as usize, 3];
        let (lw, lh) = (usize::from(geometry.latents.0), usize::from(geometry.latents.1));
        let Self {
            network,
            latents,
            channels,
            squeeze,
            latents_name,
            squeezed_name,
            ..
        } = self;
        let selection = if squeezed {
            &self.with_squeezed
        } else {
            &self.latents_only
        };
        network.run(dims, x, selection, |outputs| {
            let shape = [Some(1), Some(*channels), Some(lh), Some(lw)];
            let (_, y) = outputs.tensor::<f32>(latents_name, &shape)?;
            latents.clear();
            latents.extend_from_slice(y);
            if !squeezed {
                return Ok(None);
            }
            let (w, h) = (geometry.x.0 / *squeeze, geometry.x.1 / *squeeze);
            let shape = [Some(1), Some(3), Some(h as usize), Some(w as usize)];
            let (_, x_s) = outputs.tensor::<f32>(squeezed_name, &shape)?;
            let content = (
                geometry.content.0.div_ceil(*squeeze),
                geometry.content.1.div_ceil(*squeeze),
            );
            Ok(Some(interleave(x_s, (w, h), content)))
        })
    }
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
