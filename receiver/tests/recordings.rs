//! Recordings on the disk: where files end, what the library says of them, what is deleted and what never is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_receiver::library::{Library, Segment};
use common::{BUNDLE, Camera, Scene, Site, wait_for};
use std::path::Path;

const RECORD: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[record]\nfolder = 'recordings'\n";

fn segments(site: &Site) -> Vec<Segment> {
    let library = Library::new(site.path("recordings"));
    let stream = "gate-1".parse().unwrap();
    library.segments(&stream).unwrap()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_file_ends_after_its_time_at_a_key_frame_that_is_asked_for() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{RECORD}segment = 2\n"));
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frame();
    wait_for("the first frame", || {
        receiver.streams().first().is_some_and(|(_, s)| s.frames == 1)
    });
    camera.settle();
    wait_for("a third file", || {
        camera.frames(10);
        wait_for("room in the camera's queue", || camera.sender.stats().queued < 50);
        segments(&site).len() >= 3
    });
    assert!(camera.asked >= 2, "it makes no key frames by itself");
    let sent = camera.scene_frames();
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    assert_eq!(receiver.shutdown().sum.unrecorded, 0);

    let segments = segments(&site);
    for segment in &segments {
        assert_eq!((segment.size, segment.bundle.as_str()), ((256, 144), BUNDLE));
        assert_eq!(segment.bytes, std::fs::metadata(&segment.path).unwrap().len());
        assert!(segment.start <= segment.end && !segment.late && !segment.clip);
    }
    assert!(
        segments.windows(2).all(|pair| pair[0].end <= pair[1].start),
        "{segments:?}"
    );
    // Every frame is in one of them, and each begins with a key frame.
    let mut numbers = Vec::new();
    for segment in &segments {
        let bytes = std::fs::read(&segment.path).unwrap();
        let mut headers = cis_codec::frame::HeaderReader::new(Default::default());
        let mut rest = &bytes[..];
        while let Ok(peek) = cis_codec::frame::peek(rest, &Default::default()) {
            let (unit, after) = rest.split_at(peek.unit_len);
            numbers.push(headers.read(unit).unwrap().number);
            rest = after;
        }
    }
    assert_eq!(numbers, (0..sent).collect::<Vec<_>>());
}

#[test]
fn the_library_lists_what_is_a_recording_and_nothing_else() {
    let site = Site::new(&[]);
    let folder = site.path("recordings/gate-1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(site.path("recordings/no name")).unwrap();
    let mut scene = Scene::new(4);
    let units: Vec<_> = (0..10).map(|_| scene.next(false).data).collect();
    let bytes = units.concat();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    put("gate-1-20261123T201732Z.cis", &bytes);
    put("gate-1-late-20261123T201731Z.cis", &bytes);
    // Cut off in the middle of the last unit.
    put("gate-1-20261123T201733Z.cis", &bytes[..bytes.len() - 1]);
    put("gate-1-20261123T201734Z.cis", b"no units");
    put("notes.cis", &bytes);
    put("gate-2-20261123T201732Z.cis", &bytes);
    std::os::unix::fs::symlink(
        folder.join("gate-1-20261123T201732Z.cis"),
        folder.join("gate-1-20261123T201735Z.cis"),
    )
    .unwrap();
    std::fs::create_dir(folder.join("gate-1-20261123T201736Z.cis")).unwrap();

    let library = Library::new(site.path("recordings"));
    let streams = library.streams().unwrap();
    assert_eq!(streams.len(), 1, "{streams:?}");
    let list = || library.segments(&streams[0]).unwrap();
    let names: Vec<_> = list().iter().map(|segment| file_name(&segment.path)).collect();
    assert_eq!(
        names,
        [
            "gate-1-late-20261123T201731Z.cis",
            "gate-1-20261123T201732Z.cis",
            "gate-1-20261123T201733Z.cis"
        ]
    );
    let (late, whole, cut) = (&list()[0], &list()[1], &list()[2]);
    assert!(late.late && !whole.late);
    assert_eq!((whole.start, whole.end), (late.start, late.end));
    assert!(
        cut.start == whole.start && cut.end < whole.end,
        "{cut:?} {whole:?}"
    );
    // A file that grows is looked at again.
    put("gate-1-20261123T201733Z.cis", &bytes);
    assert_eq!(list()[2].end, whole.end);
    assert!(library.find(&streams[0], "gate-1-20261123T201732Z.cis").is_some());
    for name in [
        "gate-1-20261123T201735Z.cis",
        "notes.cis",
        "../gate-1/gate-1-20261123T201732Z.cis",
    ] {
        assert!(library.find(&streams[0], name).is_none(), "{name}");
    }
    assert!(Library::new(site.path("nowhere")).streams().unwrap().is_empty());
}

#[test]
fn the_oldest_go_first_and_what_is_not_ours_stays() {
    let site = Site::new(&["gate-1"]);
    let folder = site.path("recordings/gate-1");
    std::fs::create_dir_all(&folder).unwrap();
    // Twelve files of an earlier day, of 100 KiB or so each.
    let mut scene = Scene::new(0);
    scene.noise = true;
    let bytes = (0..530)
        .map(|_| scene.next(false).data)
        .collect::<Vec<_>>()
        .concat();
    let old: Vec<_> = (0..12)
        .map(|n| folder.join(format!("gate-1-20200101T0000{n:02}Z.cis")))
        .collect();
    old.iter().for_each(|path| std::fs::write(path, &bytes).unwrap());
    assert!(bytes.len() > 100 << 10, "{}", bytes.len());
    // What is not ours, and what looks like it.
    let foreign = folder.join("notes-20200101T000000Z.cis");
    std::fs::write(&foreign, vec![0; 2 << 20]).unwrap();
    let target = site.path("precious.cis");
    std::fs::write(&target, vec![0; 2 << 20]).unwrap();
    let link = folder.join("gate-1-20190101T000000Z.cis");
    std::os::unix::fs::symlink(&target, &link).unwrap();

    let receiver = site.receiver(&format!("{RECORD}max-total = 1\n"));
    wait_for("the start", || !old[0].exists());
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 20).connected();
    camera.scene.noise = true;
    for _ in 0..18 {
        camera.frames(50);
        wait_for("room in the camera's queue", || camera.sender.stats().queued < 50);
        let kept: u64 = segments(&site).iter().map(|segment| segment.bytes).sum();
        assert!(kept <= 1 << 20, "{kept} bytes");
    }
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let totals = receiver.shutdown();
    assert_eq!(totals.sum.unrecorded, 0);
    let left: Vec<_> = old.iter().map(|path| path.exists()).collect();
    assert!(left.is_sorted(), "the oldest first: {left:?}");
    let gone = left.iter().filter(|there| !**there).count();
    assert_eq!(totals.recordings_deleted, gone as u64);
    assert!((4..12).contains(&gone), "{left:?}");
    let kept = segments(&site);
    let bytes: u64 = kept.iter().map(|segment| segment.bytes).sum();
    assert!((768 << 10..=1 << 20).contains(&bytes), "{bytes}");
    // An eighth of the limit, and what the group before the key frame makes it longer by.
    let new: Vec<_> = kept
        .iter()
        .filter(|segment| !old.contains(&segment.path))
        .collect();
    assert!(new.len() >= 2, "{new:?}");
    assert!(new.iter().all(|segment| segment.bytes < 192 << 10), "{new:?}");
    assert!(foreign.exists() && link.symlink_metadata().is_ok() && target.exists());
}

#[test]
fn what_is_too_old_is_deleted_at_the_start() {
    let site = Site::new(&["gate-1"]);
    let folder = site.path("recordings/gate-1");
    std::fs::create_dir_all(&folder).unwrap();
    let mut scene = Scene::new(0);
    let units: Vec<_> = (0..3).map(|_| scene.next(false).data).collect();
    let old = folder.join("gate-1-20200101T000000Z.cis");
    let clip = folder.join("gate-1-clip-20200101T000000Z.cis");
    let broken = folder.join("gate-1-20200101T000001Z.cis");
    let stranger = folder.join("gate-1-20200101T000000Z.json");
    let young = folder.join("gate-1-29990101T000000Z.cis");
    for path in [&old, &clip, &young, &stranger] {
        std::fs::write(path, units.concat()).unwrap();
    }
    std::fs::write(&broken, "no units").unwrap();
    let receiver = site.receiver(&format!("{RECORD}max-age = 24\n"));
    wait_for("the old one is gone", || !old.exists() && !broken.exists());
    let totals = receiver.shutdown();
    assert_eq!(totals.recordings_deleted, 2);
    assert!(young.exists() && clip.exists() && stranger.exists());
    // Without a limit nothing goes.
    std::fs::write(&old, units.concat()).unwrap();
    let receiver = site.receiver(RECORD);
    assert_eq!(receiver.shutdown().recordings_deleted, 0);
    assert!(old.exists());
}
