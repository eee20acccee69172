//! Which track takes which box: the assignment whose sum of gains is largest.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Gains are whole numbers there: sums of floats depend on their order.
const SCALE: f32 = 1e6;

/// Pairs of rows and columns, each at most once, whose gains have the largest sum. `gain` 0 or less: the two never become a pair.
pub fn pairs(rows: usize, columns: usize, gain: impl Fn(usize, usize) -> f32) -> Vec<(usize, usize)> {
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    let weight = |row, column| (gain(row, column).clamp(0.0, 1.0) * SCALE) as i64;
    // The algorithm wants at least as many columns as rows.
    let turned = rows > columns;
    let (height, width) = if turned { (columns, rows) } else { (rows, columns) };
    let weights = Matrix::from_fn(
        height,
        width,
        |(a, b)| if turned { weight(b, a) } else { weight(a, b) },
    );
    let (_, chosen) = kuhn_munkres(&weights);
    let all = chosen.into_iter().enumerate();
    all.filter(|&(a, b)| weights[(a, b)] > 0)
        .map(|(a, b)| if turned { (b, a) } else { (a, b) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_counts_and_not_the_best_pair() {
        let gains = [[0.9, 0.8], [0.8, 0.1]];
        assert_eq!(pairs(2, 2, |r, c| gains[r][c]), [(0, 1), (1, 0)]);
    }

    #[test]
    fn no_gain_no_pair_whichever_side_is_longer() {
        let gains = [[0.0, 0.5, 0.0], [0.0, -1.0, f32::NAN]];
        assert_eq!(pairs(2, 3, |r, c| gains[r][c]), [(0, 1)]);
        assert_eq!(pairs(3, 2, |r, c| gains[c][r]), [(1, 0)]);
        assert_eq!(pairs(0, 3, |_, _| 1.0), []);
        assert_eq!(pairs(3, 0, |_, _| 1.0), []);
    }

    proptest::proptest! {
        #[test]
        fn never_less_than_any_other_assignment(gains in proptest::collection::vec(0.0f32..1.0, 12)) {
            let gain = |r: usize, c: usize| gains[r * 4 + c];
            let sum: f32 = pairs(3, 4, gain).iter().map(|&(r, c)| gain(r, c)).sum();
            for a in 0..4 {
                for b in (0..4).filter(|&b| b != a) {
                    for c in (0..4).filter(|&c| c != a && c != b) {
                        let other = gain(0, a) + gain(1, b) + gain(2, c);
                        proptest::prop_assert!(sum >= other - 1e-5, "{} < {}", sum, other);
                    }
                }
            }
        }
    }
}
