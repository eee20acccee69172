//! Where `libonnxruntime` is looked for, and what was wrong in each place.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ort::environment::EnvironmentBuilder;

use super::elf;

const LIBRARY: &str = "libonnxruntime.so";

/// One place that was tried.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The place, and where it comes from.
    pub place: String,
    /// Why it was no use.
    pub problem: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// The places to look in. The first usable library wins.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// A file (or folder) that somebody asked for, and the name of the setting. When it is set, no other place is tried:
    /// who names a library does not want another one in silence.
    pub explicit: Option<(String, PathBuf)>,
    /// Folders, in order.
    pub folders: Vec<PathBuf>,
    /// Whether to ask the dynamic loader (LD_LIBRARY_PATH, ld.so.conf) in the end.
    pub loader: bool,
}

impl Search {
    /// `$CIS_ONNXRUNTIME` or `$ORT_DYLIB_PATH` alone when set; otherwise beside the plugin and the executable, `../lib/cis`
    /// from each, `/usr/local/lib/cis`, `/usr/lib/cis`, and the loader's path.
    pub fn from_environment() -> Self {
        let set = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            Some((format!("${name}"), PathBuf::from(value)))
        };
        let explicit = set("CIS_ONNXRUNTIME").or_else(|| set("ORT_DYLIB_PATH"));
        let mut folders = Vec::new();
        let homes = [super::own_path(), std::env::current_exe().ok()];
        for home in homes.iter().flatten().filter_map(|file| file.parent()) {
            folders.push(home.to_owned());
            if let Some(prefix) = home.parent() {
                folders.push(prefix.join("lib/cis"));
            }
        }
        folders.push("/usr/local/lib/cis".into());
        folders.push("/usr/lib/cis".into());
        let mut seen = std::collections::HashSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        Self {
            explicit,
            folders,
            loader: true,
        }
    }

    /// Loads the first usable library; otherwise says what was wrong in each place.
    pub(super) fn open(&self) -> Result<(PathBuf, EnvironmentBuilder), Vec<Attempt>> {
        let mut tried = Vec::new();
        if let Some((setting, path)) = &self.explicit {
            let file = if path.is_dir() {
                libraries(path).into_iter().next()
            } else {
                Some(path.clone())
            };
            let result = match file {
                Some(file) => load(&file).map(|builder| (file, builder)),
                None => Err(format!("no {LIBRARY} in this folder")),
            };
            return result.map_err(|problem| {
                vec![Attempt {
                    place: format!("{} (from {setting})", path.display()),
                    problem,
                }]
            });
        }
        for folder in &self.folders {
            let found = libraries(folder);
            if found.is_empty() {
                let problem = if folder.is_dir() {
                    "not there"
                } else {
                    "no such folder"
                };
                let place = folder.join(LIBRARY).display().to_string();
                tried.push(Attempt {
                    place,
                    problem: problem.to_owned(),
                });
            }
            for file in found {
                match load(&file) {
                    Ok(builder) => return Ok((file, builder)),
                    Err(problem) => tried.push(Attempt {
                        place: file.display().to_string(),
                        problem,
                    }),
                }
            }
        }
        if self.loader {
            for name in [LIBRARY.to_owned(), format!("{LIBRARY}.1")] {
                match load_by_loader(&name) {
                    Ok(builder) => return Ok((name.into(), builder)),
                    Err(problem) => {
                        tried.push(Attempt {
                            place: format!("{name} (dynamic loader)"),
                            problem,
                        });
                    }
                }
            }
        }
        Err(tried)
    }
}

/// The libraries in a folder: the plain name first, then versioned ones, newest first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(LIBRARY)?;
            let version = version.split('.').filter(|part| !part.is_empty());
            Some((
                version.map(|part| part.parse().ok()).collect::<Option<_>>()?,
                entry.path(),
            ))
        })
        .collect();
    found.sort_by(|a, b| a.0.is_empty().cmp(&b.0.is_empty()).then(a.0.cmp(&b.0)).reverse());
    found.into_iter().map(|(_, path)| path).collect()
}

fn load(path: &Path) -> Result<EnvironmentBuilder, String> {
    elf::check(path)?;
    // Absolute, because the loader searches its own path for a name without a separator.
    let path = std::path::absolute(path).map_err(|e| e.to_string())?;
    ort::init_from(&path).map_err(|e| describe(&e))
}

fn load_by_loader(name: &str) -> Result<EnvironmentBuilder, String> {
    // Given a relative name, `ort` asks for the executable's path and insists on getting it.
    std::env::current_exe().map_err(|e| format!("the executable's path is unknown: {e}"))?;
    ort::init_from(name).map_err(|e| describe(&e))
}

fn describe(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => error.to_string(),
        ort::LoadDynamicError::MissingApi { .. } => "not ONNX Runtime: no OrtGetApiBase in it".to_owned(),
        ort::LoadDynamicError::InvalidVersionString => "its version is not text".to_owned(),
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            format!(
                "version {version_str} is too old: legal is 1.{} or newer",
                super::MINIMUM_MINOR
            )
        }
    }
}

/// The file that the code at `address` was loaded from.
pub(super) fn module_of(address: *const ()) -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `dladdr` only compares the address and fills `info`.
    let found = unsafe { libc::dladdr(address.cast(), &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: on success `dli_fname` is a C string that lives as long as the module, which is running this code.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    std::fs::canonicalize(OsStr::from_bytes(name.to_bytes())).ok()
}
