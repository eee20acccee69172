//! What is asked for cannot be had: each element says what, and what would be legal.

use std::path::Path;

use crate::common::{Ran, run, tiny};

const CODE: &str = "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240 ! cisencode";

fn fails(launch: &str, domain: impl gst::MessageErrorDomain + std::fmt::Debug, parts: &[&str]) {
    let ran = run(launch);
    let Ran {
        error: Some(error),
        error_text,
        ..
    } = ran
    else {
        panic!("{launch} did not fail")
    };
    assert!(error.matches(domain), "{launch}: {error:?}");
    for part in parts {
        assert!(error_text.contains(part), "{error_text:?} does not say {part:?}");
    }
}

fn copy_tiny(to: &Path) {
    for entry in std::fs::read_dir(tiny()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn properties_out_of_range() {
    let model = tiny();
    fails(
        &format!("{CODE} model={model} input-size=100 ! fakesink"),
        gst::ResourceError::Settings,
        &["input-size", "100", "32"],
    );
    fails(
        &format!("{CODE} model={model} device=gpu7 ! fakesink"),
        gst::ResourceError::Settings,
        &["gpu7", "cuda"],
    );
    fails(
        &format!("{CODE} model={model} ! cisdetect model={model} classes=dragon ! fakesink"),
        gst::ResourceError::Settings,
        &["dragon", "bright", "0..=2"],
    );
}

#[test]
fn a_gpu_that_is_not_there() {
    fails(
        &format!("{CODE} model={} device=cuda:0 ! fakesink", tiny()),
        gst::ResourceError::Settings,
        &["cuda:0"],
    );
}

#[test]
fn bundles_that_are_missing_or_damaged() {
    for element in ["cisencode", "cisdetect", "cisdecode"] {
        let launch = |folder: &str| match element {
            "cisencode" => format!("{CODE} model={folder} ! fakesink"),
            _ => format!("{CODE} model={} ! {element} model={folder} ! fakesink", tiny()),
        };
        fails(
            &launch("/nowhere/at/all"),
            gst::ResourceError::NotFound,
            &["/nowhere/at/all"],
        );

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        fails(
            &launch(&path),
            gst::ResourceError::Read,
            &[&path, "manifest.toml"],
        );

        copy_tiny(folder.path());
        std::fs::remove_file(folder.path().join("restore.onnx")).unwrap();
        fails(&launch(&path), gst::ResourceError::Read, &["restore.onnx"]);

        copy_tiny(folder.path());
        let file = folder.path().join("front.onnx");
        let mut data = std::fs::read(&file).unwrap();
        data[100] ^= 1;
        std::fs::write(&file, data).unwrap();
        fails(
            &launch(&path),
            gst::ResourceError::Read,
            &["front.onnx", "sha256"],
        );
    }
}

#[test]
fn streams_of_another_bundle() {
    // The same networks under another name.
    let folder = tempfile::tempdir().unwrap();
    copy_tiny(folder.path());
    let manifest = folder.path().join("manifest.toml");
    let text = std::fs::read_to_string(&manifest)
        .unwrap()
        .replace("cis-tiny-fixture", "cis-other");
    std::fs::write(&manifest, text).unwrap();
    for element in ["cisdetect", "cisdecode"] {
        let receiver = format!("{element} model={} ! fakesink", folder.path().display());
        let both = ["cis-tiny-fixture", "cis-other"];
        fails(
            &format!("{CODE} model={} ! {receiver}", tiny()),
            gst::StreamError::WrongType,
            &both,
        );
        // Caps that do not name the bundle: the key frame does.
        let anonymous = "capssetter join=false replace=true caps=video/x-cis,version=2,alignment=frame";
        fails(
            &format!("{CODE} model={} ! {anonymous} ! {receiver}", tiny()),
            gst::StreamError::WrongType,
            &both,
        );
    }
}
