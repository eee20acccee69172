//! The text of one line. `docs/detections.schema.json` describes it; a test holds the two together.

use crate::generated::Quality;
use crate::regions::Region;
use cis_codec::frame::Header;
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    stream: &'a str,
    frame: u64,
    pts_ns: u64,
    capture_utc: Option<String>,
    width: u32,
    height: u32,
    key: bool,
    bytes: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated: Option<&'static str>,
    objects: Vec<Object<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    class_id: u32,
    label: &'a str,
    confidence: f64,
    #[serde(rename = "box")]
    area: [u32; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<u64>,
}

/// One frame as a line of JSON, with its line feed. `regions` are `None` when nobody looked for objects in the frame.
/// `generated`: what the picture that goes with the line was restored from, if there is one.
pub fn write(
    stream: &str,
    header: &Header,
    regions: Option<&[Region]>,
    generated: Option<Quality>,
) -> Result<Vec<u8>, serde_json::Error> {
    let line = Line {
        stream,
        frame: header.number,
        pts_ns: header.pts_ns,
        capture_utc: rfc3339(header.capture_utc_ns),
        width: header.source.width,
        height: header.source.height,
        key: header.key,
        bytes: header.unit_len,
        late: header.late,
        detected: regions.is_none().then_some(false),
        generated: generated.map(Quality::nick),
        objects: regions.unwrap_or_default().iter().map(object).collect(),
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(text)
}

fn object(region: &Region) -> Object<'_> {
    // Four digits say more than the networks know. JSON has no NaN.
    let confidence = if region.confidence.is_finite() {
        region.confidence.clamp(0.0, 1.0)
    } else {
        0.0
    };
    Object {
        class_id: region.class_id,
        label: &region.label,
        confidence: (confidence * 1e4).round() / 1e4,
        area: [region.x, region.y, region.w, region.h],
        track: region.track,
    }
}

/// A capture time as RFC 3339 with nine digits; 0 means that the camera does not know it.
pub fn rfc3339(utc_ns: u64) -> Option<String> {
    if utc_ns == 0 {
        return None;
    }
    let time = jiff::Timestamp::from_nanosecond(i128::from(utc_ns)).ok()?;
    Some(format!("{time:.9}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_times() {
        assert_eq!(rfc3339(0), None);
        assert_eq!(rfc3339(1).as_deref(), Some("1970-01-01T00:00:00.000000001Z"));
        assert_eq!(
            rfc3339(1_795_464_000_500_000_000).as_deref(),
            Some("2026-11-23T20:00:00.500000000Z")
        );
        assert_eq!(
            rfc3339(u64::MAX).as_deref(),
            Some("2554-07-21T23:34:33.709551615Z")
        );
    }
}
