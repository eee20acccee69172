//! The event by which `cisquicsink` tells the encoder which layers are wanted, and a decoder its source.

/// Name of the upstream event.
pub const EVENT: &str = "cis-layer";

/// What is wanted of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Number of the layer.
    pub layer: u8,
    /// Whether it is wanted.
    pub on: bool,
    /// What was sent of it cannot be continued: it is to begin with a key frame of its own.
    pub restart: bool,
}

/// The event: a custom one that goes upstream.
pub fn event(wish: Wish) -> gst::Event {
    let structure = gst::Structure::builder(EVENT)
        .field("layer", u32::from(wish.layer))
        .field("on", wish.on)
        .field("restart", wish.restart)
        .build();
    gst::event::CustomUpstream::new(structure)
}

/// The wish in an event; `None` if it is another event, or none that makes sense.
pub fn wish(event: &gst::EventRef) -> Option<Wish> {
    let structure = event.structure().filter(|structure| structure.name() == EVENT)?;
    Some(Wish {
        layer: u8::try_from(structure.get::<u32>("layer").ok()?).ok()?,
        on: structure.get("on").ok()?,
        restart: structure.get("restart").unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_as_it_was_written() {
        gst::init().unwrap();
        let all = Wish {
            layer: 1,
            on: true,
            restart: true,
        };
        assert_eq!(wish(&event(all)), Some(all));
        let structure = gst::Structure::builder(EVENT).field("layer", 256u32);
        let foreign = gst::event::CustomUpstream::new(structure.field("on", true).build());
        assert_eq!(wish(&foreign), None);
    }
}
