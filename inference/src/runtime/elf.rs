//! A look at an ELF header before `dlopen`: tells a foreign or damaged file from a library in words that help.
//!
//! The loader's own message for a library of another architecture is "cannot open shared object file", and a file that
//! was cut short can kill the process when its pages are touched.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;

/// Checks that `path` is a complete 64-bit little-endian shared library for this machine's architecture.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        _ => e.to_string(),
    })?;
    let about = file.metadata().map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut header = [0; HEADER];
    file.read_exact(&mut header)
        .map_err(|_| format!("not a shared library: {} bytes long", about.len()))?;
    let [m0, m1, m2, m3, class, order, ..] = header;
    if [m0, m1, m2, m3] != *b"\x7fELF" {
        return Err("not a shared library (no ELF header)".to_owned());
    }
    if (class, order) != (2, 1) {
        let found = if class == 1 { "32-bit" } else { "big-endian" };
        return Err(format!("a {found} library, this program is 64-bit little-endian"));
    }
    let machine = u16_at(&header, 18);
    if machine != HOST {
        return Err(format!(
            "a library for {}, this program is for {}",
            name(machine),
            name(HOST)
        ));
    }
    if u16_at(&header, 16) != ET_DYN {
        return Err("an ELF file, but not a shared library".to_owned());
    }
    complete(&mut file, about.len(), &header)
}

/// Every loadable segment must lie within the file.
fn complete(file: &mut File, length: u64, header: &[u8]) -> Result<(), String> {
    let cut = || format!("incomplete: its segments reach beyond its {length} bytes");
    let count = usize::from(u16_at(header, 56));
    if usize::from(u16_at(header, 54)) != PROGRAM_HEADER {
        return Err("damaged ELF header".to_owned());
    }
    let mut table = vec![0; count * PROGRAM_HEADER];
    file.seek(SeekFrom::Start(u64_at(header, 32)))
        .map_err(|e| e.to_string())?;
    file.read_exact(&mut table).map_err(|_| cut())?;
    for entry in table.chunks_exact(PROGRAM_HEADER) {
        let end = u64_at(entry, 8).checked_add(u64_at(entry, 32));
        if u32_at(entry, 0) == PT_LOAD && end.is_none_or(|end| end > length) {
            return Err(cut());
        }
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
const HOST: u16 = 62;
#[cfg(target_arch = "aarch64")]
const HOST: u16 = 183;
#[cfg(target_arch = "riscv64")]
const HOST: u16 = 243;

fn name(machine: u16) -> String {
    match machine {
        3 => "x86 (32-bit)".to_owned(),
        40 => "ARM (32-bit)".to_owned(),
        62 => "x86-64".to_owned(),
        183 => "AArch64".to_owned(),
        243 => "RISC-V".to_owned(),
        other => format!("ELF machine {other}"),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u64_from(bytes, at, 2) as u16
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u64_from(bytes, at, 4) as u32
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64_from(bytes, at, 8)
}

fn u64_from(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes
        .iter()
        .skip(at)
        .take(length)
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}
