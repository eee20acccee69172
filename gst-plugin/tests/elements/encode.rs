//! `cisencode`: formats, sizes, colour, times, statistics.

use std::io::BufReader;

use gst::prelude::*;

use crate::common::{bytes, headers, init, run, run_pipeline, stat, tiny};

const FORMATS: [&str; 10] = [
    "I420", "NV12", "YUY2", "RGB", "BGR", "RGBx", "BGRx", "RGBA", "BGRA", "GRAY8",
];

/// Mean colour of the picture that comes out of encoder and decoder for a picture of one colour.
fn through(caps: &str, color: u32) -> [i32; 3] {
    let ran = run(&format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color={color} \
         ! video/x-raw,format=RGB,width=320,height=240 ! videoconvert ! video/x-raw,{caps} \
         ! cisencode model={0} input-size=128 qindex=8 sticky=0 ! cisdecode model={0} ! video/x-raw,format=RGB \
         ! appsink name=out sync=false",
        tiny()
    ))
    .ok();
    let picture = bytes(ran.buffers()[0]);
    assert_eq!(picture.len(), 320 * 240 * 3);
    let mean = |channel: usize| {
        let sum: usize = picture
            .iter()
            .skip(channel)
            .step_by(3)
            .map(|&v| usize::from(v))
            .sum();
        (sum / (320 * 240)) as i32
    };
    [mean(0), mean(1), mean(2)]
}

#[test]
fn colours_are_right_in_every_format() {
    for format in FORMATS {
        let found = through(&format!("format={format}"), 0xffb0_4020);
        let wanted = match format {
            // Luma of that colour, BT.601.
            "GRAY8" => [94, 94, 94],
            _ => [0xb0, 0x40, 0x20],
        };
        let near = found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| (found - wanted).abs() <= 5);
        assert!(near, "{format}: {found:?} instead of {wanted:?}");
    }
}

#[test]
fn matrix_and_range_come_from_the_caps() {
    for colorimetry in ["bt601", "bt709", "bt2020", "1:4:0:0", "2:3:0:0"] {
        for format in ["I420", "NV12", "YUY2"] {
            let found = through(
                &format!("format={format},colorimetry=(string){colorimetry}"),
                0xff20_c060,
            );
            let near = found
                .iter()
                .zip([0x20, 0xc0, 0x60])
                .all(|(found, wanted)| (found - wanted).abs() <= 5);
            assert!(near, "{format} {colorimetry}: {found:?}");
        }
    }
}

#[test]
fn sizes_from_smallest_to_largest() {
    let sizes = [
        (64, 64),
        (65, 67),
        (333, 251),
        (120, 640),
        (1000, 64),
        (1921, 1081),
        (8192, 4320),
    ];
    for (width, height) in sizes {
        let ran = run(&format!(
            "videotestsrc num-buffers=1 pattern=gradient ! video/x-raw,format=I420,width={width},height={height} \
             ! cisencode model={0} input-size=96 ! tee name=t ! queue ! cisdecode model={0} ! fakesink \
             t. ! queue ! appsink name=out sync=false",
            tiny()
        ))
        .ok();
        let found = headers(&ran.units());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].source.width, found[0].source.height), (width, height));
        let caps = ran.samples[0].caps().unwrap().structure(0).unwrap();
        assert_eq!(caps.get::<i32>("width"), Ok(width as i32));
        assert_eq!(caps.get::<i32>("height"), Ok(height as i32));
    }
}

#[test]
fn sizes_out_of_range_do_not_negotiate() {
    init();
    for size in ["width=63,height=64", "width=8193,height=64"] {
        let caps = format!("video/x-raw,format=I420,{size}");
        assert!(
            gst::parse::launch(&format!("videotestsrc ! {caps} ! cisencode ! fakesink")).is_err(),
            "{size}"
        );
    }
}

#[test]
fn caps_times_and_statistics_agree_with_the_units() {
    init();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc pattern=ball num-buffers=25 ! video/x-raw,format=NV12,width=640,height=360,framerate=25/2 \
         ! cisencode name=encoder model={} key-interval=10 ! appsink name=out sync=false",
        tiny()
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let encoder = pipeline.by_name("encoder").unwrap();
    let ran = run_pipeline(&pipeline).ok();
    let units = ran.units();
    assert_eq!(units.len(), 25, "end of stream drains");
    let found = headers(&units);
    for (number, (header, buffer)) in found.iter().zip(ran.buffers()).enumerate() {
        let pts = number as u64 * 80_000_000;
        assert_eq!((header.pts_ns, buffer.pts().unwrap().nseconds()), (pts, pts));
        assert_eq!(buffer.duration().unwrap().nseconds(), 80_000_000);
        assert_eq!(header.key, number % 10 == 0);
        assert_eq!(buffer.flags().contains(gst::BufferFlags::DELTA_UNIT), !header.key);
    }
    let caps = ran.samples[0].caps().unwrap().structure(0).unwrap();
    assert_eq!(caps.name(), "video/x-cis");
    assert_eq!(caps.get::<&str>("bundle"), Ok("cis-tiny-fixture"));
    assert_eq!(caps.get::<&str>("alignment"), Ok("frame"));
    assert_eq!(caps.get::<i32>("version"), Ok(2));
    assert_eq!(
        caps.get::<gst::Fraction>("framerate"),
        Ok(gst::Fraction::new(25, 2))
    );
    let total: usize = units.iter().map(Vec::len).sum();
    assert_eq!(stat::<u64>(&encoder, "frames"), 25);
    assert_eq!(stat::<u64>(&encoder, "keys"), 3);
    assert_eq!(stat::<u64>(&encoder, "bytes"), total as u64);
    let kbps = stat::<f64>(&encoder, "mean-kbps");
    assert!((kbps - total as f64 * 8.0 / 2000.0).abs() < 1e-6, "{kbps}");
    for clock in ["ms", "cpu-ms"] {
        let mean = |stage: &str| stat::<f64>(&encoder, &format!("{stage}-{clock}-mean"));
        let parts = mean("prepare") + mean("front") + mean("code");
        let whole = mean("encode");
        assert!(
            parts > 0.0 && (parts - whole).abs() < 1e-6,
            "{clock}: {parts} {whole}"
        );
    }
}

#[test]
fn a_cap_on_frames_holds_and_a_bitrate_is_met() {
    let source = "videotestsrc pattern=snow num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=10/1";
    let encode = |properties: &str| {
        let ran = run(&format!(
            "{source} ! cisencode model={} {properties} ! appsink name=out sync=false",
            tiny()
        ));
        ran.ok().units().iter().map(Vec::len).collect::<Vec<_>>()
    };
    let free = encode("qindex=8");
    assert!(
        free.iter().all(|&bytes| bytes > 1500),
        "noise is expensive: {free:?}"
    );
    let capped = encode("qindex=8 max-frame-bytes=1500");
    assert!(capped.iter().all(|&bytes| bytes <= 1500), "{capped:?}");
    // 6 s at 60 kbit/s.
    let steered: usize = encode("bitrate=60").iter().sum();
    assert!((30_000..=60_000).contains(&steered), "{steered}");
}

#[test]
fn the_squeezed_image_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("squeezed.png");
    run(&format!(
        "videotestsrc num-buffers=3 pattern=white ! video/x-raw,format=I420,width=320,height=240 \
         ! cisencode model={} input-size=128 squeezed-location={} ! fakesink",
        tiny(),
        file.display()
    ))
    .ok();
    let decoder = png::Decoder::new(BufReader::new(std::fs::File::open(&file).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (128, 96));
    assert!(pixels.iter().all(|&v| v >= 250));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no half-written file stays behind"
    );
}

#[test]
fn an_unwritable_squeezed_image_is_only_a_warning() {
    let ran = run(&format!(
        "videotestsrc num-buffers=2 ! video/x-raw,width=320,height=240 \
         ! cisencode model={} squeezed-location=/nowhere/at/all.png ! appsink name=out sync=false",
        tiny()
    ))
    .ok();
    assert_eq!(ran.samples.len(), 2);
    assert!(
        ran.warnings
            .iter()
            .any(|text| text.contains("/nowhere/at/all.png")),
        "{:?}",
        ran.warnings
    );
}
