//! The three networks, on the fixture bundle, whose results can be computed by hand, and on the embedded one.

mod common;

use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detection, Detector, Item, MAX_BATCH, Params};
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, PixelFormat, Preparer};
use cis_inference::restore::{Output, OutputFormat, Restorer};
use cis_inference::runtime::SessionOptions;
use common::{Frame, runtime, tiny};

/// Of this size, x is the source: 13x8 cells of 32 pixels.
const SIZE: (u32, u32) = (832, 512);

fn geometry(bundle: &Bundle, size: (u32, u32)) -> Geometry {
    Geometry::new(size, 416, bundle.manifest()).expect("legal")
}

fn prepared(bundle: &Bundle, g: &Geometry, colour: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let frame = Frame::paint(PixelFormat::Rgb, Colorimetry::default(), g.source, 0, colour);
    let mut preparer = Preparer::new(bundle.manifest());
    frame.view(|view| preparer.prepare(view, g).expect("good frame").to_vec())
}

fn front(bundle: &Bundle) -> Front {
    Front::new(&runtime(), bundle, &SessionOptions::default()).expect("opens")
}

fn detector() -> Detector {
    Detector::new(&runtime(), &tiny(), &SessionOptions::default()).expect("opens")
}

fn restorer(bundle: &Bundle) -> Restorer {
    Restorer::new(&runtime(), bundle, &SessionOptions::default()).expect("opens")
}

/// Grey, with one white and one red cell.
fn scene(x: u32, y: u32) -> [u8; 3] {
    match (x / 32, y / 32) {
        (3, 2) => [255; 3],
        (25, 15) => [255, 0, 0],
        _ => [128; 3],
    }
}

fn scene_latents(bundle: &Bundle, g: &Geometry) -> Vec<f32> {
    front(bundle)
        .run(&prepared(bundle, g, scene), g)
        .expect("runs")
        .to_vec()
}

#[test]
fn front_gives_the_means_of_quarters() {
    let bundle = tiny();
    let g = geometry(&bundle, SIZE);
    let latents = scene_latents(&bundle, &g);
    assert_eq!(latents.len(), 12 * 26 * 16);
    let at = |channel: usize, x: usize, y: usize| latents[(channel * 16 + y) * 26 + x];
    for quarter in 0..4 {
        assert_eq!([0, 1, 2].map(|c| at(3 * quarter + c, 3, 2)), [15.875; 3]);
        assert_eq!(
            [0, 1, 2].map(|c| at(3 * quarter + c, 25, 15)),
            [15.875, -16.0, -16.0]
        );
        assert_eq!([0, 1, 2].map(|c| at(3 * quarter + c, 0, 0)), [0.0; 3]);
    }
}

#[test]
fn squeezed_image_is_the_frame_at_half_the_size_of_x() {
    let bundle = tiny();
    let g = geometry(&bundle, (640, 360));
    let x = prepared(&bundle, &g, |_, _| [10, 200, 90]);
    let mut front = front(&bundle);
    let (latents, squeezed) = front.run_with_squeezed(&x, &g).expect("runs");
    assert_eq!(latents.len(), 12 * 26 * 16);
    assert_eq!((squeezed.width, squeezed.height), (416, 234));
    assert_eq!(squeezed.data.len(), 416 * 234 * 3);
    assert!(squeezed.data.chunks_exact(3).all(|pixel| pixel == [10, 200, 90]));
    assert_eq!(front.run(&x, &g).expect("runs").len(), 12 * 26 * 16);
}

#[test]
fn sizes_may_change_from_run_to_run() {
    let bundle = tiny();
    let mut front = front(&bundle);
    for size in [(640, 360), (360, 640), (64, 64), (1920, 1080), (640, 360)] {
        let g = geometry(&bundle, size);
        let x = prepared(&bundle, &g, |_, _| [0; 3]);
        assert_eq!(
            front.run(&x, &g).expect("runs").len(),
            12 * g.latents_per_channel()
        );
        let error = front.run(&x[1..], &g).expect_err("must be refused").to_string();
        assert!(error.contains("length of x"), "{error}");
    }
}

fn brief(found: &[Detection]) -> Vec<(&str, [f32; 4])> {
    found
        .iter()
        .map(|d| (d.label.as_ref(), [d.x, d.y, d.w, d.h]))
        .collect()
}

#[test]
fn objects_are_found_where_they_are() {
    let bundle = tiny();
    let g = geometry(&bundle, SIZE);
    let latents = scene_latents(&bundle, &g);
    let found = detector().detect(&latents, &g, &Params::default()).expect("runs");
    let expected = [
        ("red", [800.0, 480.0, 32.0, 32.0]),
        ("bright", [96.0, 64.0, 32.0, 32.0]),
    ];
    assert_eq!(brief(&found), expected);
    assert!(found[0].confidence > found[1].confidence && found[1].confidence > 0.99);

    // At half the size the same objects have half the boxes.
    let half = geometry(&bundle, (416, 256));
    let found = detector()
        .detect(&latents, &half, &Params::default())
        .expect("runs");
    assert_eq!(brief(&found)[0], ("red", [400.0, 240.0, 16.0, 16.0]));

    // The padding of x holds no objects: 832x468 pixels of x are frame, rows of cells below are not.
    let wide = geometry(&bundle, (1280, 720));
    let found = detector()
        .detect(&latents, &wide, &Params::default())
        .expect("runs");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn parameters_select() {
    let bundle = tiny();
    let g = geometry(&bundle, SIZE);
    let latents = scene_latents(&bundle, &g);
    let mut detector = detector();
    let mut labels = |params: Params| {
        let found = detector.detect(&latents, &g, &params).expect("runs");
        found.iter().map(|d| d.label.to_string()).collect::<Vec<_>>()
    };
    let default = Params::default();
    assert_eq!(
        labels(Params {
            classes: Some(vec![2]),
            ..default.clone()
        }),
        ["red"]
    );
    assert_eq!(
        labels(Params {
            classes: Some(vec![]),
            ..default.clone()
        }),
        [""; 0]
    );
    assert_eq!(
        labels(Params {
            max_objects: 1,
            ..default.clone()
        }),
        ["red"]
    );
    assert_eq!(
        labels(Params {
            threshold: 0.999_995,
            ..default.clone()
        }),
        ["red"]
    );
    assert!(
        labels(Params {
            threshold: 0.0,
            max_objects: 1000,
            ..default
        })
        .len()
            == 26 * 16
    );
}

#[test]
fn bad_parameters_are_named() {
    let bundle = tiny();
    let g = geometry(&bundle, SIZE);
    let latents = vec![0.0; 12 * 26 * 16];
    let mut detector = detector();
    let default = Params::default();
    for (params, words) in [
        (
            Params {
                threshold: f32::NAN,
                ..default.clone()
            },
            ["threshold is NaN", "0..=1"],
        ),
        (
            Params {
                threshold: -0.1,
                ..default.clone()
            },
            ["threshold is -0.1", "0..=1"],
        ),
        (
            Params {
                nms_iou: 1.5,
                ..default.clone()
            },
            ["nms-iou is 1.5", "0..=1"],
        ),
        (
            Params {
                classes: Some(vec![0, 3]),
                ..default.clone()
            },
            ["class is 3", "0..=2"],
        ),
        (
            Params {
                max_objects: 0,
                ..default.clone()
            },
            ["max-objects is 0", "1..=10000"],
        ),
    ] {
        let error = detector
            .detect(&latents, &g, &params)
            .expect_err("must be refused")
            .to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let error = detector
        .detect(&latents[1..], &g, &default)
        .expect_err("must be refused")
        .to_string();
    assert!(
        error.contains("number of latents is 4991: legal is 4992"),
        "{error}"
    );
    let restored = restorer(&bundle)
        .restore(latents[1..].into(), &g)
        .expect_err("must be refused")
        .to_string();
    assert!(restored.contains("number of latents is 4991"), "{restored}");
}

#[test]
fn a_batch_gives_what_single_runs_give() {
    let bundle = tiny();
    let (a, b) = (geometry(&bundle, SIZE), geometry(&bundle, (416, 256)));
    let first = scene_latents(&bundle, &a);
    let second = front(&bundle)
        .run(&prepared(&bundle, &a, |x, y| scene(x, 511 - y)), &a)
        .expect("runs")
        .to_vec();
    let (all, red) = (
        Params::default(),
        Params {
            classes: Some(vec![2]),
            ..Params::default()
        },
    );
    let items = [
        Item {
            latents: &first,
            geometry: &a,
            params: &all,
        },
        Item {
            latents: &second,
            geometry: &b,
            params: &red,
        },
        Item {
            latents: &second,
            geometry: &a,
            params: &all,
        },
    ];
    let mut detector = detector();
    let batch = detector.detect_batch(&items).expect("runs");
    for (item, found) in items.iter().zip(&batch) {
        assert_eq!(
            *found,
            detector
                .detect(item.latents, item.geometry, item.params)
                .expect("runs")
        );
        assert!(!found.is_empty());
    }
    assert_eq!(
        detector.detect_batch(&[]).expect("nothing to do"),
        Vec::<Vec<Detection>>::new()
    );

    let tall = geometry(&bundle, (512, 832));
    let mixed = [
        items[0],
        Item {
            latents: &first,
            geometry: &tall,
            params: &all,
        },
    ];
    let error = detector
        .detect_batch(&mixed)
        .expect_err("must be refused")
        .to_string();
    assert!(
        error.contains("latents of one batch is 16x26: legal is 26x16"),
        "{error}"
    );
    let error = detector
        .detect_batch(&[items[0]; MAX_BATCH + 1])
        .expect_err("must be refused")
        .to_string();
    assert!(error.contains("batch is 65: legal is 0..=64"), "{error}");
}

#[test]
fn nonsense_latents_yield_no_nonsense() {
    let bundle = tiny();
    let g = geometry(&bundle, SIZE);
    let params = Params {
        threshold: 0.0,
        ..Params::default()
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN] {
        let latents = vec![value; 12 * 26 * 16];
        for d in detector().detect(&latents, &g, &params).expect("runs") {
            assert!((0.0..=1.0).contains(&d.confidence), "{value}: {d:?}");
            assert!(
                d.x >= 0.0 && d.y >= 0.0 && d.x + d.w <= 832.0 && d.y + d.h <= 512.0,
                "{value}: {d:?}"
            );
        }
        let picture = restorer(&bundle)
            .restore(latents.as_slice().into(), &g)
            .expect("runs");
        assert_eq!(picture.data.len(), 832 * 512 * 3);
    }
}

#[test]
fn restored_picture_is_the_source_again() {
    let bundle = tiny();
    let g = geometry(&bundle, (1280, 720));
    let colour = |x: u32, _: u32| if x < 640 { [200, 100, 50] } else { [20, 40, 240] };
    let latents = front(&bundle)
        .run(&prepared(&bundle, &g, colour), &g)
        .expect("runs")
        .to_vec();
    let mut restorer = restorer(&bundle);
    let picture = restorer.restore(latents.as_slice().into(), &g).expect("runs");
    assert_eq!(
        (picture.width, picture.height, picture.data.len()),
        (1280, 720, 1280 * 720 * 3)
    );
    let at = |x: usize, y: usize| &picture.data[(y * 1280 + x) * 3..][..3];
    // The last rows of x's content share their quarter of a cell with padding.
    for (x, y, expected) in [
        (0, 0, [200, 100, 50]),
        (300, 600, [200, 100, 50]),
        (1279, 0, [20, 40, 240]),
    ] {
        for (found, expected) in at(x, y).iter().zip(expected) {
            assert!(found.abs_diff(expected) <= 1, "{:?} at {x},{y}", at(x, y));
        }
    }
    for format in [OutputFormat::Rgbx, OutputFormat::Bgrx] {
        let stride = 1280 * 4 + 64;
        let mut data = vec![7; stride * 720 - 64];
        restorer
            .restore_into(
                latents.as_slice().into(),
                &g,
                Output {
                    format,
                    data: &mut data,
                    stride,
                },
            )
            .expect("runs");
        for (line, rgb) in data.chunks(stride).zip(picture.data.chunks_exact(1280 * 3)) {
            for (pixel, rgb) in line[..1280 * 4].chunks_exact(4).zip(rgb.chunks_exact(3)) {
                let mut pixel = [pixel[0], pixel[1], pixel[2], pixel[3]];
                if format == OutputFormat::Bgrx {
                    pixel.swap(0, 2);
                }
                assert!(
                    pixel[3] == 255 && (0..3).all(|c| pixel[c].abs_diff(rgb[c]) <= 1),
                    "{pixel:?} {rgb:?}"
                );
            }
            assert!(
                line[1280 * 4..].iter().all(|&byte| byte == 7),
                "bytes behind the row are not ours"
            );
        }
    }
    let mut data = vec![0; 100];
    let output = Output {
        format: OutputFormat::Rgb,
        data: &mut data,
        stride: 3840,
    };
    let error = restorer
        .restore_into(latents.as_slice().into(), &g, output)
        .expect_err("must be refused")
        .to_string();
    assert!(error.contains("100 bytes do not hold 1280x720"), "{error}");
}

#[test]
fn embedded_bundle_runs() {
    let bundle = Bundle::embedded().expect("valid");
    let options = SessionOptions::default();
    let g = Geometry::new(
        (1280, 720),
        bundle.manifest().input.default_size,
        bundle.manifest(),
    )
    .expect("legal");
    let x = prepared(&bundle, &g, |x, y| [x as u8, y as u8, (x ^ y) as u8]);
    let mut front = front(&bundle);
    let (latents, squeezed) = front.run_with_squeezed(&x, &g).expect("runs");
    assert!(latents.iter().all(|v| v.is_finite()));
    assert_eq!(squeezed.width, bundle.manifest().input.default_size);
    let mut detector = Detector::new(&runtime(), &bundle, &options).expect("opens");
    let params = Params {
        threshold: 0.01,
        ..Params::default()
    };
    let found = detector.detect(latents, &g, &params).expect("runs");
    let item = Item {
        latents,
        geometry: &g,
        params: &params,
    };
    let batch = detector.detect_batch(&[item, item]).expect("runs");
    for again in &batch {
        assert_eq!(again.len(), found.len());
    }
    let picture = restorer(&bundle).restore(latents.into(), &g).expect("runs");
    assert_eq!((picture.width, picture.height), (1280, 720));
}
