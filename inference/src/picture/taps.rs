//! Which source samples make a target sample along one axis, and with what weights: bilinear over the whole area of a
//! target sample, as Pillow's BILINEAR, so that nothing aliases when reducing.

/// The samples that one target sample is made of: `weights.len()` of them from `start` on.
pub(super) struct Taps {
    pub start: usize,
    pub weights: Vec<u16>,
}

/// Taps of `to` target samples that cover the first `used` of `from` source samples; the weights of each add up to `total`.
pub(super) fn triangle(from: u32, used: f64, to: u32, total: u16) -> impl Iterator<Item = Taps> {
    let step = used / f64::from(to);
    let support = step.max(1.0);
    (0..to).map(move |index| {
        let centre = (f64::from(index) + 0.5) * step;
        let first = (centre - support).floor().max(0.0) as usize;
        let end = ((centre + support).ceil() as usize).min(from as usize);
        let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / support).abs()).max(0.0);
        let weights: Vec<f64> = (first..end.max(first + 1)).map(weight).collect();
        trimmed(first, &quantised(&weights, total))
    })
}

/// Integers in the proportion of `weights` that add up to `total`; the largest takes what rounding leaves.
fn quantised(weights: &[f64], total: u16) -> Vec<u16> {
    let sum: f64 = weights.iter().sum();
    let share = |w: f64| (w / sum * f64::from(total)).round() as u16;
    let mut shares: Vec<u16> = weights.iter().map(|&w| share(w)).collect();
    let made: i64 = shares.iter().map(|&s| i64::from(s)).sum();
    if let Some(largest) = shares.iter_mut().max() {
        let exact = i64::from(*largest) + i64::from(total) - made;
        *largest = u16::try_from(exact).unwrap_or(total);
    }
    shares
}

fn trimmed(first: usize, weights: &[u16]) -> Taps {
    let skipped = weights.iter().take_while(|&&w| w == 0).count();
    let end = weights.iter().rposition(|&w| w != 0).map_or(skipped, |at| at + 1);
    Taps {
        start: first + skipped,
        weights: weights.get(skipped..end).unwrap_or_default().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_stay_inside() {
        for (from, used, to) in [
            (1280, 1280.0, 832),
            (33, 32.5, 49),
            (8192, 8192.0, 64),
            (64, 64.0, 64),
            (1, 1.0, 3),
        ] {
            for taps in triangle(from, used, to, u16::MAX) {
                let sum: u32 = taps.weights.iter().map(|&w| u32::from(w)).sum();
                assert_eq!(sum, u32::from(u16::MAX), "{from} -> {to}");
                assert!(!taps.weights.is_empty() && taps.start + taps.weights.len() <= from as usize);
            }
        }
    }

    #[test]
    fn halving_is_the_filter_of_four_samples() {
        let taps: Vec<Taps> = triangle(8, 8.0, 4, 1 << 14).collect();
        let inner: Vec<(usize, &[u16])> = taps.iter().map(|t| (t.start, t.weights.as_slice())).collect();
        let expected: &[u16] = &[2048, 6144, 6144, 2048];
        assert_eq!(inner[1], (1, expected));
        assert_eq!(inner[2], (3, expected));
    }
}
