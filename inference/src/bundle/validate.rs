//! What a manifest may say. Each refusal names the field, the value and the legal range.

use std::collections::HashSet;

use super::manifest::{FORMAT, Manifest};
use crate::geometry::{MAX_INPUT, MIN_INPUT};
use crate::{Error, Result};

/// Longest file of a bundle, bytes.
pub const MAX_FILE: u64 = 64 << 20;
/// Most classes.
pub const MAX_CLASSES: usize = 4096;

/// Checks everything that can be checked without the files.
///
/// # Errors
/// [`Error::OutOfRange`] for the first value outside its range.
pub fn validate(m: &Manifest) -> Result<()> {
    check(m.format == FORMAT, "format", m.format, FORMAT)?;
    check(is_id(&m.id), "id", &m.id, "[a-z0-9][a-z0-9.-]{0,62}")?;
    for other in &m.decodes {
        check(
            is_id(&other.id),
            "decodes.id",
            &other.id,
            "[a-z0-9][a-z0-9.-]{0,62}",
        )?;
    }
    check(is_name(&m.version), "version", &m.version, NAME)?;
    numbers(m)?;
    let enhance = m.enhance.iter().flat_map(|e| {
        [
            ("enhance.input", &e.input),
            ("enhance.received", &e.received),
            ("enhance.latents", &e.latents),
        ]
    });
    let state = m.restore.state.iter();
    let state = state.flat_map(|s| {
        [
            ("restore.state.input", &s.input),
            ("restore.state.output", &s.output),
        ]
    });
    let enhanced = m.restore.enhanced.iter().map(|name| ("restore.enhanced", name));
    for (field, name) in [
        ("front.input", &m.front.input),
        ("front.latents", &m.front.latents),
        ("front.squeezed", &m.front.squeezed),
        ("detect.input", &m.detect.input),
        ("detect.boxes", &m.detect.boxes),
        ("detect.scores", &m.detect.scores),
        ("restore.input", &m.restore.input),
        ("restore.picture", &m.restore.picture),
    ]
    .into_iter()
    .chain(enhance)
    .chain(state)
    .chain(enhanced)
    {
        check(is_name(name), field, name, NAME)?;
    }
    for (field, macs) in [
        ("front.macs", m.front.macs),
        ("detect.macs", m.detect.macs),
        ("restore.macs", m.restore.macs),
        ("enhance.macs", m.enhance.as_ref().map_or(0.0, |e| e.macs)),
    ] {
        check(macs.is_finite() && macs >= 0.0, field, macs, "a number >= 0")?;
    }
    view(m)?;
    classes(m)?;
    files(m)
}

/// The enhancement layer and the memory of the view.
fn view(m: &Manifest) -> Result<()> {
    let grid = |what: &str, channels: u16, stride: u32| {
        check(
            (1..=1024).contains(&channels),
            format!("{what}.channels"),
            channels,
            "1..=1024",
        )?;
        check(
            stride >= 1 && m.input.multiple.is_multiple_of(stride),
            format!("{what}.stride"),
            stride,
            format!("a divisor of input.multiple ({})", m.input.multiple),
        )
    };
    if let Some(state) = &m.restore.state {
        grid("restore.state", state.channels, state.stride)?;
    }
    let named = m.restore.enhanced.as_deref().unwrap_or("missing");
    check(
        m.enhance.is_some() == m.restore.enhanced.is_some(),
        "restore.enhanced",
        named,
        "there if [enhance] is, and only then",
    )?;
    let Some(e) = &m.enhance else { return Ok(()) };
    grid("enhance", e.channels, e.stride)?;
    quantiser("enhance", e.qindex_min, e.qindex_default, e.qindex_max)
}

/// Least, default and greatest quantiser index of a layer.
fn quantiser(what: &str, min: u8, default: u8, max: u8) -> Result<()> {
    check(max <= 63, format!("{what}.qindex-max"), max, "0..=63")?;
    let range = format!("0..={max} (qindex-max)");
    check(min <= max, format!("{what}.qindex-min"), min, range)?;
    let range = format!("{min}..={max}");
    check(
        (min..=max).contains(&default),
        format!("{what}.qindex-default"),
        default,
        range,
    )
}

fn numbers(m: &Manifest) -> Result<()> {
    let (i, l) = (&m.input, &m.latents);
    check(
        [1, 2, 4].contains(&i.squeeze),
        "input.squeeze",
        i.squeeze,
        "1, 2 or 4",
    )?;
    check(
        (1..=256).contains(&i.multiple) && i.multiple.is_multiple_of(i.squeeze),
        "input.multiple",
        i.multiple,
        "1..=256, a multiple of input.squeeze",
    )?;
    check(i.pad <= 255, "input.pad", i.pad, "0..=255")?;
    let step = m.input_step();
    check(
        (MIN_INPUT..=MAX_INPUT).contains(&i.default_size) && i.default_size.is_multiple_of(step),
        "input.default-size",
        i.default_size,
        format!("{MIN_INPUT}..={MAX_INPUT}, a multiple of {step}"),
    )?;
    check(
        (1..=1024).contains(&l.channels),
        "latents.channels",
        l.channels,
        "1..=1024",
    )?;
    check(
        l.stride >= 1 && i.multiple.is_multiple_of(l.stride),
        "latents.stride",
        l.stride,
        format!("a divisor of input.multiple ({})", i.multiple),
    )?;
    quantiser("latents", l.qindex_min, l.qindex_default, l.qindex_max)
}

fn classes(m: &Manifest) -> Result<()> {
    let names = &m.classes.names;
    check(
        (1..=MAX_CLASSES).contains(&names.len()),
        "number of classes.names",
        names.len(),
        "1..=4096",
    )?;
    for name in names {
        check(is_name(name), "classes.names", name, NAME)?;
    }
    let ids = m.classes.coco_ids.len();
    let legal = format!("0 or {} (as many as classes.names)", names.len());
    check(
        ids == 0 || ids == names.len(),
        "number of classes.coco-ids",
        ids,
        legal,
    )
}

fn files(m: &Manifest) -> Result<()> {
    let mut seen = HashSet::new();
    for file in &m.files {
        check(is_file_name(&file.name), "files.name", &file.name, FILE_NAME)?;
        check(
            seen.insert(file.name.as_str()),
            "files.name",
            &file.name,
            "each name once",
        )?;
        check(
            file.bytes <= MAX_FILE,
            format!("bytes of {}", file.name),
            file.bytes,
            "0..=67108864 (64 MiB)",
        )?;
        check(
            is_sha256(&file.sha256),
            format!("sha256 of {}", file.name),
            &file.sha256,
            "64 digits of 0-9a-f",
        )?;
    }
    let named = [
        ("front.file", &m.front.file),
        ("detect.file", &m.detect.file),
        ("restore.file", &m.restore.file),
        ("prior.file", &m.prior.file),
    ];
    let squeezed = m
        .front
        .squeezed_file
        .iter()
        .map(|file| ("front.squeezed-file", file));
    let enhance = m.enhance.iter();
    let transform = enhance
        .clone()
        .filter_map(|e| Some(("enhance.transform-file", e.transform_file.as_ref()?)));
    let enhance = enhance
        .flat_map(|e| [("enhance.file", &e.file), ("enhance.prior-file", &e.prior_file)])
        .chain(transform);
    for (field, name) in named.into_iter().chain(squeezed).chain(enhance) {
        check(
            seen.contains(name.as_str()),
            field,
            name,
            "a name listed in [[files]]",
        )?;
    }
    Ok(())
}

const NAME: &str = "1..=64 printable characters";
const FILE_NAME: &str = "1..=64 of A-Za-z0-9._- without a leading dot, and not manifest.toml";

fn check(good: bool, what: impl Into<String>, value: impl ToString, legal: impl ToString) -> Result<()> {
    if good {
        Ok(())
    } else {
        Err(Error::range(what, value, legal.to_string()))
    }
}

fn is_id(id: &str) -> bool {
    let first = id
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = id
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    first && rest && id.len() <= 63
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// No separator and no leading dot, so that no name can leave the folder.
fn is_file_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !name.starts_with('.')
        && name != super::MANIFEST
}

fn is_sha256(digits: &str) -> bool {
    digits.len() == 64
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
