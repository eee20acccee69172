//! Detections on buffers: `GstVideoRegionOfInterestMeta` with a `detection` parameter structure.

use cis_inference::detect::Detection;

/// Name of the parameter structure that carries what the rectangle itself cannot.
pub const PARAM_NAME: &str = "detection";

/// Name of the parameter structure of boxes that are too unsure to be detections: only `cistrack` looks at them.
const CANDIDATE_NAME: &str = "candidate";

/// One detected object, in source pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Class number of the bundle.
    pub class_id: u32,
    /// Class name.
    pub label: String,
    /// 0..=1.
    pub confidence: f64,
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub w: u32,
    /// Height.
    pub h: u32,
    /// Number of its track, when it is followed.
    pub track: Option<u64>,
}

impl Region {
    /// A detection on the pixel grid, at least one pixel large and inside a frame of `source` pixels.
    pub fn on_grid(detection: &Detection, source: (u32, u32)) -> Self {
        // A float to integer cast saturates.
        let edges = |from: f32, size: f32, side: u32| {
            let first = (from.round() as u32).min(side.saturating_sub(1));
            let last = ((from + size).round() as u32).clamp(first + 1, side.max(first + 1));
            (first, last - first)
        };
        let (x, w) = edges(detection.x, detection.w, source.0);
        let (y, h) = edges(detection.y, detection.h, source.1);
        Self {
            class_id: detection.class_id,
            label: detection.label.to_string(),
            confidence: f64::from(detection.confidence),
            x,
            y,
            w,
            h,
            track: None,
        }
    }
}

/// Attaches one region.
pub fn attach(buffer: &mut gst::BufferRef, region: &Region) {
    attach_as(PARAM_NAME, buffer, region);
}

/// Attaches a box that is too unsure to be a detection, for `cistrack`, which takes it off again.
pub fn attach_candidate(buffer: &mut gst::BufferRef, region: &Region) {
    attach_as(CANDIDATE_NAME, buffer, region);
}

fn attach_as(name: &str, buffer: &mut gst::BufferRef, region: &Region) {
    // GLib's strings end at a zero.
    let label = region.label.replace('\0', " ");
    let mut meta =
        gst_video::VideoRegionOfInterestMeta::add(buffer, &label, (region.x, region.y, region.w, region.h));
    let mut param = gst::Structure::builder(name)
        .field("label", &label)
        .field("class-id", region.class_id)
        .field("confidence", region.confidence)
        .build();
    if let Some(track) = region.track {
        param.set("track-id", track);
        // The meta's own field is for programs that know nothing of this one; it has room for 2^31 tracks.
        meta.set_id(i32::try_from(track).unwrap_or(i32::MAX));
    }
    meta.add_param(param);
}

/// The regions of a buffer, in the order in which they were attached, without candidates. Regions of other elements (no `detection`
/// parameter) come with their type as label, class 0 and confidence 1.
pub fn read(buffer: &gst::BufferRef) -> Vec<Region> {
    read_where(buffer, |meta| meta.param(CANDIDATE_NAME).is_none(), PARAM_NAME)
}

/// Those that `cisdetect` attached.
pub fn read_detections(buffer: &gst::BufferRef) -> Vec<Region> {
    read_where(buffer, |meta| meta.param(PARAM_NAME).is_some(), PARAM_NAME)
}

/// The boxes that are too unsure to be detections.
pub fn read_candidates(buffer: &gst::BufferRef) -> Vec<Region> {
    read_where(
        buffer,
        |meta| meta.param(CANDIDATE_NAME).is_some(),
        CANDIDATE_NAME,
    )
}

fn read_where(
    buffer: &gst::BufferRef,
    wanted: impl Fn(&gst_video::VideoRegionOfInterestMeta) -> bool,
    name: &str,
) -> Vec<Region> {
    buffer
        .iter_meta::<gst_video::VideoRegionOfInterestMeta>()
        .filter(|meta| wanted(meta))
        .map(|meta| {
            let (x, y, w, h) = meta.rect();
            let param = meta.param(name);
            Region {
                class_id: param.and_then(|p| p.get("class-id").ok()).unwrap_or(0),
                label: param
                    .and_then(|p| p.get::<String>("label").ok())
                    .unwrap_or_else(|| meta.roi_type().to_owned()),
                confidence: param.and_then(|p| p.get("confidence").ok()).unwrap_or(1.0),
                x,
                y,
                w,
                h,
                track: param.and_then(|p| p.get("track-id").ok()),
            }
        })
        .collect()
}

/// Takes all regions off a buffer.
pub fn clear(buffer: &mut gst::BufferRef) {
    clear_where(buffer, |_| true);
}

/// Takes detections and candidates off a buffer; the regions of other elements stay.
pub fn clear_own(buffer: &mut gst::BufferRef) {
    clear_where(buffer, |meta| {
        meta.param(PARAM_NAME).is_some() || meta.param(CANDIDATE_NAME).is_some()
    });
}

fn clear_where(
    buffer: &mut gst::BufferRef,
    unwanted: impl Fn(&gst_video::VideoRegionOfInterestMeta) -> bool,
) {
    use gst::buffer::BufferMetaForeachAction::{Keep, Remove};
    buffer.foreach_meta_mut(|mut meta| {
        let region = meta.downcast_ref::<gst_video::VideoRegionOfInterestMeta>();
        let remove = region.is_some_and(|region| unwanted(region));
        std::ops::ControlFlow::Continue(if remove { Remove } else { Keep })
    });
}
