//! The logistic domain: `stretch(p) = ln(p / (1 - p))` in Q8 and its inverse, as integer tables made at compile time.

/// Largest magnitude of a stretched probability: 11.5 in Q8.
pub const STRETCH_MAX: i32 = 2943;

const ONE_Q60: u128 = 1 << 60;
/// `exp(-1/256)` in Q60.
const DECAY_Q60: u128 = 1_148_426_689_630_428_643;

/// Probabilities in 1/65536 for stretched values 0..=STRETCH_MAX; the other half is its mirror.
const SQUASH: [u16; STRETCH_MAX as usize + 1] = {
    let mut table = [0; STRETCH_MAX as usize + 1];
    let mut exp = ONE_Q60;
    let mut index = 0;
    while index < table.len() {
        // 65536 / (1 + e^-x), rounded down and kept off certainty.
        let value = (ONE_Q60 << 16) / (ONE_Q60 + exp);
        table[index] = if value > 65_535 { 65_535 } else { value as u16 };
        exp = (exp * DECAY_Q60) >> 60;
        index += 1;
    }
    table
};

/// Stretched values at the middle of each of 4096 equal cells of probability.
const STRETCH: [i16; 4096] = {
    let mut table = [0; 4096];
    let mut cell = 2048;
    let mut x = 0;
    while cell < 4096 {
        while x < STRETCH_MAX && (SQUASH[x as usize] as usize) < cell * 16 + 8 {
            x += 1;
        }
        table[cell] = x as i16;
        table[4095 - cell] = -(x as i16);
        cell += 1;
    }
    table
};

/// Probability in 1/65536, within 1..=65535, of a stretched value.
#[inline(always)]
pub fn squash(x: i32) -> u32 {
    let p = u32::from(SQUASH[x.unsigned_abs().min(STRETCH_MAX as u32) as usize]);
    if x < 0 { 65_536 - p } else { p }
}

/// Stretched value of a probability in 1/65536.
#[inline(always)]
pub fn stretch(p: u16) -> i32 {
    i32::from(STRETCH[usize::from(p >> 4)])
}

/// Bits, in 1/256, of a decision at the middle of each of 4096 equal cells of probability. For the encoder's choices only.
const PRICE: [u16; 4096] = {
    let mut table = [0; 4096];
    let mut cell = 0;
    while cell < 4096 {
        // The logarithm by repeated squaring, with 1 at 2^32.
        let mut x = (cell as u128 * 16 + 8) << 16;
        let mut whole = 0;
        while x < 1 << 32 {
            x <<= 1;
            whole += 256;
        }
        let (mut fraction, mut bit) = (0, 128);
        while bit > 0 {
            x = (x * x) >> 32;
            if x >= 1 << 33 {
                x >>= 1;
                fraction += bit;
            }
            bit >>= 1;
        }
        table[cell] = whole - fraction;
        cell += 1;
    }
    table
};

/// Bits, in 1/256, of a decision that has probability `p` in 1/65536, within 1..=65535.
#[inline(always)]
pub fn price(p: u32) -> u32 {
    PRICE[(p >> 4) as usize & 4095].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_formulas() {
        for x in -STRETCH_MAX..=STRETCH_MAX {
            let exact = 65_536.0 / (1.0 + (-f64::from(x) / 256.0).exp());
            assert!((f64::from(squash(x)) - exact).abs() <= 1.01, "{x}");
            assert!((1..=65_535).contains(&squash(x)));
        }
        for p in (8..65_536).step_by(16) {
            let odds = (f64::from(p) / (65_536.0 - f64::from(p))).ln() * 256.0;
            assert!((f64::from(stretch(p as u16)) - odds).abs() <= 2.0, "{p}");
        }
        for p in (8..65_536).step_by(16) {
            let exact = -(f64::from(p) / 65_536.0).log2() * 256.0;
            assert!((f64::from(price(p)) - exact).abs() <= 1.01, "{p}");
        }
        assert_eq!(squash(i32::MAX), squash(STRETCH_MAX));
        assert_eq!(squash(i32::MIN), squash(-STRETCH_MAX));
    }
}
