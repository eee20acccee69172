//! Source frames to x: colours of every format against a reference in f64, strides, odd sizes, the padding, bad planes.

mod common;

use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, Matrix, PixelFormat, Preparer};
use common::Frame;

/// EBU colour bars at 75 %, and two greys.
const BARS: [[u8; 3]; 8] = [
    [191, 191, 191],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
    [64, 64, 64],
];

fn geometry(size: (u32, u32)) -> Geometry {
    Geometry::new(size, 416, common::tiny().manifest()).expect("legal")
}

fn prepare(frame: &Frame) -> (Vec<u8>, Geometry) {
    let g = geometry(frame.size);
    let mut preparer = Preparer::new(common::tiny().manifest());
    (
        frame.view(|view| preparer.prepare(view, &g).expect("good frame").to_vec()),
        g,
    )
}

fn pixel(x: &[u8], g: &Geometry, column: u32, row: u32) -> [u8; 3] {
    let at = (row as usize * g.x.0 as usize + column as usize) * 3;
    [x[at], x[at + 1], x[at + 2]]
}

/// Colour of bars of whole chroma blocks.
fn bar(x: u32, width: u32) -> [u8; 3] {
    BARS[((x / 2 * 2) * 8 / width) as usize % 8]
}

#[track_caller]
fn near(found: [u8; 3], expected: [f64; 3], levels: f64, what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() <= levels,
            "{what}: {found} instead of {expected:.1}"
        );
    }
}

#[test]
fn colour_bars_in_every_format_matrix_and_range() {
    for format in PixelFormat::ALL {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            for full_range in [false, true] {
                let colours = Colorimetry { matrix, full_range };
                let frame = Frame::paint(format, colours, (640, 360), 0, |x, _| bar(x, 640));
                let (x, g) = prepare(&frame);
                for (index, &rgb) in BARS.iter().enumerate() {
                    let column = (index as u32 * 2 + 1) * g.content.0 / 16;
                    for row in [0, g.content.1 / 2, g.content.1 - 1] {
                        let what = format!("{format:?} {colours:?} bar {index} row {row}");
                        near(
                            pixel(&x, &g, column, row),
                            Frame::expected(format, colours, rgb),
                            2.0,
                            &what,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn odd_sizes_and_strides_give_the_same_picture() {
    for format in PixelFormat::ALL {
        for size in [(64, 64), (65, 97), (639, 361), (97, 351)] {
            let colours = Colorimetry {
                matrix: Matrix::Bt709,
                full_range: false,
            };
            let tight = Frame::paint(format, colours, size, 0, |x, _| bar(x, size.0));
            let mut wide = Frame::paint(format, colours, size, 13, |x, _| bar(x, size.0));
            // The last row need not have the bytes behind it.
            for (data, _) in &mut wide.planes {
                data.truncate(data.len() - 13);
            }
            let (x, g) = prepare(&tight);
            assert_eq!(x, prepare(&wide).0, "{format:?} {size:?}: stride");
            let last = pixel(&x, &g, g.content.0 - 1, g.content.1 - 1);
            let expected = Frame::expected(format, colours, bar(size.0 - 1, size.0));
            near(last, expected, 3.0, &format!("{format:?} {size:?}: last pixel"));
        }
    }
}

#[test]
fn pixels_lie_where_geometry_says() {
    // A slope of luma, along each axis: the value tells the place.
    for size in [(1280, 720), (400, 720), (320, 180)] {
        let colours = Colorimetry {
            matrix: Matrix::Bt601,
            full_range: true,
        };
        for format in [
            PixelFormat::Gray8,
            PixelFormat::I420,
            PixelFormat::Rgb,
            PixelFormat::Bgrx,
        ] {
            let slope = |at: u32, side: u32| [(f64::from(at) * 255.0 / f64::from(side - 1)).round() as u8; 3];
            let across = prepare(&Frame::paint(format, colours, size, 0, |x, _| slope(x, size.0)));
            let down = prepare(&Frame::paint(format, colours, size, 0, |_, y| slope(y, size.1)));
            let g = across.1;
            for part in [0.1, 0.33, 0.5, 0.8] {
                let place = |side: u32| (f64::from(side) * part) as u32;
                let (column, row) = (place(g.content.0), place(g.content.1));
                let value = |at: u32, side: u32| {
                    [((f64::from(at) + 0.5) / g.scale - 0.5) * 255.0 / f64::from(side - 1); 3]
                };
                let what = format!("{format:?} {size:?} {part}");
                near(
                    pixel(&across.0, &g, column, row),
                    value(column, size.0),
                    2.5,
                    &what,
                );
                near(pixel(&down.0, &g, column, row), value(row, size.1), 2.5, &what);
            }
        }
    }
}

#[test]
fn the_rest_of_x_is_padding_also_after_a_change_of_size() {
    let mut preparer = Preparer::new(common::tiny().manifest());
    for size in [(640, 360), (360, 640), (640, 480), (640, 360)] {
        let frame = Frame::paint(PixelFormat::Nv12, Colorimetry::default(), size, 0, |_, _| {
            [255; 3]
        });
        let g = geometry(size);
        let x = frame.view(|view| preparer.prepare(view, &g).expect("good").to_vec());
        for row in 0..g.x.1 {
            for column in 0..g.x.0 {
                let inside = column < g.content.0 && row < g.content.1;
                let expected = if inside { [255; 3] } else { [114; 3] };
                assert_eq!(pixel(&x, &g, column, row), expected, "{size:?} {column},{row}");
            }
        }
    }
}

#[test]
fn largest_frame() {
    let frame = Frame {
        format: PixelFormat::I420,
        colorimetry: Colorimetry {
            full_range: true,
            ..Colorimetry::default()
        },
        size: (8192, 4320),
        planes: vec![
            (vec![200; 8192 * 4320], 8192),
            (vec![128; 4096 * 2160], 4096),
            (vec![128; 4096 * 2160], 4096),
        ],
    };
    let (x, g) = prepare(&frame);
    assert_eq!(g.content, (832, 439));
    near(pixel(&x, &g, 831, 438), [200.0; 3], 1.0, "last pixel");
}

#[test]
fn bad_planes_are_named() {
    let g = geometry((640, 360));
    let mut preparer = Preparer::new(common::tiny().manifest());
    let mut refused = |change: fn(&mut Frame), words: &[&str]| {
        let mut frame = Frame::paint(
            PixelFormat::I420,
            Colorimetry::default(),
            (640, 360),
            0,
            |_, _| [9; 3],
        );
        change(&mut frame);
        let error = frame.view(|view| {
            preparer
                .prepare(view, &g)
                .expect_err("must be refused")
                .to_string()
        });
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(|f| f.planes[1].0.truncate(57_599), &["plane 1 holds 57599 bytes"]);
    refused(
        |f| f.planes[2].1 = 319,
        &["stride of plane 2 is 319", "320 or more"],
    );
    refused(|f| f.planes[0].1 = usize::MAX, &["plane 0"]);
    refused(|f| drop(f.planes.pop()), &["2 planes", "has 3"]);
    refused(|f| f.size = (320, 360), &["frame size is 320x360", "640x360"]);
    refused(|f| f.size = (0, 0), &["frame size is 0x0"]);
    refused(
        |f| f.size = (u32::MAX, u32::MAX),
        &["frame size is 4294967295x4294967295", "640x360"],
    );
}
