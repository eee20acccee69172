//! The transform between blocks of a picture and coefficients, in integers (`transform.bin`).

/// Pixels of a block on each axis.
pub const BLOCK: usize = 16;
/// Red, green, blue.
pub const PLANES: usize = 3;
/// Samples of a block.
const SAMPLES: usize = PLANES * BLOCK * BLOCK;

const MAGIC: &[u8; 8] = b"cistrans";
const VERSION: u8 = 1;
/// Most coefficients of a block.
const MAX_CHANNELS: usize = 256;
/// Largest coefficient that is drawn, in 1/256: that of a block that is white all over is 14080.
const VALUE_MAX: i32 = 14_336;
/// Largest sum of squares of the basis at one sample and of one coefficient's basis, in units of 2^-26: those of an orthonormal basis are 1. What is larger could overflow.
const NORM_MAX: i64 = 67_108_864 + 67_108_864 / 64;

/// An orthonormal basis of blocks: rows of numbers in 1/8192, one row a coefficient, plane by plane and row by row of the block.
#[derive(Clone, Debug)]
pub struct Transform {
    channels: usize,
    basis: Vec<i16>,
    /// The same by samples: one row a sample.
    by_sample: Vec<i16>,
}

/// Why bytes are no transform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not those of a transform.
    #[error("not a transform: it does not start with \"cistrans\"")]
    NotATransform,
    /// Made for another version of the bitstream.
    #[error("transform version {found} is not supported, only {VERSION} is")]
    UnsupportedVersion {
        /// Version of the transform.
        found: u8,
    },
    /// A number that no transform has.
    #[error("{what} of the transform is {found}, legal are {legal}")]
    OutOfRange {
        /// What is wrong.
        what: &'static str,
        /// The value found.
        found: i64,
        /// What is legal.
        legal: String,
    },
}

impl Transform {
    /// Reads `transform.bin`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let range = |what, found: usize, legal: String| Error::OutOfRange {
            what,
            found: found as i64,
            legal,
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or(Error::NotATransform)?;
        let (&found, _) = rest.split_first().ok_or(Error::NotATransform)?;
        if found != VERSION {
            return Err(Error::UnsupportedVersion { found });
        }
        let rest = rest.get(1..).unwrap_or_default();
        let (&channels, rest) = rest.split_first_chunk::<2>().ok_or(Error::NotATransform)?;
        let channels = usize::from(u16::from_le_bytes(channels));
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(range(
                "number of coefficients",
                channels,
                format!("1 to {MAX_CHANNELS}"),
            ));
        }
        let expected = 2 * channels * SAMPLES;
        if rest.len() != expected {
            return Err(range(
                "length of the basis in bytes",
                rest.len(),
                expected.to_string(),
            ));
        }
        let basis = rest
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        Self::new(channels, basis.collect())
    }

    /// The content of `transform.bin`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        // At most MAX_CHANNELS.
        out.extend_from_slice(&(self.channels as u16).to_le_bytes());
        out.extend(self.basis.iter().flat_map(|value| value.to_le_bytes()));
        out
    }

    /// The Walsh transform, with planes of other signs: for tests.
    pub(crate) fn walsh(channels: usize) -> Self {
        // 768 such squares are a row's norm.
        const LEVEL: i16 = 295;
        let sign = |channel: usize, sample: usize| {
            let (plane, at) = (sample / (BLOCK * BLOCK), sample % (BLOCK * BLOCK));
            let odd = (channel & at).count_ones() % 2 == 1;
            odd != (plane == 1 && channel % 2 == 1)
        };
        let channels = channels.clamp(1, MAX_CHANNELS);
        let basis = (0..channels * SAMPLES).map(|at| match sign(at / SAMPLES, at % SAMPLES) {
            true => -LEVEL,
            false => LEVEL,
        });
        let basis: Vec<i16> = basis.collect();
        Self::new(channels, basis).unwrap_or_else(|_| Self {
            channels: 1,
            basis: vec![0; SAMPLES],
            by_sample: vec![0; SAMPLES],
        })
    }

    fn new(channels: usize, basis: Vec<i16>) -> Result<Self, Error> {
        let by_sample: Vec<i16> = (0..SAMPLES)
            .flat_map(|sample| basis.iter().skip(sample).step_by(SAMPLES).copied())
            .collect();
        for (what, rows, len) in [
            ("a coefficient's norm", &basis, SAMPLES),
            ("a sample's norm", &by_sample, channels),
        ] {
            let norms = rows
                .chunks_exact(len)
                .map(|row| row.iter().map(|&v| i64::from(v) * i64::from(v)).sum::<i64>());
            if let Some(found) = norms.max().filter(|&norm| norm > NORM_MAX) {
                let legal = format!("up to {NORM_MAX}");
                return Err(Error::OutOfRange { what, found, legal });
            }
        }
        Ok(Self {
            channels,
            basis,
            by_sample,
        })
    }

    /// Coefficients of a block.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The block of these coefficients, which are in 1/256: plane by plane.
    pub(super) fn draw(&self, values: &[i16], block: &mut [u8; SAMPLES]) {
        for (sample, row) in block.iter_mut().zip(self.by_sample.chunks_exact(self.channels)) {
            // 2^21 is a unit of 64 grey levels: 2^15 is one level, and 128 of them are no light at all.
            let level = (dot(row, values) + (1 << 14)) >> 15;
            *sample = (level + 128).clamp(0, 255) as u8;
        }
    }

    /// The coefficients of a block, in 1/256.
    pub(super) fn look(&self, block: &[i16; SAMPLES], values: &mut Vec<i32>) {
        values.clear();
        // Grey levels are 1/64 of a unit: 13 bits of the basis and 6 of these, 8 of which stay.
        values.extend(
            self.basis
                .chunks_exact(SAMPLES)
                .map(|row| (dot(row, block) + (1 << 10)) >> 11),
        );
    }
}

/// A coefficient in the range that can be drawn.
pub(super) fn drawable(value: i32) -> i16 {
    value.clamp(-VALUE_MAX, VALUE_MAX) as i16
}

/// Sum of products. Norms are bounded, so that no order of adding can overflow.
#[inline]
fn dot(a: &[i16], b: &[i16]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[allow(unsafe_code, reason = "a call to a function for AVX2")]
        // SAFETY: the processor has AVX2.
        return unsafe { dot_avx2(a, b) };
    }
    dot_any(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[i16], b: &[i16]) -> i32 {
    dot_any(a, b)
}

#[inline(always)]
fn dot_any(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}
