//! From the network's raw boxes and scores to objects: threshold, class choice, class-aware NMS, source pixels.

use std::sync::Arc;

use super::{Detection, Params};
use crate::geometry::Geometry;

/// A box that passed the threshold, in source pixels.
#[derive(Clone, Copy)]
struct Candidate {
    class: u32,
    confidence: f32,
    rect: [f32; 4],
}

/// Keeps its buffers from frame to frame.
#[derive(Default)]
pub(super) struct Selector {
    wanted: Vec<bool>,
    candidates: Vec<Candidate>,
    kept: Vec<Candidate>,
}

impl Selector {
    /// `boxes`: 4 numbers an anchor (x1 y1 x2 y2, pixels of x); `scores`: one a class and anchor. Most confident first; equal
    /// confidences in the order of the anchors, so that the result depends on nothing but the input.
    pub fn select(
        &mut self,
        boxes: &[f32],
        scores: &[f32],
        geometry: &Geometry,
        params: &Params,
        labels: &[Arc<str>],
    ) -> Vec<Detection> {
        self.wanted.clear();
        self.wanted.resize(labels.len(), params.classes.is_none());
        for &class in params.classes.iter().flatten() {
            if let Some(wanted) = self.wanted.get_mut(class as usize) {
                *wanted = true;
            }
        }
        self.candidates.clear();
        let anchors = boxes
            .chunks_exact(4)
            .zip(scores.chunks_exact(labels.len().max(1)));
        for (corners, scores) in anchors {
            let Some((class, confidence)) = best(scores, &self.wanted, params.threshold) else {
                continue;
            };
            let Ok(corners) = <[f32; 4]>::try_from(corners) else {
                continue;
            };
            if let Some(rect) = geometry.to_source(corners) {
                self.candidates.push(Candidate {
                    class,
                    confidence,
                    rect,
                });
            }
        }
        // Stable: anchors stay in order.
        self.candidates
            .sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        self.suppress(params);
        let object = |kept: &Candidate| {
            let [x, y, w, h] = kept.rect;
            let label = labels
                .get(kept.class as usize)
                .cloned()
                .unwrap_or_else(|| Arc::from(""));
            Detection {
                class_id: kept.class,
                label,
                confidence: kept.confidence,
                x,
                y,
                w,
                h,
            }
        };
        self.kept.iter().map(object).collect()
    }

    /// Greedy NMS within each class. Compares with kept boxes only, of which there are at most `max_objects`.
    fn suppress(&mut self, params: &Params) {
        self.kept.clear();
        for candidate in &self.candidates {
            if self.kept.len() >= params.max_objects {
                return;
            }
            let covered = |kept: &Candidate| {
                kept.class == candidate.class && iou(&kept.rect, &candidate.rect) > params.nms_iou
            };
            if !self.kept.iter().any(covered) {
                self.kept.push(*candidate);
            }
        }
    }
}

/// The wanted class with the highest score of at least `threshold`; the first of equals. Scores that are no numbers are
/// passed over, scores above 1 count as 1.
fn best(scores: &[f32], wanted: &[bool], threshold: f32) -> Option<(u32, f32)> {
    let mut best = None;
    let mut top = threshold;
    for (class, (&score, &wanted)) in scores.iter().zip(wanted).enumerate() {
        // `score >= top` is false for NaN.
        if wanted && score >= top && (best.is_none() || score > top) {
            top = score;
            best = Some(class);
        }
    }
    // 0 is no evidence, whatever the threshold.
    let class = best.filter(|_| top > 0.0)?;
    Some((u32::try_from(class).ok()?, top.min(1.0)))
}

/// Intersection over union of two boxes (x, y, w, h).
fn iou(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let overlap = |at: usize, size: usize| {
        let end = |r: &[f32; 4]| r[at] + r[size];
        (end(a).min(end(b)) - a[at].max(b[at])).max(0.0)
    };
    let shared = overlap(0, 2) * overlap(1, 3);
    let union = a[2] * a[3] + b[2] * b[3] - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: [f32; 4] = [0.0, 0.0, 100.0, 100.0];

    fn geometry() -> Geometry {
        Geometry {
            source: (832, 512),
            x: (832, 512),
            content: (832, 512),
            latents: (26, 16),
            scale: 1.0,
        }
    }

    fn select(boxes: &[[f32; 4]], scores: &[[f32; 2]], params: &Params) -> Vec<(u32, f32, f32)> {
        let labels = [Arc::from("a"), Arc::from("b")];
        let (boxes, scores) = (boxes.as_flattened(), scores.as_flattened());
        let found = Selector::default().select(boxes, scores, &geometry(), params, &labels);
        found.iter().map(|d| (d.class_id, d.confidence, d.x)).collect()
    }

    #[test]
    fn overlap_is_dropped_within_a_class_only() {
        let near = [10.0, 0.0, 110.0, 100.0];
        let params = Params::default();
        assert_eq!(
            select(&[BOX, near], &[[0.5, 0.0], [0.9, 0.0]], &params),
            [(0, 0.9, 10.0)]
        );
        let both = [(1, 0.9, 10.0), (0, 0.5, 0.0)];
        assert_eq!(select(&[BOX, near], &[[0.5, 0.0], [0.0, 0.9]], &params), both);
        // Intersection 90, union 110: just above and just below the limit.
        let at = |nms_iou| {
            select(
                &[BOX, near],
                &[[0.5, 0.0], [0.9, 0.0]],
                &Params {
                    nms_iou,
                    ..Params::default()
                },
            )
        };
        assert_eq!((at(0.81).len(), at(0.82).len()), (1, 2));
    }

    #[test]
    fn equals_stay_in_the_order_of_the_anchors() {
        let boxes: Vec<[f32; 4]> = (0..8)
            .map(|i| [i as f32 * 60.0, 0.0, i as f32 * 60.0 + 50.0, 50.0])
            .collect();
        let found = select(
            &boxes,
            &[[0.5, 0.5]; 8],
            &Params {
                max_objects: 7,
                ..Params::default()
            },
        );
        let expected: Vec<_> = (0..7).map(|i| (0, 0.5, i as f32 * 60.0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn scores_that_are_no_numbers_are_passed_over() {
        let params = Params {
            threshold: 0.0,
            ..Params::default()
        };
        assert_eq!(select(&[BOX], &[[f32::NAN, 0.4]], &params), [(1, 0.4, 0.0)]);
        assert_eq!(select(&[BOX], &[[f32::NAN, f32::NAN]], &params), []);
        assert_eq!(select(&[BOX], &[[f32::INFINITY, 0.4]], &params), [(0, 1.0, 0.0)]);
        assert_eq!(select(&[BOX], &[[f32::NEG_INFINITY, -1.0]], &params), []);
        assert_eq!(select(&[BOX], &[[0.0, 0.0]], &params), []);
    }

    #[test]
    fn the_threshold_itself_passes() {
        let params = Params {
            threshold: 0.5,
            ..Params::default()
        };
        assert_eq!(select(&[BOX], &[[0.5, 0.2]], &params).len(), 1);
        assert_eq!(select(&[BOX], &[[0.499, 0.2]], &params).len(), 0);
        let params = Params {
            classes: Some(vec![1]),
            ..params
        };
        assert_eq!(select(&[BOX], &[[0.9, 0.6]], &params), [(1, 0.6, 0.0)]);
    }
}
