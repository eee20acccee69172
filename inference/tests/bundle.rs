//! Bundles: the embedded one is good, and every kind of bad one is refused in words that name the fault.

mod common;

use std::fs;
use std::path::Path;

use cis_inference::bundle::{Bundle, MAX_FILE};
use common::tiny_folder;
use tempfile::TempDir;

/// A copy of the fixture, its manifest edited.
fn copy(edit: impl FnOnce(String) -> String) -> TempDir {
    copy_of(&tiny_folder(), edit)
}

fn copy_of(fixture: &Path, edit: impl FnOnce(String) -> String) -> TempDir {
    let folder = TempDir::new().expect("temporary folder");
    for entry in fs::read_dir(fixture).expect("fixture") {
        let path = entry.expect("fixture").path();
        fs::copy(&path, folder.path().join(path.file_name().expect("name"))).expect("copy");
    }
    let manifest = folder.path().join("manifest.toml");
    fs::write(&manifest, edit(fs::read_to_string(&manifest).expect("manifest"))).expect("write");
    folder
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let error = Bundle::load(folder).expect_err("must be refused").to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn embedded_bundle_is_valid_and_shared() {
    let bundle = Bundle::embedded().expect("the embedded bundle is valid");
    assert_eq!(bundle.classes().len(), bundle.manifest().classes.names.len());
    assert!(
        bundle
            .file(&bundle.manifest().front.file)
            .is_some_and(|file| !file.is_empty())
    );
    let again = Bundle::embedded().expect("valid");
    let (a, b) = (
        bundle.file(&bundle.manifest().front.file),
        again.file(&again.manifest().front.file),
    );
    assert_eq!(a.map(|f| f.as_ptr()), b.map(|f| f.as_ptr()), "one copy in memory");
}

#[test]
fn fixture_loads() {
    let bundle = common::tiny();
    assert_eq!(bundle.id(), "cis-tiny-fixture");
    assert_eq!(
        bundle.classes().iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["bright", "dark", "red"]
    );
    assert!(bundle.prior().is_empty());
    assert!(bundle.file("manifest.toml").is_none());
}

#[test]
fn faults_of_the_view_are_named() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "enhanced = \"z\"",
            "",
            &["restore.enhanced is missing", "[enhance]"],
        ),
        (
            "channels = 3",
            "channels = 0",
            &["enhance.channels is 0", "1..=1024"],
        ),
        (
            "channels = 1\nstride = 16",
            "channels = 1\nstride = 48",
            &["restore.state.stride is 48", "divisor"],
        ),
        (
            "qindex-default = 24",
            "qindex-default = 60",
            &["enhance.qindex-default is 60", "8..=56"],
        ),
        (
            "prior-file = \"enhance-prior.bin\"",
            "prior-file = \"none.bin\"",
            &["enhance.prior-file is none.bin"],
        ),
        (
            "output = \"next\"",
            "output = \"next\"\nextra = 1",
            &["unknown field", "extra"],
        ),
    ];
    let tinyview = tiny_folder().with_file_name("tinyview");
    for (from, to, words) in cases {
        let folder = copy_of(&tinyview, |text| {
            assert!(text.contains(from), "{from:?} is not in the fixture's manifest");
            text.replacen(from, to, 1)
        });
        refused(folder.path(), words);
    }
}

#[test]
fn manifest_faults_are_named() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("format = 1", "format = 2", &["format is 2", "legal is 1"]),
        ("format = 1", "", &["manifest.toml", "format"]),
        ("format = 1", "format = \"one\"", &["manifest.toml", "line 2"]),
        (
            "id = \"cis-tiny-fixture\"",
            "id = \"Cis\"",
            &["id is Cis", "[a-z0-9]"],
        ),
        ("id = \"cis-tiny-fixture\"", "id = \"\"", &["id is", "legal"]),
        ("pad = 114", "pad = 256", &["input.pad is 256", "0..=255"]),
        ("pad = 114", "pad = -1", &["manifest.toml", "-1"]),
        ("pad = 114", "pad = 114\ncolour = 3", &["unknown field", "colour"]),
        ("squeeze = 2", "squeeze = 3", &["input.squeeze is 3", "1, 2 or 4"]),
        (
            "multiple = 64",
            "multiple = 0",
            &["input.multiple is 0", "1..=256"],
        ),
        ("stride = 32", "stride = 48", &["latents.stride is 48", "divisor"]),
        ("stride = 32", "stride = 0", &["latents.stride is 0"]),
        (
            "default-size = 416",
            "default-size = 400",
            &["input.default-size is 400", "64..=2048", "multiple of 32"],
        ),
        (
            "channels = 12",
            "channels = 0",
            &["latents.channels is 0", "1..=1024"],
        ),
        (
            "qindex-max = 56",
            "qindex-max = 64",
            &["qindex-max is 64", "0..=63"],
        ),
        (
            "qindex-min = 8",
            "qindex-min = 57",
            &["qindex-min is 57", "0..=56"],
        ),
        (
            "qindex-default = 32",
            "qindex-default = 4",
            &["qindex-default is 4", "8..=56"],
        ),
        ("macs = 0.0", "macs = nan", &["macs is NaN", ">= 0"]),
        (
            "names = [\"bright\", \"dark\", \"red\"]",
            "names = []",
            &["number of classes.names is 0"],
        ),
        (
            "names = [\"bright\", \"dark\", \"red\"]",
            "names = [\"bright\"]\ncoco-ids = [1, 2]",
            &["coco-ids is 2", "0 or 1"],
        ),
        (
            "file = \"front.onnx\"",
            "file = \"other.onnx\"",
            &["front.file is other.onnx", "[[files]]"],
        ),
        (
            "\nname = \"front.onnx\"",
            "\nname = \"../front.onnx\"",
            &["files.name is ../front.onnx"],
        ),
        (
            "\nname = \"front.onnx\"",
            "\nname = \"a/front.onnx\"",
            &["files.name is a/front.onnx"],
        ),
        (
            "\nname = \"front.onnx\"",
            "\nname = \"manifest.toml\"",
            &["files.name is manifest.toml"],
        ),
        (
            "\nname = \"front.onnx\"",
            "\nname = \"prior.bin\"",
            &["prior.bin", "each name once"],
        ),
    ];
    for (from, to, words) in cases {
        let folder = copy(|text| {
            assert!(text.contains(from), "{from:?} is not in the fixture's manifest");
            text.replacen(from, to, 1)
        });
        refused(folder.path(), words);
    }
}

#[test]
fn missing_folder_manifest_and_file_are_named() {
    refused(
        Path::new("/nonexistent/bundle"),
        &["/nonexistent/bundle", "no such folder"],
    );
    refused(&tiny_folder().join("manifest.toml"), &["not a folder"]);
    let folder = copy(|text| text);
    fs::remove_file(folder.path().join("detect.onnx")).expect("remove");
    refused(folder.path(), &["detect.onnx", "No such file"]);
    fs::remove_file(folder.path().join("manifest.toml")).expect("remove");
    refused(folder.path(), &["manifest.toml", "No such file"]);
}

#[test]
fn changed_file_is_refused_with_both_digests() {
    let folder = copy(|text| text);
    let path = folder.path().join("front.onnx");
    let mut data = fs::read(&path).expect("read");
    data[10] ^= 1;
    fs::write(&path, &data).expect("write");
    refused(folder.path(), &["front.onnx", "sha256 is ", "the manifest says "]);
    data.pop();
    fs::write(&path, &data).expect("write");
    let (found, expected) = (data.len().to_string(), (data.len() + 1).to_string());
    refused(folder.path(), &["front.onnx", &found, &expected]);
}

#[test]
fn what_is_not_a_small_regular_file_is_refused() {
    let folder = copy(|text| text);
    let path = folder.path().join("restore.onnx");
    fs::File::create(&path)
        .and_then(|file| file.set_len(MAX_FILE + 1))
        .expect("sparse file");
    refused(folder.path(), &["restore.onnx", "67108865", "0..=67108864"]);
    fs::remove_file(&path).expect("remove");
    fs::create_dir(&path).expect("folder");
    refused(folder.path(), &["restore.onnx", "not a regular file"]);
    fs::write(folder.path().join("manifest.toml"), [0xFF, 0xFE]).expect("write");
    refused(folder.path(), &["manifest.toml", "UTF-8"]);
}
