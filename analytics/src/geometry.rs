//! Boxes, points, and where they lie.

/// A point; of a picture in pixels, of a [`Plan`](crate::Plan) in shares of its width and height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
}

impl Point {
    /// The point of a picture of that size.
    pub(crate) fn scaled(self, (width, height): (f32, f32)) -> Self {
        Self {
            x: self.x * width,
            y: self.y * height,
        }
    }
}

/// A box: left, top, width, height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// Where the object stands: the middle of the lower edge.
    pub fn foot(&self) -> Point {
        Point {
            x: self.x + self.w / 2.0,
            y: self.y + self.h,
        }
    }

    /// Whether all four are numbers and there is an inside.
    pub(crate) fn is_proper(&self) -> bool {
        [self.x, self.y, self.w, self.h].iter().all(|v| v.is_finite()) && self.w > 0.0 && self.h > 0.0
    }

    /// Larger by that share of width and height on each side.
    pub(crate) fn grown(&self, share: f32) -> Self {
        let (dx, dy) = (self.w * share, self.h * share);
        Self {
            x: self.x - dx,
            y: self.y - dy,
            w: self.w + 2.0 * dx,
            h: self.h + 2.0 * dy,
        }
    }

    /// Intersection over union, 0..=1.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared =
            |a: f32, a_len: f32, b: f32, b_len: f32| ((a + a_len).min(b + b_len) - a.max(b)).max(0.0);
        let both = shared(self.x, self.w, other.x, other.w) * shared(self.y, self.h, other.y, other.h);
        let either = self.w * self.h + other.w * other.h - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// How far `p` is from the straight line through `a` and `b`: more than 0 to the right of somebody who looks from `a` to `b`.
pub(crate) fn offset(p: Point, a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    (dx * (p.y - a.y) - dy * (p.x - a.x)) / dx.hypot(dy).max(f32::MIN_POSITIVE)
}

/// Whether the way from `p` to `q` meets the line between `a` and `b`.
pub(crate) fn meet(p: Point, q: Point, a: Point, b: Point) -> bool {
    let apart = |s: f32, t: f32| (s <= 0.0) != (t <= 0.0);
    apart(offset(p, a, b), offset(q, a, b)) && apart(offset(a, p, q), offset(b, p, q))
}

/// Whether `p` is inside a polygon (even-odd rule).
pub(crate) fn inside(p: Point, corners: &[Point]) -> bool {
    edges(corners).fold(false, |inside, (a, b)| {
        let crosses = (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x;
        inside != crosses
    })
}

/// How far `p` is from the edge of a polygon.
pub(crate) fn distance(p: Point, corners: &[Point]) -> f32 {
    let to_edge = |(a, b): (Point, Point)| {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
        let t = along.clamp(0.0, 1.0);
        (p.x - a.x - t * dx).hypot(p.y - a.y - t * dy)
    };
    edges(corners).map(to_edge).fold(f32::INFINITY, f32::min)
}

/// The edges of a polygon, the closing one included.
pub(crate) fn edges(corners: &[Point]) -> impl Iterator<Item = (Point, Point)> + '_ {
    let next = corners.iter().cycle().skip(1);
    corners.iter().copied().zip(next.copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, y: f32) -> Point {
        Point { x, y }
    }

    #[test]
    fn right_is_below_for_somebody_who_looks_to_the_right() {
        assert_eq!(offset(at(5.0, 3.0), at(0.0, 0.0), at(10.0, 0.0)), 3.0);
        assert_eq!(offset(at(5.0, -3.0), at(0.0, 0.0), at(10.0, 0.0)), -3.0);
    }

    #[test]
    fn a_way_past_the_end_of_a_line_does_not_meet_it() {
        let (a, b) = (at(0.0, 0.0), at(10.0, 0.0));
        assert!(meet(at(5.0, -1.0), at(5.0, 1.0), a, b));
        assert!(!meet(at(11.0, -1.0), at(11.0, 1.0), a, b));
        assert!(!meet(at(5.0, 1.0), at(5.0, 2.0), a, b));
    }

    #[test]
    fn inside_and_distance_of_a_polygon_that_is_not_convex() {
        // An L: the notch is outside.
        let corners = [(0., 0.), (4., 0.), (4., 2.), (2., 2.), (2., 4.), (0., 4.)].map(|(x, y)| at(x, y));
        assert!(inside(at(1.0, 3.0), &corners));
        assert!(!inside(at(3.0, 3.0), &corners));
        assert_eq!(distance(at(3.0, 3.0), &corners), 1.0);
        assert_eq!(distance(at(6.0, 1.0), &corners), 2.0);
    }

    #[test]
    fn overlap() {
        let rect = |x| Rect {
            x,
            y: 0.0,
            w: 10.0,
            h: 10.0,
        };
        assert_eq!(rect(0.0).iou(&rect(0.0)), 1.0);
        assert_eq!(rect(0.0).iou(&rect(20.0)), 0.0);
        assert_eq!(rect(0.0).iou(&rect(5.0)), 50.0 / 150.0);
        assert_eq!(Rect::default().iou(&Rect::default()), 0.0);
    }
}
