//! ONNX Runtime when it is not there, or not what it should be: an error that says what was tried, never a panic.
//!
//! Nothing in this file may succeed in loading a library: it would stay loaded for the other tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cis_inference::Error;
use cis_inference::runtime::{Runtime, Search};
use tempfile::TempDir;

#[track_caller]
fn refused(search: &Search, words: &[&str]) {
    let error = Runtime::load_with(search)
        .map(|_| ())
        .expect_err("must be refused");
    assert!(matches!(error, Error::RuntimeNotFound { .. }), "{error:?}");
    let text = error.to_string();
    for word in words.iter().chain(&["set CIS_ONNXRUNTIME"]) {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[track_caller]
fn refused_file(path: &Path, words: &[&str]) {
    let explicit = Some(("$CIS_ONNXRUNTIME".to_owned(), path.to_owned()));
    let search = Search {
        explicit,
        ..Search::default()
    };
    let place = path.display().to_string();
    refused(&search, &[&[place.as_str(), "$CIS_ONNXRUNTIME"], words].concat());
}

/// A library of this machine that is certainly not ONNX Runtime: the one that holds `malloc`.
fn other_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    let line = maps
        .lines()
        .find(|line| line.contains("/libc.so") || line.contains("/libc-"))
        .expect("libc");
    PathBuf::from(line.split_whitespace().last().expect("path"))
}

fn file(folder: &TempDir, name: &str, data: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, data).expect("write");
    path
}

#[test]
fn every_place_is_listed() {
    let folder = TempDir::new().expect("temporary folder");
    let old = file(&folder, "libonnxruntime.so.1.2.3", b"rubbish");
    let empty = TempDir::new().expect("temporary folder");
    let folders = vec![
        "/nonexistent/lib".into(),
        empty.path().to_owned(),
        folder.path().to_owned(),
    ];
    let search = Search {
        explicit: None,
        folders,
        loader: false,
    };
    let in_empty = empty
        .path()
        .join("libonnxruntime.so: not there")
        .display()
        .to_string();
    refused(
        &search,
        &[
            "/nonexistent/lib/libonnxruntime.so: no such folder",
            &in_empty,
            &format!("{}: not a shared library", old.display()),
        ],
    );
}

#[test]
fn missing_file_and_folder() {
    refused_file(Path::new("/nonexistent/libonnxruntime.so"), &["no such file"]);
    let empty = TempDir::new().expect("temporary folder");
    refused_file(empty.path(), &["no libonnxruntime.so in this folder"]);
}

#[test]
fn files_that_are_no_library() {
    let folder = TempDir::new().expect("temporary folder");
    refused_file(&file(&folder, "a", b""), &["not a shared library: 0 bytes long"]);
    refused_file(&file(&folder, "b", &[b'x'; 1000]), &["no ELF header"]);
    refused_file(Path::new("/dev/null"), &["not a regular file"]);
}

#[test]
fn libraries_of_other_machines() {
    let folder = TempDir::new().expect("temporary folder");
    let good = fs::read(other_library()).expect("readable");
    let changed = |name: &str, at: usize, value: u8| {
        let mut data = good.clone();
        data[at] = value;
        file(&folder, name, &data)
    };
    refused_file(&changed("32-bit", 4, 1), &["a 32-bit library"]);
    refused_file(&changed("big-endian", 5, 2), &["a big-endian library"]);
    // Byte 18: machine. 8 is MIPS, which this is not built for.
    refused_file(
        &changed("mips", 18, 8),
        &["a library for ELF machine 8, this program is for"],
    );
    let (other, name) = if cfg!(target_arch = "aarch64") {
        (62, "x86-64")
    } else {
        (183, "AArch64")
    };
    refused_file(&changed("other", 18, other), &["a library for", name]);
    refused_file(&changed("object", 16, 1), &["not a shared library"]);
}

#[test]
fn truncated_libraries() {
    let folder = TempDir::new().expect("temporary folder");
    let good = fs::read(other_library()).expect("readable");
    for length in [65, 4096, good.len() / 2] {
        refused_file(
            &file(&folder, &format!("cut{length}"), &good[..length]),
            &["incomplete"],
        );
    }
}

#[test]
fn another_library() {
    refused_file(&other_library(), &["not ONNX Runtime", "OrtGetApiBase"]);
}

/// A library that says that it is ONNX Runtime 1.20.1; needs a C compiler, as building this project does.
#[test]
fn too_old_library() {
    let folder = TempDir::new().expect("temporary folder");
    let source = file(
        &folder,
        "old.c",
        b"struct base { const void *(*api)(unsigned); const char *(*version)(void); };
          static const void *api(unsigned v) { (void)v; return 0; }
          static const char *version(void) { return \"1.20.1\"; }
          static const struct base b = { api, version };
          const struct base *OrtGetApiBase(void) { return &b; }",
    );
    let library = folder.path().join("libonnxruntime.so");
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    assert!(done.expect("a C compiler").success());
    refused_file(&library, &["version 1.20.1 is too old", "1.23 or newer"]);
    refused_file(folder.path(), &["version 1.20.1 is too old"]);
}

#[test]
fn usual_places() {
    let search = Search::from_environment();
    let executable = std::env::current_exe().expect("known");
    let home = executable.parent().expect("folder");
    for folder in [
        home,
        &home.parent().expect("folder").join("lib/cis"),
        Path::new("/usr/local/lib/cis"),
    ] {
        assert!(
            search.folders.iter().any(|found| found == folder),
            "{folder:?} not in {search:?}"
        );
    }
    assert!(search.loader);
}
