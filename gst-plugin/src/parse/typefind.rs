//! Recognising `.cis` files by their first bytes.

use cis_codec::Limits;
use cis_codec::frame::{self, PeekError};
use gst::TypeFindProbability as Probability;

use crate::caps;

/// How far into a file a first key frame is searched for.
const WINDOW: u32 = 4096;

pub(super) fn register(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    let possible = caps::any_template();
    gst::TypeFind::register(
        Some(plugin),
        caps::MEDIA_TYPE,
        gst::Rank::PRIMARY,
        Some("cis"),
        Some(&possible),
        |find| {
            if let Some(probability) = probability(&head(find)) {
                find.suggest(probability, &caps::any_template());
            }
        },
    )
}

/// As many of the first bytes as there are, `WINDOW` at most.
fn head(find: &mut gst::TypeFind) -> Vec<u8> {
    let mut size = match find.length() {
        Some(length) => u32::try_from(length).unwrap_or(WINDOW).min(WINDOW),
        None => WINDOW,
    };
    while size > 0 {
        if let Some(bytes) = find.peek(0, size) {
            return bytes.to_vec();
        }
        size /= 2;
    }
    Vec::new()
}

fn probability(head: &[u8]) -> Option<Probability> {
    // Five bytes: the sync byte, flags and the magic of a key frame.
    match frame::find_sync(head)? {
        at if at + 5 > head.len() => None,
        0 => match frame::peek(head, &Limits::default()) {
            Ok(peek) => match head
                .get(peek.unit_len..)
                .map(|next| frame::peek(next, &Limits::default()))
            {
                None | Some(Ok(_) | Err(PeekError::NeedMore { .. })) => Some(Probability::Maximum),
                Some(Err(_)) => Some(Probability::Possible),
            },
            // cisparse says what is wrong with it.
            Err(PeekError::UnsupportedVersion { .. }) => Some(Probability::Maximum),
            Err(PeekError::NeedMore { .. }) => Some(Probability::Likely),
            Err(_) => Some(Probability::Possible),
        },
        _ => Some(Probability::Possible),
    }
}
