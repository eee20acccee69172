//! The operator's network: latents -> a picture of the source's size. What it draws is generated, not recorded.

use fast_image_resize::pixels::{InnerPixel, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, Resizer};
use ort::value::TensorElementType as Element;

use crate::bundle::{Bundle, RestoreGraph};
use crate::geometry::Geometry;
use crate::picture::{Rows, RowsMut, resize};
use crate::runtime::{Dim, Given, Network, Runtime, Selection, SessionOptions, TensorSpec};
use crate::{Error, Result};

pub use crate::picture::Picture;

/// Layout of a restored picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// 3 bytes.
    Rgb,
    /// 4 bytes, the last one 255.
    Rgbx,
    /// 4 bytes, blue first, the last one 255.
    Bgrx,
}

impl OutputFormat {
    /// Bytes of one pixel.
    pub fn pixel_bytes(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgbx | Self::Bgrx => 4,
        }
    }
}

/// Where a restored picture goes: memory of the caller.
#[derive(Debug)]
pub struct Output<'a> {
    /// Layout.
    pub format: OutputFormat,
    /// The rows; the last one may end with its last pixel.
    pub data: &'a mut [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// Changes a picture in RGB of x's size, in rows of so many bytes, before it is enlarged.
pub type TouchUp<'a> = &'a dyn Fn(&mut [u8], usize);

/// What a picture is made of.
#[derive(Clone, Copy)]
pub struct Features<'a> {
    /// Dequantised latents of detection.
    pub latents: &'a [f32],
    /// Dequantised latents of the enhancement layer, when they are there.
    pub enhanced: Option<&'a [f32]>,
    /// What the network's picture is to be mended by.
    pub touch_up: Option<TouchUp<'a>>,
}

impl<'a> From<&'a [f32]> for Features<'a> {
    fn from(latents: &'a [f32]) -> Self {
        Self {
            latents,
            enhanced: None,
            touch_up: None,
        }
    }
}

/// Rebuilds the pictures of one stream, one after the other: a bundle may remember the one before.
pub struct Restorer {
    network: Network,
    outputs: Selection,
    graph: RestoreGraph,
    channels: usize,
    /// Channels and stride of the enhancement layer.
    enhanced: Option<(usize, u32)>,
    /// Zeros where there is nothing of the enhancement layer.
    absent: Vec<f32>,
    /// What the network remembers, and of which size x was; and where the next such thing goes.
    state: Vec<f32>,
    next: Vec<f32>,
    remembered: (u32, u32),
    resizer: Resizer,
    touched: Vec<u8>,
    expanded: Vec<u8>,
}

impl Restorer {
    /// Opens the bundle's restoration.
    ///
    /// # Errors
    /// When the network cannot be loaded, or its tensors are not what docs/bundle.md asks for.
    pub fn new(runtime: &Runtime, bundle: &Bundle, options: &SessionOptions) -> Result<Self> {
        let manifest = bundle.manifest();
        let graph = manifest.restore.clone();
        let channels = usize::from(manifest.latents.channels);
        let enhance = manifest.enhance.as_ref();
        let enhanced = enhance.map(|layer| (usize::from(layer.channels), layer.stride));
        let planes = |channels: usize| [Dim::Is(1), Dim::Is(channels), Dim::Any, Dim::Any];
        let floats = |name, dims| TensorSpec {
            name,
            element: Element::Float32,
            dims,
        };
        let latents_dims = planes(channels);
        let enhanced_dims = planes(enhanced.map_or(0, |(channels, _)| channels));
        let state_dims = planes(graph.state.as_ref().map_or(0, |state| state.channels.into()));
        let mut inputs = vec![floats(&graph.input, &latents_dims)];
        inputs.extend(graph.enhanced.iter().map(|name| floats(name, &enhanced_dims)));
        inputs.extend(graph.state.iter().map(|state| floats(&state.input, &state_dims)));
        let mut results = vec![TensorSpec {
            name: &graph.picture,
            element: Element::Uint8,
            dims: &[Dim::Is(1), Dim::Any, Dim::Any, Dim::Is(3)],
        }];
        results.extend(graph.state.iter().map(|state| floats(&state.output, &state_dims)));
        let network = Network::open(runtime, bundle, &graph.file, options, &inputs, &results)?;
        let names: Vec<&str> = results.iter().map(|result| result.name).collect();
        let outputs = network.select(&names)?;
        Ok(Self {
            network,
            outputs,
            graph,
            channels,
            enhanced,
            absent: Vec::new(),
            state: Vec::new(),
            next: Vec::new(),
            remembered: (0, 0),
            resizer: Resizer::new(),
            touched: Vec::new(),
            expanded: Vec::new(),
        })
    }

    /// Forgets the picture before: the next one is of another stream, or comes after a gap.
    pub fn forget(&mut self) {
        self.remembered = (0, 0);
    }

    /// A picture of the source's size.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the latents are not of the geometry's size; what the network reports.
    pub fn restore(&mut self, features: Features<'_>, geometry: &Geometry) -> Result<Picture> {
        let (width, height) = geometry.source;
        let stride = width as usize * 3;
        let mut data = vec![0; stride * height as usize];
        self.restore_into(
            features,
            geometry,
            Output {
                format: OutputFormat::Rgb,
                data: &mut data,
                stride,
            },
        )?;
        Ok(Picture { width, height, data })
    }

    /// As [`Restorer::restore`], into memory of the caller.
    ///
    /// # Errors
    /// As [`Restorer::restore`]; [`Error::Picture`] when the memory is too small.
    pub fn restore_into(
        &mut self,
        features: Features<'_>,
        geometry: &Geometry,
        to: Output<'_>,
    ) -> Result<()> {
        let (w, h) = geometry.latents;
        let latent_dims = [1, self.channels, usize::from(h), usize::from(w)];
        check_length("number of latents", features.latents, latent_dims)?;
        let enhanced_dims = self
            .enhanced
            .map(|(channels, stride)| grid(geometry, channels, stride));
        let state_dims = self.graph.state.as_ref();
        let state_dims = state_dims.map(|state| grid(geometry, state.channels.into(), state.stride));
        if let Some(dims) = enhanced_dims {
            match features.enhanced {
                Some(latents) => check_length("number of enhancing latents", latents, dims)?,
                None => self.absent.resize(dims.iter().product(), 0.0),
            }
        }
        if let Some(dims) = state_dims
            && self.remembered != geometry.x
        {
            self.state.clear();
            self.state.resize(dims.iter().product(), 0.0);
        }
        let mut given = vec![Given::floats(latent_dims, features.latents)];
        given
            .extend(enhanced_dims.map(|dims| Given::floats(dims, features.enhanced.unwrap_or(&self.absent))));
        given.extend(state_dims.map(|dims| Given::floats(dims, &self.state)));
        let Self {
            network,
            outputs,
            graph,
            resizer,
            touched,
            expanded,
            next,
            ..
        } = self;
        network.run(&given, outputs, |outputs| {
            let shape = [
                Some(1),
                Some(geometry.x.1 as usize),
                Some(geometry.x.0 as usize),
                Some(3),
            ];
            let (_, mut rgb) = outputs.tensor::<u8>(&graph.picture, &shape)?;
            let stride = geometry.x.0 as usize * 3;
            if let Some(touch_up) = features.touch_up {
                touched.clear();
                touched.extend_from_slice(rgb);
                touch_up(touched, stride);
                rgb = touched;
            }
            if to.format == OutputFormat::Rgb {
                enlarge::<U8x3>(resizer, rgb, stride, geometry, to)?;
            } else {
                // 4-byte pixels are the resizer's fastest: expand the small picture, not the large one.
                expand(
                    rgb,
                    stride,
                    geometry.content,
                    to.format == OutputFormat::Bgrx,
                    expanded,
                );
                enlarge::<U8x4>(resizer, expanded, geometry.content.0 as usize * 4, geometry, to)?;
            }
            if let Some((state, dims)) = graph.state.as_ref().zip(state_dims) {
                let (_, found) = outputs.tensor::<f32>(&state.output, &dims.map(Some))?;
                next.clear();
                next.extend_from_slice(found);
            }
            Ok(())
        })?;
        if state_dims.is_some() {
            std::mem::swap(&mut self.state, &mut self.next);
            // What is not a number would never go away again.
            let sane = self.state.iter().all(|value| value.is_finite());
            self.remembered = if sane { geometry.x } else { (0, 0) };
        }
        Ok(())
    }
}

/// Shape of `channels` planes with a place every `stride` pixels of x.
fn grid(geometry: &Geometry, channels: usize, stride: u32) -> [usize; 4] {
    let (width, height) = geometry.grid(stride);
    [1, channels, height, width]
}

fn check_length(what: &str, values: &[f32], dims: [usize; 4]) -> Result<()> {
    let expected: usize = dims.iter().product();
    if values.len() == expected {
        return Ok(());
    }
    Err(Error::range(what, values.len(), expected.to_string()))
}

fn enlarge<P>(
    resizer: &mut Resizer,
    from: &[u8],
    stride: usize,
    geometry: &Geometry,
    to: Output<'_>,
) -> Result<()>
where
    P: InnerPixel + PixelTrait + bytemuck::Pod,
{
    let (w, h) = geometry.content;
    let from = Rows::<P>::new(from, stride, geometry.content)?;
    let mut to = RowsMut::<P>::new(to.data, to.stride, geometry.source)?;
    resize(
        resizer,
        FilterType::CatmullRom,
        &from,
        (w.into(), h.into()),
        &mut to,
    )
}

/// The first `size` pixels of RGB rows as pixels of 4 bytes, without gaps.
fn expand(rgb: &[u8], stride: usize, size: (u32, u32), bgr: bool, to: &mut Vec<u8>) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    to.resize(width * height * 4, 0);
    for (to, from) in to.chunks_exact_mut(width * 4).zip(rgb.chunks(stride)) {
        for (to, from) in to.chunks_exact_mut(4).zip(from.chunks_exact(3)) {
            if let (&[r, g, b], [x0, x1, x2, x3]) = (from, to) {
                (*x0, *x1, *x2, *x3) = if bgr { (b, g, r, 255) } else { (r, g, b, 255) };
            }
        }
    }
}
