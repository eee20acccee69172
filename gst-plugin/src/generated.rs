//! Marks on restored pictures: which of them are a network's guess, and of what. The mark is a custom meta, so that other
//! elements carry it along; it survives changes of format and size.

use gst::glib;
use gst::meta::CustomMeta;
use std::sync::Once;

/// Name of the meta.
pub const META: &str = "CisGeneratedMeta";
/// Its field.
const QUALITY: &str = "quality";

/// What a picture was restored from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, glib::Enum)]
#[enum_type(name = "CisQuality")]
#[repr(i32)]
pub enum Quality {
    /// From the features for detection alone.
    #[default]
    #[enum_value(name = "From the features for detection alone", nick = "features")]
    Features = 0,
    /// From these and the enhancement layer.
    #[enum_value(name = "From these and the enhancement layer", nick = "enhanced")]
    Enhanced = 1,
}

impl Quality {
    /// As metas and JSON have it.
    pub fn nick(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Enhanced => "enhanced",
        }
    }

    /// As a viewer reads it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Features => "generated from features",
            Self::Enhanced => "generated, enhanced",
        }
    }
}

fn register() {
    static ONCE: Once = Once::new();
    // Without tags it says nothing that a change of colour or size makes wrong: elements copy it.
    ONCE.call_once(|| CustomMeta::register(META, &[]));
}

/// Marks a picture; a mark that it has already is changed.
pub fn mark(buffer: &mut gst::BufferRef, quality: Quality) {
    register();
    if let Ok(mut meta) = CustomMeta::from_mut_buffer(buffer, META) {
        return meta.mut_structure().set(QUALITY, quality.nick());
    }
    // Fails for a name that is not registered only.
    if let Ok(mut meta) = CustomMeta::add(buffer, META) {
        meta.mut_structure().set(QUALITY, quality.nick());
    }
}

/// What a picture was restored from; `None`: it is not marked.
pub fn quality_of(buffer: &gst::BufferRef) -> Option<Quality> {
    register();
    let meta = CustomMeta::from_buffer(buffer, META).ok()?;
    let structure = meta.structure();
    // A mark of another version says at least that the picture is generated.
    Some(match structure.get::<&str>(QUALITY) {
        Ok("enhanced") => Quality::Enhanced,
        _ => Quality::Features,
    })
}
