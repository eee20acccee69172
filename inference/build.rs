//! Writes the list of `include_bytes!` for the default bundle: every regular file of `models/bundles/default`.
//!
//! What the files are is checked when the bundle is opened, and by the test `tests/bundle.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let folder = root.join("../models/bundles/default");
    println!("cargo::rerun-if-changed={}", folder.display());
    let list = match list(&folder) {
        Ok(list) => list,
        Err(error) => {
            println!("cargo::error=default bundle {}: {error}", folder.display());
            return;
        }
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("embedded_bundle.rs"), list).expect("OUT_DIR is writable");
}

fn list(folder: &Path) -> Result<String, String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_file() && !name.starts_with('.') {
            println!("cargo::rerun-if-changed={}", path.display());
            files.push((name, path));
        }
    }
    files.sort();
    if !files.iter().any(|(name, _)| name == "manifest.toml") {
        return Err("no manifest.toml in it".to_owned());
    }
    let mut text = String::from("pub(super) static FILES: &[(&str, &[u8])] = &[\n");
    for (name, path) in files {
        writeln!(
            text,
            "    ({name:?}, include_bytes!({:?})),",
            path.display().to_string()
        )
        .map_err(|e| e.to_string())?;
    }
    text.push_str("];\n");
    Ok(text)
}
