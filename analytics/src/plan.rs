//! Zones and lines of a stream, drawn by people.

use crate::Point;
use crate::geometry::{edges, meet};
use std::sync::Arc;

/// Most corners of a zone.
const MAX_CORNERS: usize = 64;

/// An area: a polygon whose corners are shares of the picture's width and height.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    pub(crate) name: Arc<str>,
    pub(crate) corners: Vec<Point>,
}

/// A line between two points, in shares of the picture's width and height.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub(crate) name: Arc<str>,
    pub(crate) ends: [Point; 2],
}

/// The zones and lines of one stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The zones.
    pub zones: Vec<Zone>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// What is wrong with a zone or a line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlanError {
    /// A corner that is not in the picture.
    Outside([f32; 2]),
    /// So many corners.
    Corners(usize),
    /// These two edges, counted from 0, cross.
    Crossed(usize, usize),
    /// A line whose ends are one point.
    Point([f32; 2]),
}

impl std::error::Error for PlanError {}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Outside([x, y]) => write!(
                f,
                "point [{x}, {y}]; legal: shares of the picture, 0.0..=1.0 each"
            ),
            Self::Corners(n) => write!(f, "{n} points; legal: 3..={MAX_CORNERS}"),
            Self::Crossed(a, b) => write!(
                f,
                "the edges from points {} and {} cross; legal: a polygon whose edges do not",
                a + 1,
                b + 1
            ),
            Self::Point([x, y]) => write!(f, "both ends are [{x}, {y}]; legal: two different points"),
        }
    }
}

impl Zone {
    /// The polygon with these corners, in order; the last is joined to the first.
    ///
    /// # Errors
    /// Corners outside the picture, too few or too many of them, edges that cross.
    pub fn new(name: &str, corners: &[[f32; 2]]) -> Result<Self, PlanError> {
        if !(3..=MAX_CORNERS).contains(&corners.len()) {
            return Err(PlanError::Corners(corners.len()));
        }
        let corners = corners.iter().map(point).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<_> = edges(&corners).collect();
        for (i, &(a, b)) in all.iter().enumerate() {
            // Neighbours share a corner.
            for (j, &(c, d)) in all.iter().enumerate().skip(i + 2) {
                if (i, j) != (0, all.len() - 1) && meet(a, b, c, d) {
                    return Err(PlanError::Crossed(i, j));
                }
            }
        }
        Ok(Self {
            name: name.into(),
            corners,
        })
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl Line {
    /// The line from the first to the second point.
    ///
    /// # Errors
    /// Ends outside the picture, or one point twice.
    pub fn new(name: &str, ends: [[f32; 2]; 2]) -> Result<Self, PlanError> {
        let both = [point(&ends[0])?, point(&ends[1])?];
        if both[0] == both[1] {
            return Err(PlanError::Point(ends[0]));
        }
        Ok(Self {
            name: name.into(),
            ends: both,
        })
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

fn point(&[x, y]: &[f32; 2]) -> Result<Point, PlanError> {
    let legal = 0.0..=1.0;
    match legal.contains(&x) && legal.contains(&y) {
        true => Ok(Point { x, y }),
        false => Err(PlanError::Outside([x, y])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_zone_or_line_is_refused() {
        let zone = |corners: &[[f32; 2]]| Zone::new("z", corners).map(|_| ());
        assert_eq!(zone(&[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]), Ok(()));
        assert_eq!(zone(&[[0.1, 0.1], [0.9, 0.1]]), Err(PlanError::Corners(2)));
        assert_eq!(zone(&[[0.0, 0.0]; 65]), Err(PlanError::Corners(65)));
        assert_eq!(
            zone(&[[0.1, 0.1], [1.5, 0.1], [0.9, 0.9]]),
            Err(PlanError::Outside([1.5, 0.1]))
        );
        assert!(zone(&[[f32::NAN, 0.1], [0.5, 0.1], [0.9, 0.9]]).is_err());
        // A bow tie.
        assert_eq!(
            zone(&[[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]),
            Err(PlanError::Crossed(0, 2))
        );
        assert_eq!(Line::new("l", [[0.5, 0.5]; 2]), Err(PlanError::Point([0.5, 0.5])));
        assert!(Line::new("l", [[0.0, 0.5], [1.0, 0.5]]).is_ok());
    }
}
