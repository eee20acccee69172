//! Seeking in `.cis` files: positions, durations, key frames.

use gst::prelude::*;

use crate::common::{init, stream, tiny};

const WAIT: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// A paused pipeline over a recording of 100 frames, 10 a second, a key frame every 1.5 s, without its first units.
struct Player {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    _folder: tempfile::TempDir,
}

impl Player {
    fn new(behind: &str, skip_units: usize) -> Self {
        Self::of(&stream(100, 15).split_off(skip_units).concat(), behind)
    }

    /// The same over those bytes.
    fn of(bytes: &[u8], behind: &str) -> Self {
        Self::with(bytes, "", behind)
    }

    fn with(bytes: &[u8], before: &str, behind: &str) -> Self {
        init();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.cis");
        std::fs::write(&file, bytes).unwrap();
        let launch = format!(
            "filesrc location={} {before} ! cisparse {behind} ! appsink name=out sync=false",
            file.display()
        );
        let pipeline = gst::parse::launch(&launch)
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
        let sink = pipeline
            .by_name("out")
            .unwrap()
            .downcast::<gst_app::AppSink>()
            .unwrap();
        let player = Self {
            pipeline,
            sink,
            _folder: folder,
        };
        player.pipeline.set_state(gst::State::Paused).unwrap();
        player.settle();
        player
    }

    /// Times of all buffers from here to the end, in ms.
    fn rest(&self) -> Vec<u64> {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        let mut times = Vec::new();
        while let Some(sample) = self.sink.try_pull_sample(WAIT) {
            times.push(sample.buffer().unwrap().pts().unwrap().mseconds());
        }
        times
    }

    fn settle(&self) {
        let (result, _, _) = self.pipeline.state(WAIT);
        assert_eq!(result, Ok(gst::StateChangeSuccess::Success));
    }

    /// Position of the first buffer after the seek, and whether it is a key frame.
    fn seek(&self, flags: gst::SeekFlags, ms: u64) -> (u64, bool) {
        self.pipeline
            .seek_simple(flags | gst::SeekFlags::FLUSH, gst::ClockTime::from_mseconds(ms))
            .unwrap();
        self.settle();
        let sample = self.sink.try_pull_preroll(WAIT).unwrap();
        let buffer = sample.buffer().unwrap();
        (
            buffer.pts().unwrap().mseconds(),
            !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        )
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[test]
fn seeks_go_to_key_frames() {
    let player = Player::new("", 0);
    let key_unit = gst::SeekFlags::KEY_UNIT;
    for (wanted, found) in [
        (0, 0),
        (1499, 0),
        (1500, 1500),
        (4444, 3000),
        (9950, 9000),
        (60_000, 9000),
        (100, 0),
    ] {
        assert_eq!(player.seek(key_unit, wanted), (found, true), "{wanted}");
    }
    assert_eq!(
        player.seek(key_unit | gst::SeekFlags::SNAP_AFTER, 4444),
        (4500, true)
    );
    assert_eq!(
        player.seek(key_unit | gst::SeekFlags::SNAP_AFTER, 4500),
        (4500, true)
    );
    assert_eq!(
        player.seek(key_unit | gst::SeekFlags::SNAP_NEAREST, 4300),
        (4500, true)
    );
    assert_eq!(
        player.seek(key_unit | gst::SeekFlags::SNAP_NEAREST, 3300),
        (3000, true)
    );
    // Without a decoder in between the sink drops what comes before the start of the segment.
    assert_eq!(player.seek(gst::SeekFlags::ACCURATE, 4444), (4400, false));
}

#[test]
fn an_accurate_seek_shows_the_frame_itself() {
    let player = Player::new(&format!("! cisdecode model={}", tiny()), 0);
    for wanted in [4400, 700, 9900, 1500] {
        assert_eq!(player.seek(gst::SeekFlags::ACCURATE, wanted).0, wanted);
    }
}

#[test]
fn duration_and_seekability_are_known_at_once() {
    let player = Player::new("", 0);
    assert_eq!(
        player.pipeline.query_duration::<gst::ClockTime>(),
        Some(gst::ClockTime::from_seconds(10))
    );
    let mut query = gst::query::Seeking::new(gst::Format::Time);
    assert!(player.pipeline.query(&mut query));
    let (seekable, start, end) = query.result();
    assert!(seekable);
    assert_eq!(start, gst::ClockTime::ZERO.into());
    assert_eq!(end, gst::ClockTime::from_seconds(10).into());
}

#[test]
fn a_recording_that_starts_late_starts_at_zero() {
    // The first whole group starts at frame 30: 3 s on the camera's time line.
    let player = Player::new("", 20);
    assert_eq!(
        player.pipeline.query_duration::<gst::ClockTime>(),
        Some(gst::ClockTime::from_seconds(7))
    );
    assert_eq!(player.seek(gst::SeekFlags::KEY_UNIT, 0), (0, true));
    assert_eq!(player.seek(gst::SeekFlags::KEY_UNIT, 1600), (1500, true));
}

#[test]
fn playing_on_after_a_seek_gives_every_frame_to_the_end() {
    let player = Player::new("", 0);
    player.seek(gst::SeekFlags::KEY_UNIT, 7600);
    let wanted: Vec<u64> = (75..100).map(|index| index * 100).collect();
    assert_eq!(player.rest(), wanted);
}

/// A recording of 10 s and behind it one of 6 s by the same camera, started again.
fn two_sessions() -> Vec<u8> {
    [stream(100, 15).concat(), stream(60, 20).concat()].concat()
}

#[test]
fn sessions_of_a_camera_lie_one_behind_the_other() {
    // In push mode, as behind a network source, they are found on the way.
    for behind_source in ["", "! queue"] {
        let player = Player::with(&two_sessions(), behind_source, "");
        let wanted: Vec<u64> = (0..160).map(|index| index * 100).collect();
        assert_eq!(player.rest(), wanted, "{behind_source:?}");
    }
}

#[test]
fn seeks_find_every_session() {
    let player = Player::of(&two_sessions(), "");
    assert_eq!(
        player.pipeline.query_duration::<gst::ClockTime>(),
        Some(gst::ClockTime::from_seconds(16))
    );
    let key_unit = gst::SeekFlags::KEY_UNIT;
    for (wanted, found) in [
        (12_100, 12_000),
        (9_900, 9_000),
        (10_000, 10_000),
        (11_900, 10_000),
        (60_000, 14_000),
        (1_600, 1_500),
        (13_999, 12_000),
    ] {
        assert_eq!(player.seek(key_unit, wanted), (found, true), "{wanted}");
    }
    let after = key_unit | gst::SeekFlags::SNAP_AFTER;
    assert_eq!(player.seek(after, 9_500), (10_000, true));
    assert_eq!(player.seek(after, 12_100), (14_000, true));
    player.seek(key_unit, 9_000);
    assert_eq!(player.rest().len(), 70);
}

#[test]
fn damage_between_sessions_moves_nothing() {
    let (first, second) = (stream(100, 15), stream(60, 20));
    let mut bytes = first[..95].concat();
    bytes.extend_from_slice(&first[95][..first[95].len() / 2]);
    bytes.extend(second.concat());
    let player = Player::of(&bytes, "");
    assert_eq!(player.seek(gst::SeekFlags::KEY_UNIT, 9_499), (9_000, true));
    assert_eq!(player.seek(gst::SeekFlags::KEY_UNIT, 11_600), (11_500, true));
    assert_eq!(player.rest().last(), Some(&15_400));
}
