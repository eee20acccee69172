//! The property tables of docs/elements, made from the running plugin. `CIS_UPDATE=1` writes them:
//!
//! `CIS_UPDATE=1 cargo test -p gst-plugin-cis --test results pages`

use gst::{glib, prelude::*};

const ELEMENTS: [&str; 9] = [
    "cisencode",
    "cisparse",
    "cisdetect",
    "cistrack",
    "cisdecode",
    "cisjson",
    "cisoverlay",
    "cisquicsink",
    "cisquicsrc",
];
const BEGIN: &str = "<!-- properties:begin -->";
const END: &str = "<!-- properties:end -->";

/// The properties that an element adds to those of its base class, as a table.
fn table(element: &str) -> String {
    let element = gst::ElementFactory::make(element).build().unwrap();
    let mut rows: Vec<_> = element
        .list_properties()
        .iter()
        .filter(|spec| spec.owner_type() == element.type_())
        .map(row)
        .collect();
    rows.sort();
    let head = "| property | type | default | when | meaning |\n|---|---|---|---|---|\n";
    format!("{BEGIN}\n{head}{}{END}", rows.concat())
}

fn row(spec: &glib::ParamSpec) -> String {
    let flags = spec.flags();
    // The bits that GStreamer adds to those of GObject: `GST_PARAM_MUTABLE_READY` and `_PLAYING`.
    let gst_flags = flags.bits();
    let when = if !flags.contains(glib::ParamFlags::WRITABLE) {
        "read only"
    } else if gst_flags & gst::PARAM_FLAG_MUTABLE_PLAYING.bits() != 0 {
        "any time"
    } else {
        "before PLAYING"
    };
    let meaning = spec.blurb().map_or("", |blurb| blurb).replace('|', "\\|");
    format!(
        "| `{}` | {} | {} | {when} | {meaning} |\n",
        spec.name(),
        kind(spec),
        default(spec)
    )
}

fn kind(spec: &glib::ParamSpec) -> String {
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt>() {
        format!("uint {}..{}", spec.minimum(), spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt>() {
        format!("int {}..{}", spec.minimum(), spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt64>() {
        format!("uint64 {}..{}", spec.minimum(), spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecDouble>() {
        format!("double {}..{}", spec.minimum(), spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecFloat>() {
        format!("float {}..{}", spec.minimum(), spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecEnum>() {
        let names: Vec<_> = spec
            .enum_class()
            .values()
            .iter()
            .map(|value| value.nick().to_owned())
            .collect();
        names.join(", ")
    } else {
        match spec.value_type().name() {
            "gchararray" => "string".into(),
            "gboolean" => "boolean".into(),
            name => format!("`{name}`"),
        }
    }
}

fn default(spec: &glib::ParamSpec) -> String {
    let value = spec.default_value();
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecEnum>() {
        return spec
            .enum_class()
            .value(spec.default_value_as_i32())
            .map_or_else(String::new, |value| value.nick().to_owned());
    }
    match value.get::<Option<String>>() {
        Ok(None) => "unset".into(),
        Ok(Some(text)) if text.is_empty() => "empty".into(),
        Ok(Some(text)) => format!("`{text}`"),
        Err(_) if value.type_().is_a(gst::Structure::static_type()) => String::new(),
        Err(_) => match value
            .transform::<String>()
            .ok()
            .and_then(|text| text.get::<String>().ok())
        {
            Some(number) if number.contains('.') => number.trim_end_matches('0').trim_end_matches('.').into(),
            Some(text) => text.to_lowercase(),
            None => String::new(),
        },
    }
}

fn page(element: &str) -> (std::path::PathBuf, String) {
    let path = super::docs().join("elements").join(format!("{element}.md"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (path, text)
}

#[test]
fn property_tables_are_current() {
    super::init();
    let update = std::env::var_os("CIS_UPDATE").is_some();
    for element in ELEMENTS {
        let (path, text) = page(element);
        let (before, rest) = text
            .split_once(BEGIN)
            .unwrap_or_else(|| panic!("{element}: no {BEGIN}"));
        let (_, after) = rest
            .split_once(END)
            .unwrap_or_else(|| panic!("{element}: no {END}"));
        let current = format!("{before}{}{after}", table(element));
        if update {
            std::fs::write(&path, &current).unwrap();
        } else {
            assert!(
                text == current,
                "the table of {} is stale: run with CIS_UPDATE=1",
                path.display()
            );
        }
    }
}

#[test]
fn every_page_has_every_section() {
    for element in ELEMENTS {
        let (path, text) = page(element);
        assert!(text.starts_with(&format!("# {element}\n")), "{}", path.display());
        for section in [
            "## Example",
            "## Caps",
            "## Properties",
            "## Debugging by symptom",
        ] {
            assert!(
                text.contains(section),
                "{}: no section {section:?}",
                path.display()
            );
        }
        assert!(
            text.contains("gst-launch-1.0 "),
            "{}: no pipeline to run",
            path.display()
        );
    }
}

#[test]
fn the_plugin_has_the_elements_that_have_pages() {
    super::init();
    let registry = gst::Registry::get();
    let found = registry.features_filtered(|feature| feature.name().starts_with("cis"), false);
    let mut found: Vec<_> = found
        .iter()
        .filter(|feature| feature.is::<gst::ElementFactory>())
        .map(|feature| feature.name().to_string())
        .collect();
    found.sort();
    let mut wanted = ELEMENTS.map(String::from);
    wanted.sort();
    assert_eq!(found, wanted);
}
