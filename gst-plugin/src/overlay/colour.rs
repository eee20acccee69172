//! Which colour a class has, and what a colour is in the components of a video format.

use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

/// Colour of a class: hues a golden angle apart, so that neighbouring numbers differ most.
pub fn of_class(class_id: u32) -> Rgb888 {
    // Fraction of the turn in 1/65536; the wrap is the remainder that is wanted.
    let hue = class_id.wrapping_mul(40_503) & 0xffff;
    let (sextant, part) = ((hue * 6) >> 16, ((hue * 6) & 0xffff) >> 8);
    // Every other class is darker: two hues that come close are still told apart.
    let (low, high) = if class_id & 1 == 0 { (40, 255) } else { (0, 190) };
    let up = (low + (high - low) * part / 255) as u8;
    let down = (high - (high - low) * part / 255) as u8;
    let (low, high) = (low as u8, high as u8);
    match sextant {
        0 => Rgb888::new(high, up, low),
        1 => Rgb888::new(down, high, low),
        2 => Rgb888::new(low, high, up),
        3 => Rgb888::new(low, down, high),
        4 => Rgb888::new(up, low, high),
        _ => Rgb888::new(high, low, down),
    }
}

/// Black or white, whichever is easier to read on `background`.
pub fn of_text(background: Rgb888) -> Rgb888 {
    let (r, g, b) = (
        u32::from(background.r()),
        u32::from(background.g()),
        u32::from(background.b()),
    );
    if 299 * r + 587 * g + 114 * b > 128_000 {
        Rgb888::BLACK
    } else {
        Rgb888::WHITE
    }
}

/// How a format stores a colour: as it is, or as luma and colour differences of a matrix and a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Space {
    /// Red, green, blue and opaque alpha.
    Rgb,
    /// Luma, Cb, Cr.
    Yuv {
        /// Weight of red in luma.
        kr: f64,
        /// Weight of blue in luma.
        kb: f64,
        /// 0..=255 rather than 16..=235 (240).
        full_range: bool,
    },
}

impl Space {
    /// The space of a negotiated format. An unknown matrix counts as BT.601.
    pub fn of(info: &gst_video::VideoInfo) -> Self {
        if info.format_info().is_rgb() {
            return Self::Rgb;
        }
        let colorimetry = info.colorimetry();
        let (kr, kb) = match colorimetry.matrix() {
            gst_video::VideoColorMatrix::Rgb | gst_video::VideoColorMatrix::Unknown => None,
            matrix => matrix.kr_kb().ok(),
        }
        .unwrap_or((0.299, 0.114));
        Self::Yuv {
            kr,
            kb,
            full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255,
        }
    }

    /// The components of `colour`, in the order in which GStreamer numbers them.
    pub fn components(self, colour: Rgb888) -> [u8; 4] {
        let Self::Yuv { kr, kb, full_range } = self else {
            return [colour.r(), colour.g(), colour.b(), 255];
        };
        let [r, g, b] = [colour.r(), colour.g(), colour.b()].map(|c| f64::from(c) / 255.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let cb = (b - y) / (2.0 * (1.0 - kb));
        let cr = (r - y) / (2.0 * (1.0 - kr));
        let (offset, luma, chroma) = if full_range {
            (0.0, 255.0, 255.0)
        } else {
            (16.0, 219.0, 224.0)
        };
        // `as` saturates, which is the clamp that full-range chroma needs at its upper end.
        let [y, cb, cr] =
            [offset + luma * y, 128.0 + chroma * cb, 128.0 + chroma * cr].map(|v| v.round() as u8);
        [y, cb, cr, 255]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn eighty_classes_have_eighty_colours() {
        let colours: BTreeSet<_> = (0..80).map(of_class).map(|c| (c.r(), c.g(), c.b())).collect();
        assert_eq!(colours.len(), 80);
        for class_id in 0..80 {
            let (a, b) = (of_class(class_id), of_class(class_id + 1));
            let far = |a: u8, b: u8| a.abs_diff(b) > 60;
            assert!(
                far(a.r(), b.r()) || far(a.g(), b.g()) || far(a.b(), b.b()),
                "{class_id}: {a:?} {b:?}"
            );
        }
        of_class(u32::MAX);
    }

    #[test]
    fn yuv_agrees_with_the_standards() {
        let limited = |kr, kb| Space::Yuv {
            kr,
            kb,
            full_range: false,
        };
        let bt601 = limited(0.299, 0.114);
        assert_eq!(bt601.components(Rgb888::WHITE), [235, 128, 128, 255]);
        assert_eq!(bt601.components(Rgb888::BLACK), [16, 128, 128, 255]);
        assert_eq!(bt601.components(Rgb888::RED), [81, 90, 240, 255]);
        assert_eq!(
            limited(0.2126, 0.0722).components(Rgb888::RED),
            [63, 102, 240, 255]
        );
        let full = Space::Yuv {
            kr: 0.299,
            kb: 0.114,
            full_range: true,
        };
        assert_eq!(full.components(Rgb888::BLUE), [29, 255, 107, 255]);
    }
}
