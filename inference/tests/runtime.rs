//! ONNX Runtime when it is there: shared, options checked, networks refused when their tensors are wrong.

mod common;

use std::fs;

use cis_inference::bundle::Bundle;
use cis_inference::detect::Detector;
use cis_inference::front::Front;
use cis_inference::restore::Restorer;
use cis_inference::runtime::{Device, Runtime, SessionOptions};
use common::{runtime, tiny, tiny_folder};

#[test]
fn one_runtime_a_process() {
    let (first, second) = (runtime(), Runtime::load().expect("loaded already"));
    assert_eq!(first.library(), second.library());
}

#[test]
fn options_are_checked() {
    let bundle = tiny();
    for threads in [0, SessionOptions::MAX_THREADS + 1] {
        let options = SessionOptions {
            threads,
            ..SessionOptions::default()
        };
        let error = Front::new(&runtime(), &bundle, &options)
            .map(|_| ())
            .expect_err("must be refused");
        assert_eq!(
            error.to_string(),
            format!("threads is {threads}: legal is 1..=256")
        );
    }
    for threads in [1, 2] {
        let options = SessionOptions {
            threads,
            spinning: true,
            ..SessionOptions::default()
        };
        Front::new(&runtime(), &bundle, &options)
            .map(|_| ())
            .expect("legal");
    }
}

#[test]
fn devices_are_parsed() {
    for (text, device) in [
        ("cpu", Device::Cpu),
        ("cuda", Device::Cuda(0)),
        ("cuda:3", Device::Cuda(3)),
    ] {
        assert_eq!(text.parse::<Device>().expect("legal"), device);
    }
    for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:256", "CPU"] {
        let error = text.parse::<Device>().expect_err("must be refused").to_string();
        assert!(
            error.contains(&format!("device is {text}: legal is cpu")),
            "{error}"
        );
    }
}

/// The library that set-up installs is built for processors only.
#[test]
fn cuda_without_cuda_is_an_error() {
    let options = SessionOptions {
        device: Device::Cuda(0),
        ..SessionOptions::default()
    };
    match Front::new(&runtime(), &tiny(), &options) {
        Ok(_) => panic!("CUDA from a library without CUDA"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("cuda:0") && text.contains("without CUDA"), "{text}");
        }
    }
}

/// The fixture with manifest edits and, where given, one network in place of another.
fn altered(from: &str, to: &str, replace: Option<(&str, &[u8])>) -> Bundle {
    let folder = tempfile::TempDir::new().expect("temporary folder");
    let mut manifest = fs::read_to_string(tiny_folder().join("manifest.toml")).expect("manifest");
    assert!(
        manifest.contains(from),
        "{from:?} is not in the fixture's manifest"
    );
    manifest = manifest.replacen(from, to, 1);
    for name in ["front.onnx", "detect.onnx", "restore.onnx", "prior.bin"] {
        let old = fs::read(tiny_folder().join(name)).expect("fixture");
        let data = match replace {
            Some((which, data)) if which == name => data.to_vec(),
            _ => old.clone(),
        };
        let (old, new) = (entry(name, &old), entry(name, &data));
        assert!(manifest.contains(&old), "{old}");
        manifest = manifest.replace(&old, &new);
        fs::write(folder.path().join(name), data).expect("write");
    }
    fs::write(folder.path().join("manifest.toml"), manifest).expect("write");
    Bundle::load(folder.path()).expect("consistent")
}

fn entry(name: &str, data: &[u8]) -> String {
    use sha2::Digest as _;
    let digest: String = sha2::Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("name = \"{name}\"\nbytes = {}\nsha256 = \"{digest}\"", data.len())
}

#[test]
fn wrong_tensors_are_named() {
    let options = SessionOptions::default();
    let front = |bundle: &Bundle| Front::new(&runtime(), bundle, &options).map(|_| ());
    let detect = |bundle: &Bundle| Detector::new(&runtime(), bundle, &options).map(|_| ());
    let restore = |bundle: &Bundle| Restorer::new(&runtime(), bundle, &options).map(|_| ());
    type Open<'a> = &'a dyn Fn(&Bundle) -> cis_inference::Result<()>;
    let cases: [(&str, &str, Open<'_>, &[&str]); 6] = [
        (
            "channels = 12",
            "channels = 48",
            &front,
            &["front.onnx", "`y`", "12", "48"],
        ),
        (
            "input = \"x\"",
            "input = \"image\"",
            &front,
            &["`image`", "missing", "there are: x"],
        ),
        (
            "latents = \"y\"\n",
            "latents = \"x_s\"\n",
            &front,
            &["`x_s`", "12"],
        ),
        (
            "\"red\"]",
            "\"red\", \"blue\"]",
            &detect,
            &["detect.onnx", "`scores`", "3", "4"],
        ),
        (
            "boxes = \"boxes\"",
            "boxes = \"scores\"",
            &detect,
            &["`scores`", "expected"],
        ),
        (
            "picture = \"picture\"",
            "picture = \"image\"",
            &restore,
            &["restore.onnx", "`image`", "missing"],
        ),
    ];
    for (from, to, open, words) in cases {
        let error = open(&altered(from, to, None))
            .expect_err("must be refused")
            .to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}

#[test]
fn a_network_that_is_none_is_an_error() {
    let options = SessionOptions::default();
    let detect = fs::read(tiny_folder().join("detect.onnx")).expect("fixture");
    for (data, words) in [
        (&b""[..], ["front.onnx", ""]),
        (&b"this is not a network"[..], ["front.onnx", ""]),
        (&detect[..detect.len() / 2], ["front.onnx", ""]),
        (&detect[..], ["front.onnx", "`x`"]),
    ] {
        let bundle = altered("format = 1", "format = 1", Some(("front.onnx", data)));
        let error = Front::new(&runtime(), &bundle, &options)
            .map(|_| ())
            .expect_err("must be refused");
        assert!(
            words.iter().all(|word| error.to_string().contains(word)),
            "{error}"
        );
    }
}
