//! Which bundle understands whose streams: said in the manifest, checked against the files.

mod common;

use cis_inference::bundle::Bundle;
use common::tiny_folder;
use std::fs;
use tempfile::TempDir;

/// A copy of the fixture with another manifest; the prior becomes those bytes.
fn variant(prior: &[u8], edit: impl FnOnce(String) -> String) -> TempDir {
    let folder = TempDir::new().expect("temporary folder");
    for entry in fs::read_dir(tiny_folder()).expect("fixture") {
        let path = entry.expect("fixture").path();
        fs::copy(&path, folder.path().join(path.file_name().expect("name"))).expect("copy");
    }
    fs::write(folder.path().join("prior.bin"), prior).expect("write");
    let manifest = folder.path().join("manifest.toml");
    fs::write(&manifest, edit(fs::read_to_string(&manifest).expect("manifest"))).expect("write");
    folder
}

fn decodes(id: &str, front: &str) -> impl FnOnce(String) -> String {
    let entry = format!("\n[[decodes]]\nid = \"{id}\"\nfront-id = \"{front}\"\n");
    move |text| text + &entry
}

#[track_caller]
fn refused(folder: &TempDir, words: &[&str]) {
    let error = Bundle::load(folder.path())
        .expect_err("must be refused")
        .to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn the_default_bundle_understands_the_streams_of_those_before_it() {
    let bundle = Bundle::embedded().expect("valid");
    let earlier: Vec<_> = bundle.decodes().collect();
    assert_eq!(
        earlier,
        [
            "cis-nanodet-v2.4",
            "cis-nanodet-v2.3",
            "cis-nanodet-v2.2",
            "cis-nanodet-v2",
            "cis-nanodet-v2.1"
        ]
    );
    // As computed from the manifests that these had.
    let front = "61cb03cdc0884a7faac7926a0bf8df8191f3b1c4ca1df9b987063bf40f1b11f0";
    assert_eq!(bundle.identity().front, front);
    let enhances: Vec<_> = bundle.enhances().collect();
    assert_eq!(
        enhances,
        ["cis-nanodet-v2.4", "cis-nanodet-v2.3"],
        "the enhancement layers of the others were other ones"
    );
    let before = "58b9f95b9f36dba0625a59f456da89996468a0edc909957bb64c6767eb71bcef";
    let identity = bundle.identity();
    assert_eq!(
        identity.unmoved.as_deref(),
        Some(before),
        "what it was without a transform"
    );
    assert_ne!(identity.enhance, identity.unmoved);
}

#[test]
fn another_back_end_has_the_same_identity() {
    let tiny = common::tiny();
    let back = Bundle::load(&tiny_folder().with_file_name("tinyback")).expect("valid");
    assert_ne!(tiny.id(), back.id());
    assert_eq!(tiny.identity(), back.identity());
    assert_ne!(tiny.file("detect.onnx"), back.file("detect.onnx"));
    assert_eq!(back.decodes().collect::<Vec<_>>(), [tiny.id()]);
}

#[test]
fn whatever_gives_latents_their_meaning_changes_the_identity() {
    let own = common::tiny().identity().clone();
    for (from, to) in [
        ("pad = 114", "pad = 0"),
        ("multiple = 64", "multiple = 32"),
        ("input = \"x\"", "input = \"other\""),
        ("channels = 12", "channels = 13"),
        ("latents = \"y\"", "latents = \"x_s\""),
    ] {
        let folder = variant(b"", |text| {
            assert!(text.contains(from), "{from:?} is not in the fixture's manifest");
            text.replacen(from, to, 1)
        });
        let other = Bundle::load(folder.path()).expect("legal");
        assert_ne!(other.identity().front, own.front, "{to}");
    }
    for (from, to) in [
        ("cis-tiny-fixture", "cis-other"),
        ("boxes = \"boxes\"", "boxes = \"rectangles\""),
        ("qindex-default = 32", "qindex-default = 31"),
        ("[\"bright\", \"dark\", \"red\"]", "[\"a\", \"b\", \"c\"]"),
    ] {
        let folder = variant(b"", |text| text.replacen(from, to, 1));
        let other = Bundle::load(folder.path()).expect("legal");
        assert_eq!(other.identity().front, own.front, "{to}");
    }
}

#[test]
fn a_bundle_cannot_claim_streams_that_it_does_not_understand() {
    let own = common::tiny().identity().front.clone();
    let good = variant(b"", decodes("cis-older", &own));
    let bundle = Bundle::load(good.path()).expect("the same front");
    assert_eq!(bundle.decodes().collect::<Vec<_>>(), ["cis-older"]);

    let wrong = "0".repeat(64);
    refused(
        &variant(b"", decodes("cis-older", &wrong)),
        &["decodes cis-older", "front-id", &wrong, &own],
    );
    refused(&variant(b"", decodes("Older", &own)), &["decodes.id is Older"]);
    refused(
        &variant(b"", decodes("cis-tiny-fixture", &own)),
        &["decodes.id is cis-tiny-fixture", "once"],
    );
    let twice = |text| decodes("cis-older", &own)(decodes("cis-older", &own)(text));
    refused(&variant(b"", twice), &["decodes.id is cis-older", "once"]);
    // Another prior: the same claim is wrong.
    let prior = [7u8; 3];
    let other_prior = |text: String| {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        text.replace("bytes = 0", "bytes = 3")
            .replace(empty, &sha256(&prior))
    };
    let claim = decodes("cis-older", &own);
    refused(
        &variant(&prior, |text| claim(other_prior(text))),
        &["decodes cis-older", "front-id", &own],
    );
    // And so is one for a layer that there is not.
    let layer = format!("enhance-id = \"{own}\"\n");
    refused(
        &variant(b"", |text| decodes("cis-older", &own)(text) + &layer),
        &["enhance-id", "legal is none"],
    );
}

fn sha256(data: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
