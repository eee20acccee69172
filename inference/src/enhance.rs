//! The camera's second network: x and what the receiver has anyway -> latents of the enhancement layer, which only a watching operator pays for.

use ort::value::TensorElementType as Element;

use crate::bundle::{Bundle, EnhanceGraph};
use crate::front::{self, dims, x_dims};
use crate::geometry::Geometry;
use crate::picture::Layout;
use crate::runtime::{Dim, Given, Network, Runtime, Selection, SessionOptions, TensorSpec};
use crate::{Error, Result};

/// Makes the latents of the enhancement layer.
pub struct Enhancer {
    network: Network,
    outputs: Selection,
    graph: EnhanceGraph,
    received: usize,
    layout: Layout,
    latents: Vec<f32>,
}

impl Enhancer {
    /// Opens the bundle's enhancement; `None` when it has none.
    ///
    /// # Errors
    /// When the network cannot be loaded, or its tensors are not what docs/bundle.md asks for.
    pub fn new(runtime: &Runtime, bundle: &Bundle, options: &SessionOptions) -> Result<Option<Self>> {
        let manifest = bundle.manifest();
        let Some(graph) = manifest.enhance.clone() else {
            return Ok(None);
        };
        let received = usize::from(manifest.latents.channels);
        let layout = manifest.input.layout;
        let network = Network::open(
            runtime,
            bundle,
            &graph.file,
            options,
            &[
                TensorSpec {
                    name: &graph.input,
                    element: Element::Uint8,
                    dims: x_dims(layout),
                },
                TensorSpec {
                    name: &graph.received,
                    element: Element::Float32,
                    dims: &[Dim::Is(1), Dim::Is(received), Dim::Any, Dim::Any],
                },
            ],
            &[TensorSpec {
                name: &graph.latents,
                element: Element::Float32,
                dims: &[Dim::Is(1), Dim::Is(graph.channels.into()), Dim::Any, Dim::Any],
            }],
        )?;
        Ok(Some(Self {
            outputs: network.select(&[&graph.latents])?,
            network,
            graph,
            received,
            layout,
            latents: Vec::new(),
        }))
    }

    /// The layer's latents (channel-major) of `x`, given the dequantised latents of detection that the receiver has.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when `x` or `received` are not of the geometry's size; what the network reports.
    pub fn run(&mut self, x: &[u8], received: &[f32], geometry: &Geometry) -> Result<&[f32]> {
        let expected = self.received * geometry.latents_per_channel();
        if received.len() != expected {
            return Err(Error::range(
                "number of latents",
                received.len(),
                expected.to_string(),
            ));
        }
        let x_dims = dims(self.layout, x, geometry)?;
        let (w, h) = geometry.latents;
        let given = [
            Given::bytes(x_dims, x),
            Given::floats([1, self.received, usize::from(h), usize::from(w)], received),
        ];
        let Self {
            network,
            outputs,
            graph,
            latents,
            ..
        } = self;
        let size = geometry.grid(graph.stride);
        network.run(&given, outputs, |outputs| {
            front::keep_latents(outputs, &graph.latents, graph.channels.into(), size, latents)
        })?;
        Ok(&self.latents)
    }
}
