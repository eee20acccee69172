//! What the tests share: the fixture bundle, the runtime, and frames of every format.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;

use cis_inference::bundle::Bundle;
use cis_inference::picture::{Colorimetry, Matrix, PixelFormat, Plane, View};
use cis_inference::runtime::{Runtime, Search};

/// The folder of the fixture bundle.
pub fn tiny_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

/// The fixture bundle.
pub fn tiny() -> Bundle {
    Bundle::load(&tiny_folder()).expect("the fixture bundle is valid")
}

/// ONNX Runtime, from the environment or from where set-up puts it. Its absence fails the test.
pub fn runtime() -> Runtime {
    let mut search = Search::from_environment();
    search.folders.insert(
        0,
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cis/onnxruntime"),
    );
    Runtime::load_with(&search).expect("tests need ONNX Runtime: run scripts/setup, then source env.sh")
}

/// A frame with its own memory.
pub struct Frame {
    pub format: PixelFormat,
    pub colorimetry: Colorimetry,
    pub size: (u32, u32),
    pub planes: Vec<(Vec<u8>, usize)>,
}

/// Luma weights of red and blue.
pub fn weights(matrix: Matrix) -> (f64, f64) {
    match matrix {
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
        _ => (0.299, 0.114),
    }
}

/// RGB 0..=255 to Y, Cb, Cr as the colorimetry has them, not rounded.
pub fn to_yuv(rgb: [f64; 3], c: Colorimetry) -> [f64; 3] {
    let (kr, kb) = weights(c.matrix);
    let [r, g, b] = rgb.map(|v| v / 255.0);
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (u, v) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
    if c.full_range {
        [y * 255.0, u * 255.0 + 128.0, v * 255.0 + 128.0]
    } else {
        [y * 219.0 + 16.0, u * 224.0 + 128.0, v * 224.0 + 128.0]
    }
}

/// The reverse of [`to_yuv`], clamped.
pub fn to_rgb(yuv: [f64; 3], c: Colorimetry) -> [f64; 3] {
    let (kr, kb) = weights(c.matrix);
    let [y, u, v] = yuv;
    let (y, u, v) = if c.full_range {
        (y / 255.0, (u - 128.0) / 255.0, (v - 128.0) / 255.0)
    } else {
        ((y - 16.0) / 219.0, (u - 128.0) / 224.0, (v - 128.0) / 224.0)
    };
    let (r, b) = (y + 2.0 * (1.0 - kr) * v, y + 2.0 * (1.0 - kb) * u);
    let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
    [r, g, b].map(|v| (v * 255.0).clamp(0.0, 255.0))
}

impl Frame {
    /// Paints `colour(x, y)`; each row gets `extra` bytes of rubbish behind it.
    pub fn paint(
        format: PixelFormat,
        colorimetry: Colorimetry,
        size: (u32, u32),
        extra: usize,
        colour: impl Fn(u32, u32) -> [u8; 3],
    ) -> Self {
        let sizes = format.plane_sizes(size.0, size.1);
        let mut planes: Vec<(Vec<u8>, usize)> = sizes
            .iter()
            .map(|(row, rows)| (vec![0xA5; (row + extra) * rows], row + extra))
            .collect();
        let byte = |v: f64| v.round().clamp(0.0, 255.0) as u8;
        for y in 0..size.1 {
            for x in 0..size.0 {
                let rgb = colour(x, y);
                let yuv = to_yuv(rgb.map(f64::from), colorimetry).map(byte);
                let (x, y) = (x as usize, y as usize);
                let mut put = |plane: usize, column: usize, row: usize, value: u8| {
                    let (data, stride) = &mut planes[plane];
                    data[row * *stride + column] = value;
                };
                // Chroma of the last painted pixel of a block stands for the block: paint whole blocks.
                match format {
                    PixelFormat::I420 => {
                        put(0, x, y, yuv[0]);
                        put(1, x / 2, y / 2, yuv[1]);
                        put(2, x / 2, y / 2, yuv[2]);
                    }
                    PixelFormat::Nv12 => {
                        put(0, x, y, yuv[0]);
                        put(1, x / 2 * 2, y / 2, yuv[1]);
                        put(1, x / 2 * 2 + 1, y / 2, yuv[2]);
                    }
                    PixelFormat::Yuy2 => {
                        put(0, 2 * x, y, yuv[0]);
                        put(0, x / 2 * 4 + 1, y, yuv[1]);
                        put(0, x / 2 * 4 + 3, y, yuv[2]);
                    }
                    PixelFormat::Gray8 => put(0, x, y, yuv[0]),
                    _ => {
                        let bgr = matches!(format, PixelFormat::Bgr | PixelFormat::Bgrx | PixelFormat::Bgra);
                        let bytes = sizes[0].0 / size.0 as usize;
                        for channel in 0..3 {
                            put(
                                0,
                                x * bytes + channel,
                                y,
                                rgb[if bgr { 2 - channel } else { channel }],
                            );
                        }
                    }
                }
            }
        }
        Self {
            format,
            colorimetry,
            size,
            planes,
        }
    }

    /// What of `rgb` survives the format, computed in f64: chroma and luma are rounded to bytes, grey has no colour.
    pub fn expected(format: PixelFormat, c: Colorimetry, rgb: [u8; 3]) -> [f64; 3] {
        let rgb = rgb.map(f64::from);
        let yuv = to_yuv(rgb, c).map(|v| v.round().clamp(0.0, 255.0));
        match format {
            PixelFormat::I420 | PixelFormat::Nv12 | PixelFormat::Yuy2 => to_rgb(yuv, c),
            PixelFormat::Gray8 => to_rgb([yuv[0], 128.0, 128.0], c),
            _ => rgb,
        }
    }

    /// Runs `use_it` with the frame's view.
    pub fn view<R>(&self, use_it: impl FnOnce(&View<'_>) -> R) -> R {
        let planes: Vec<Plane<'_>> = self
            .planes
            .iter()
            .map(|(data, stride)| Plane {
                data,
                stride: *stride,
            })
            .collect();
        use_it(&View {
            format: self.format,
            colorimetry: self.colorimetry,
            width: self.size.0,
            height: self.size.1,
            planes: &planes,
        })
    }
}
