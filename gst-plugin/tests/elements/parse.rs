//! `cisparse` and typefind: files, chunks, damage, foreign bytes.

use gst_check::Harness;

use crate::common::{Ran, bytes, element, headers, init, run, split, stream, tiny};

/// Parses a file of these bytes.
fn parse(data: &[u8]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cis");
    std::fs::write(&file, data).unwrap();
    run(&format!(
        "filesrc location={} ! cisparse ! appsink name=out sync=false",
        file.display()
    ))
}

fn joined(units: &[Vec<u8>]) -> Vec<u8> {
    units.concat()
}

#[test]
fn the_encoder_writes_files_and_the_parser_reads_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cis");
    run(&format!(
        "videotestsrc pattern=ball num-buffers=20 ! video/x-raw,width=320,height=240,framerate=10/1 \
         ! cisencode model={} input-size=128 key-interval=8 ! filesink location={}",
        tiny(),
        file.display()
    ))
    .ok();
    let written = std::fs::read(&file).unwrap();
    let ran = run(&format!(
        "filesrc location={} ! cisparse ! appsink name=out sync=false",
        file.display()
    ))
    .ok();
    assert_eq!(joined(&ran.units()), written);
    let found = headers(&ran.units());
    for (index, (header, buffer)) in found.iter().zip(ran.buffers()).enumerate() {
        assert_eq!(buffer.pts().unwrap().nseconds(), index as u64 * 100_000_000);
        assert_eq!(buffer.pts().unwrap().nseconds(), header.pts_ns);
        assert_eq!(buffer.duration().unwrap().nseconds(), 100_000_000);
        assert_eq!(
            buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            index % 8 != 0
        );
    }
    assert_eq!(found.len(), 20);
    let caps = ran.samples[0].caps().unwrap().structure(0).unwrap();
    assert_eq!(caps.get::<&str>("bundle"), Ok("cis-tiny-fixture"));
    assert_eq!(
        (caps.get::<i32>("width"), caps.get::<i32>("height")),
        (Ok(320), Ok(240))
    );
    assert_eq!(
        caps.get::<gst::Fraction>("framerate"),
        Ok(gst::Fraction::new(10, 1))
    );
    assert!(ran.warnings.is_empty());
}

#[test]
fn a_file_goes_through_the_whole_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cis");
    std::fs::write(&file, joined(&stream(12, 5))).unwrap();
    let ran = run(&format!(
        "filesrc location={} ! cisparse ! cisdetect model={1} ! cisdecode model={1} ! appsink name=out sync=false",
        file.display(),
        tiny()
    ))
    .ok();
    let wanted: Vec<u64> = (0..12).map(|index| index * 100_000_000).collect();
    assert_eq!(ran.pts(), wanted);
}

#[test]
fn units_may_arrive_cut_anywhere() {
    let units = stream(9, 4);
    for size in [1, 7, 1000, 100_000] {
        let parser = element("cisparse");
        let mut harness = Harness::with_element(&parser, Some("sink"), Some("src"));
        harness.set_src_caps_str("video/x-cis");
        for chunk in joined(&units).chunks(size) {
            harness.push(gst::Buffer::from_slice(chunk.to_vec())).unwrap();
        }
        harness.push_event(gst::event::Eos::new());
        let found: Vec<Vec<u8>> = std::iter::from_fn(|| harness.try_pull())
            .map(|b| bytes(&b))
            .collect();
        assert_eq!(found, units, "chunks of {size}");
    }
}

#[test]
fn nothing_before_the_damage_is_lost_and_it_ends_at_the_next_key_frame() {
    let units = stream(15, 5);
    let whole = joined(&units);
    let start: usize = units.iter().take(7).map(Vec::len).sum();
    for at in start..start + units[7].len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        let ran = parse(&damaged).ok();
        let expected: Vec<Vec<u8>> = units
            .iter()
            .take(7)
            .chain(units.iter().skip(10))
            .cloned()
            .collect();
        assert_eq!(ran.units(), expected, "byte {at}");
        assert_eq!(ran.warnings.len(), 1, "byte {at}: {:?}", ran.warnings);
        assert!(
            ran.warnings[0].contains(&format!("byte {start}")),
            "{:?}",
            ran.warnings
        );
    }
}

#[test]
fn garbage_between_units_is_skipped_and_counted() {
    let units = stream(6, 3);
    let (first, second) = units.split_at(3);
    // Garbage with a false start in it.
    let mut garbage: Vec<u8> = (0..9000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    garbage.splice(5000..5005, [0xc5, 0x01, b'c', b'i', b's']);
    let data = [joined(first), garbage, joined(second)].concat();
    let ran = parse(&data).ok();
    assert_eq!(ran.units(), units);
    assert_eq!(ran.warnings.len(), 1);
}

#[test]
fn a_truncated_file_gives_all_whole_units_and_a_warning() {
    let units = stream(4, 0);
    let whole = joined(&units);
    let last = units[3].len();
    for missing in 1..last {
        let ran = parse(&whole[..whole.len() - missing]).ok();
        assert_eq!(ran.units(), units[..3], "{missing} bytes missing");
        assert!(
            ran.warnings
                .iter()
                .any(|text| text.contains("ends inside a unit")),
            "{:?}",
            ran.warnings
        );
    }
}

#[test]
fn foreign_empty_and_future_files_are_errors() {
    let foreign = parse(&vec![0x47; 3 << 20]);
    assert!(
        foreign.error.unwrap().matches(gst::StreamError::WrongType),
        "{}",
        foreign.error_text
    );
    let short = parse(b"GIF89a, or whatever");
    assert!(
        short.error.unwrap().matches(gst::StreamError::WrongType),
        "{}",
        short.error_text
    );
    assert!(parse(b"").error.is_some());

    // The version is in the top three bits of the second byte.
    let mut future = joined(&stream(2, 0));
    future[1] = (future[1] & 0x1f) | (5 << 5);
    let ran = parse(&future);
    assert!(
        ran.error.unwrap().matches(gst::StreamError::WrongType),
        "{}",
        ran.error_text
    );
    assert!(ran.error_text.contains("version 5"), "{}", ran.error_text);
    assert!(ran.samples.is_empty());
}

#[test]
fn a_stream_that_starts_in_the_middle_of_a_group_starts_at_its_key_frame() {
    let units = stream(8, 4);
    let ran = parse(&joined(&units[2..])).ok();
    assert_eq!(ran.units(), units[4..]);
    // Times count from the first frame that can be shown.
    assert_eq!(ran.pts(), [0, 100_000_000, 200_000_000, 300_000_000]);
    assert!(ran.warnings.is_empty());
}

#[test]
fn typefind_knows_a_stream_by_its_bytes() {
    init();
    let whole = joined(&stream(3, 0));
    let found = |data: Vec<u8>| {
        let (caps, probability) = gst_base::type_find_helper_for_data(None::<&gst::Element>, data).ok()?;
        Some((caps.structure(0)?.name().to_string(), probability))
    };
    let is = |probability| Some(("video/x-cis".to_owned(), probability));
    assert_eq!(found(whole.clone()), is(gst::TypeFindProbability::Maximum));
    assert_eq!(
        found([vec![7; 100], whole].concat()),
        is(gst::TypeFindProbability::Possible)
    );
    let other = found(b"cis, but only as text".to_vec());
    assert!(other.is_none_or(|(name, _)| name != "video/x-cis"));
}

#[test]
fn decodebin_plays_a_file_with_the_default_bundle() {
    let folder = tempfile::tempdir().unwrap();
    // The bytes tell what it is, not the name.
    let file = folder.path().join("recording");
    run(&format!(
        "videotestsrc pattern=ball num-buffers=6 ! video/x-raw,width=320,height=240,framerate=10/1 \
         ! cisencode input-size=128 key-interval=3 ! filesink location={}",
        file.display()
    ))
    .ok();
    assert_eq!(split(&std::fs::read(&file).unwrap()).len(), 6);
    let ran = run(&format!(
        "filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=RGB ! appsink name=out sync=false",
        file.display()
    ))
    .ok();
    assert_eq!(ran.pts().len(), 6);
    assert_eq!(bytes(ran.buffers()[5]).len(), 320 * 240 * 3);
}

#[test]
fn times_beyond_every_clock_are_kept_within_it() {
    use cis_codec::encode::{Config, Encoder, Input};
    let mut encoder = Encoder::new(
        Config::new("cis-tiny-fixture".parse().unwrap()),
        Default::default(),
    )
    .unwrap();
    let shape = cis_codec::Shape {
        channels: 12,
        width: 4,
        height: 4,
    };
    let latents = vec![1.0; shape.len()];
    let mut unit = |pts_ns, force_key| {
        let source = cis_codec::Size {
            width: 320,
            height: 240,
        };
        let input = Input {
            latents: &latents,
            shape,
            source,
            pts_ns,
            capture_utc_ns: u64::MAX,
            force_key,
            vectors: &[],
        };
        encoder.encode(&input).unwrap().data.to_vec()
    };
    let units = [
        unit(0, true),
        unit(u64::MAX, true),
        unit(u64::MAX, false),
        unit(5, true),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cis");
    std::fs::write(&file, units.concat()).unwrap();
    let ran = run(&format!(
        "filesrc location={} ! cisparse ! cisdetect model={1} ! cisdecode model={1} ! fakesink sync=false",
        file.display(),
        tiny()
    ));
    assert!(ran.eos, "{}", ran.error_text);
    assert_eq!(parse(&units.concat()).ok().units(), units);
}
