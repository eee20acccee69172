//! The enhancement layer through the elements: only on request, never noticed by detection, and no frame lost without it.

use std::sync::Arc;

use cis_codec::frame::{self, DETECTION, ENHANCEMENT, Header, HeaderReader};
use cis_codec::{Decoder, Limits, Prior};
use gst::prelude::*;
use gst_check::Harness;
use gstcis::generated::{self, Quality};

use crate::common::{Ran, bytes, element, run, run_pipeline, stat, tinyview, unit_buffer};

const SOURCE: &str =
    "videotestsrc pattern=ball num-buffers=12 ! video/x-raw,format=I420,width=320,height=240,framerate=10/1";

fn encoded(options: &str) -> Ran {
    run(&format!(
        "{SOURCE} ! cisencode model={} input-size=128 key-interval=5 {options} ! appsink name=out sync=false",
        tinyview()
    ))
    .ok()
}

fn layer(unit: &[u8]) -> u8 {
    frame::peek(unit, &Limits::default()).unwrap().layer
}

fn of_layer(units: &[Vec<u8>], wanted: u8) -> Vec<Vec<u8>> {
    units
        .iter()
        .filter(|unit| layer(unit) == wanted)
        .cloned()
        .collect()
}

fn headers_of(units: &[Vec<u8>], layer: u8) -> Vec<Header> {
    let mut reader = HeaderReader::of_layer(layer, Limits::default());
    of_layer(units, layer)
        .iter()
        .map(|unit| reader.read(unit).unwrap())
        .collect()
}

/// Number, quantiser index and symbols of every frame of layer 0.
fn latents(units: &[Vec<u8>]) -> Vec<(u64, u8, Vec<i16>)> {
    let bundle = "cis-tinyview-fixture".parse().unwrap();
    let mut decoder = Decoder::new(bundle, Arc::new(Prior::default()), Limits::default());
    let mut decode = |unit: &Vec<u8>| {
        let frame = decoder.decode(unit).unwrap();
        (frame.header.number, frame.header.qindex, frame.latents.q.clone())
    };
    of_layer(units, DETECTION).iter().map(&mut decode).collect()
}

#[test]
fn detection_never_notices() {
    let (with, without) = (
        encoded("enhancement=always enhancement-bitrate=0"),
        encoded("enhancement=never"),
    );
    let (units, plain) = (with.units(), without.units());
    // Capture times differ from run to run.
    assert_eq!(
        latents(&units),
        latents(&plain),
        "layer 0 is the same, symbol for symbol"
    );
    let layers: Vec<u8> = units.iter().map(|unit| layer(unit)).collect();
    assert_eq!(layers, [DETECTION, ENHANCEMENT].repeat(12));
    for (pair, times) in with.buffers().chunks(2).zip(with.pts().chunks(2)) {
        assert_eq!(times[0], times[1]);
        assert!(pair[1].flags().contains(gst::BufferFlags::DELTA_UNIT));
    }
    let keys = |layer| {
        headers_of(&units, layer)
            .iter()
            .map(|header| header.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(DETECTION),
        keys(ENHANCEMENT),
        "a group can be shown from its start"
    );
    assert_eq!(keys(DETECTION).iter().filter(|&&key| key).count(), 3);
    assert!(
        encoded("").units().iter().all(|unit| layer(unit) == DETECTION),
        "nobody asked"
    );
}

#[test]
fn the_rate_of_the_layer_is_kept() {
    let launch = format!(
        "videotestsrc pattern=snow num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 \
         ! cisencode name=encoder model={} input-size=256 enhancement=always enhancement-bitrate=8 ! appsink name=out sync=false",
        tinyview()
    );
    crate::common::init();
    let pipeline = gst::parse::launch(&launch)
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    let encoder = pipeline.by_name("encoder").unwrap();
    let units = run_pipeline(&pipeline).ok().units();
    let layer = of_layer(&units, ENHANCEMENT);
    assert!(layer.len() >= 58, "{}", layer.len());
    assert!(
        layer.iter().all(|unit| unit.len() <= 250),
        "a quarter of a second of the rate"
    );
    let bytes: usize = layer.iter().map(Vec::len).sum();
    assert!(
        (5_000..7_000).contains(&bytes),
        "{bytes} bytes, 6 s of 8 kbit/s are 6,000"
    );
    assert_eq!(stat::<u64>(&encoder, "enhancement-bytes"), bytes as u64);
    assert_eq!(stat::<u64>(&encoder, "enhanced"), layer.len() as u64);
    let base: usize = of_layer(&units, DETECTION).iter().map(Vec::len).sum();
    assert_eq!(stat::<u64>(&encoder, "bytes"), base as u64);
}

#[test]
fn it_is_sent_while_it_is_asked_for() {
    let encoder = element(&format!("cisencode model={} input-size=64", tinyview()));
    let mut harness = Harness::with_element(&encoder, Some("sink"), Some("src"));
    harness.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=10/1");
    let mut index = 0;
    let mut reader = HeaderReader::of_layer(ENHANCEMENT, Limits::default());
    let mut frame = |harness: &mut Harness| {
        let mut buffer = gst::Buffer::from_slice(vec![(index * 9) as u8; 64 * 64]);
        let it = buffer.get_mut().unwrap();
        it.set_pts(gst::ClockTime::from_mseconds(100) * index);
        it.set_duration(gst::ClockTime::from_mseconds(100));
        harness.push(buffer).unwrap();
        index += 1;
        let units: Vec<_> = std::iter::from_fn(|| harness.try_pull())
            .map(|buffer| bytes(&buffer))
            .collect();
        assert_eq!(layer(&units[0]), DETECTION);
        units.get(1).map(|unit| reader.read(unit).unwrap().key)
    };
    let ask = |harness: &mut Harness, on: bool, restart: bool| {
        let structure = gst::Structure::builder("cis-layer")
            .field("layer", 1u32)
            .field("on", on)
            .field("restart", restart);
        harness.push_upstream_event(gst::event::CustomUpstream::new(structure.build()));
    };
    assert_eq!(frame(&mut harness), None);
    ask(&mut harness, true, false);
    assert_eq!(
        [0; 3].map(|_| frame(&mut harness)),
        [Some(true), Some(false), Some(false)],
        "from the very next frame"
    );
    ask(&mut harness, true, true);
    assert_eq!([0; 2].map(|_| frame(&mut harness)), [Some(true), Some(false)]);
    ask(&mut harness, false, false);
    assert_eq!([0; 2].map(|_| frame(&mut harness)), [None, None]);
    ask(&mut harness, true, false);
    assert_eq!(frame(&mut harness), Some(true));
    encoder.set_property_from_str("enhancement", "never");
    assert_eq!(frame(&mut harness), None);
}

/// A picture of one colour, coded coarsely; `how` says what of it arrives.
fn shown(how: impl Fn(usize, &[u8]) -> bool) -> (Vec<(u8, Quality)>, gst::Element) {
    let ran = run(&format!(
        "videotestsrc pattern=solid-color foreground-color=0xff5d5d5d num-buffers=8 \
         ! video/x-raw,format=RGB,width=128,height=128,framerate=10/1 \
         ! cisencode model={} input-size=64 qindex=56 key-interval=4 enhancement=always enhancement-bitrate=0 enhancement-qindex=8 \
         ! appsink name=out sync=false",
        tinyview()
    ))
    .ok();
    let decoder = element(&format!("cisdecode model={}", tinyview()));
    let mut harness = Harness::with_element(&decoder, Some("sink"), Some("src"));
    harness.set_src_caps(ran.samples[0].caps().unwrap().to_owned());
    for (at, unit) in ran.units().iter().enumerate() {
        if how(at / 2, unit) {
            harness.push(unit_buffer(unit, at as u64 / 2)).unwrap();
        }
    }
    harness.push_event(gst::event::Eos::new());
    let pictures: Vec<_> = std::iter::from_fn(|| harness.try_pull()).collect();
    for (at, picture) in pictures.iter().enumerate() {
        assert_eq!(picture.pts().unwrap().mseconds(), at as u64 * 100);
    }
    let look = |picture: &gst::Buffer| (bytes(picture)[0], generated::quality_of(picture).unwrap());
    (pictures.iter().map(look).collect(), decoder)
}

#[test]
fn pictures_get_better_and_fall_back_without_a_glitch() {
    use Quality::{Enhanced, Features};
    let qualities = |pictures: &[(u8, Quality)]| pictures.iter().map(|picture| picture.1).collect::<Vec<_>>();

    let (all, decoder) = shown(|_, _| true);
    // The first frame does not know yet that there is a layer; those that repeat both layers show the same picture again.
    assert_eq!(qualities(&all), [vec![Features], vec![Enhanced; 7]].concat());
    let right = |value: u8, memory: i16| (i16::from(value) - 0x5d - memory).abs() <= 1;
    assert!(!right(all[0].0, 0), "coarse: {all:?}");
    assert!(right(all[1].0, 1), "{all:?}");
    assert_eq!(decoder.property::<Quality>("quality"), Enhanced);

    let (none, decoder) = shown(|_, unit| layer(unit) == DETECTION);
    assert_eq!(qualities(&none), [Features; 8]);
    assert_eq!(decoder.property::<Quality>("quality"), Features);

    // The unit of frame 2 is lost: what follows it in the group continues nothing. The next group is whole.
    let (some, decoder) = shown(|frame, unit| layer(unit) == DETECTION || frame != 2);
    assert_eq!(some.len(), 8, "no frame is lost");
    let expected = [
        Features, Enhanced, Features, Features, Enhanced, Enhanced, Enhanced, Enhanced,
    ];
    assert_eq!(qualities(&some), expected);
    assert!(stat::<u64>(&decoder, "unusable") >= 1);
    assert_eq!(stat::<u64>(&decoder, "damaged"), 0);

    // A bundle without the layer shows every frame as ever.
    let units = encoded("enhancement=always").units();
    let other = element(&format!("cisdecode model={}", crate::common::tiny()));
    let mut harness = Harness::with_element(&other, Some("sink"), Some("src"));
    harness.set_src_caps(crate::common::unit_caps());
    assert!(
        harness.push(unit_buffer(&units[1], 0)).is_ok(),
        "a layer without a frame"
    );
    assert_eq!(stat::<u64>(&other, "unusable"), 1);
}

#[test]
fn a_bundle_without_the_layer_says_so_where_it_is_always_wanted() {
    for (option, told) in [("always", 1), ("on-request", 0)] {
        let ran = run(&format!(
            "{SOURCE} ! cisencode model={} input-size=128 enhancement={option} ! appsink name=out sync=false",
            crate::common::tiny()
        ))
        .ok();
        assert!(ran.units().iter().all(|unit| layer(unit) == DETECTION));
        let warnings = ran
            .warnings
            .iter()
            .filter(|text| text.contains("enhancement=always"));
        assert_eq!(warnings.count(), told, "{:?}", ran.warnings);
    }
}

#[test]
fn files_carry_both_layers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.cis");
    let units = encoded("enhancement=always").units();
    std::fs::write(&file, units.concat()).unwrap();
    let launch = format!(
        "filesrc location={} blocksize=700 ! cisparse name=parser",
        file.display()
    );
    let ran = run(&format!("{launch} ! appsink name=out sync=false")).ok();
    assert_eq!(ran.units(), units);
    for (buffer, unit) in ran.buffers().iter().zip(&units) {
        assert!(layer(unit) == DETECTION || buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
    }
    let ran = run(&format!(
        "{launch} ! cisdetect model={0} ! cisdecode model={0} ! appsink name=out sync=false",
        tinyview()
    ))
    .ok();
    assert_eq!(ran.pts(), (0..12).map(|n| n * 100_000_000).collect::<Vec<_>>());
    // Damage in a unit of the layer costs that layer its group, and detection nothing.
    let mut damaged = units.clone();
    let at = damaged[3].len() - 1;
    damaged[3][at] ^= 1;
    std::fs::write(&file, damaged.concat()).unwrap();
    let ran = run(&format!("{launch} ! appsink name=out sync=false")).ok();
    assert_eq!(of_layer(&ran.units(), DETECTION), of_layer(&units, DETECTION));
    assert_eq!(of_layer(&ran.units(), ENHANCEMENT).len(), 12 - 4);
    assert_eq!(ran.warnings.len(), 1, "{:?}", ran.warnings);
    assert!(
        ran.warnings[0].contains("enhancement layer"),
        "{:?}",
        ran.warnings
    );
}
