//! The operator's network: latents -> a picture of the source's size. What it draws is generated, not recorded.

use fast_image_resize::pixels::{InnerPixel, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, Resizer};
use ort::value::TensorElementType as Element;

use crate::bundle::Bundle;
use crate::geometry::Geometry;
use crate::picture::{Rows, RowsMut, resize};
use crate::runtime::{Dim, Network, Runtime, Selection, SessionOptions, TensorSpec};
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

/// Rebuilds pictures.
pub struct Restorer {
    network: Network,
    outputs: Selection,
    picture: String,
    channels: usize,
    resizer: Resizer,
    expanded: Vec<u8>,
}

impl Restorer {
    /// Opens the bundle's restoration.
    ///
    /// # Errors
    /// When the network cannot be loaded, or its tensors are not what docs/bundle.md asks for.
    pub fn new(runtime: &Runtime, bundle: &Bundle, options: &SessionOptions) -> Result<Self> {
        let graph = &bundle.manifest().restore;
        let channels = usize::from(bundle.manifest().latents.channels);
        let network = Network::open(
            runtime,
            bundle,
            &graph.file,
            options,
            &TensorSpec {
                name: &graph.input,
                element: Element::Float32,
                dims: &[Dim::Is(1), Dim::Is(channels), Dim::Any, Dim::Any],
            },
            &[TensorSpec {
                name: &graph.picture,
                element: Element::Uint8,
                dims: &[Dim::Is(1), Dim::Any, Dim::Any, Dim::Is(3)],
            }],
        )?;
        let outputs = network.select(&[&graph.picture])?;
        let picture = graph.picture.clone();
        Ok(Self {
            network,
            outputs,
            picture,
            channels,
            resizer: Resizer::new(),
            expanded: Vec::new(),
        })
    }

    /// A picture of the source's size.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the latents are not of the geometry's size; what the network reports.
    pub fn restore(&mut self, latents: &[f32], geometry: &Geometry) -> Result<Picture> {
        let (width, height) = geometry.source;
        let stride = width as usize * 3;
        let mut data = vec![0; stride * height as usize];
        self.restore_into(
            latents,
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
    pub fn restore_into(&mut self, latents: &[f32], geometry: &Geometry, to: Output<'_>) -> Result<()> {
        let expected = self.channels * geometry.latents_per_channel();
        if latents.len() != expected {
            return Err(Error::range(
                "number of latents",
                latents.len(),
                expected.to_string(),
            ));
        }
        let (w, h) = geometry.latents;
        let dims = [1, self.channels, usize::from(h), usize::from(w)];
        let Self {
            network,
            outputs,
            picture,
            resizer,
            expanded,
            ..
        } = self;
        network.run(dims, latents, outputs, |outputs| {
            let shape = [
                Some(1),
                Some(geometry.x.1 as usize),
                Some(geometry.x.0 as usize),
                Some(3),
            ];
            let (_, rgb) = outputs.tensor::<u8>(picture, &shape)?;
            let stride = geometry.x.0 as usize * 3;
            if to.format == OutputFormat::Rgb {
                return enlarge::<U8x3>(resizer, rgb, stride, geometry, to);
            }
            // 4-byte pixels are the resizer's fastest: expand the small picture, not the large one.
            expand(
                rgb,
                stride,
                geometry.content,
                to.format == OutputFormat::Bgrx,
                expanded,
            );
            enlarge::<U8x4>(resizer, expanded, geometry.content.0 as usize * 4, geometry, to)
        })
    }
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
