//! Elements without ONNX Runtime: alone in its process, because a library once loaded stays.

use gst::prelude::*;

#[test]
fn the_error_names_the_library_that_was_asked_for() {
    // SAFETY: nothing else runs in this process yet.
    unsafe { std::env::set_var("CIS_ONNXRUNTIME", "/nowhere/libonnxruntime.so") };
    gst::init().unwrap();
    gstcis::plugin_register_static().unwrap();
    for name in ["cisencode", "cisdetect", "cisdecode"] {
        let element = gst::ElementFactory::make(name).build().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        assert!(element.set_state(gst::State::Paused).is_err());
        let message = std::iter::from_fn(|| bus.pop())
            .find(|m| m.type_() == gst::MessageType::Error)
            .unwrap();
        let gst::MessageView::Error(error) = message.view() else {
            unreachable!()
        };
        assert!(
            error.error().matches(gst::ResourceError::NotFound),
            "{name}: {:?}",
            error.error()
        );
        let text = error.error().to_string();
        assert!(
            text.contains("/nowhere/libonnxruntime.so") && text.contains("ONNX Runtime"),
            "{name}: {text}"
        );
        element.set_state(gst::State::Null).unwrap();
    }
}
