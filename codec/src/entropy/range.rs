//! Carry-less binary arithmetic coder with 16-bit probabilities and 32-bit bounds.

/// One end of the arithmetic coder.
pub trait BitCoder {
    /// Whether decisions are written (and so are known) or read.
    const WRITES: bool;

    /// Codes one decision. `one` is the probability of `true` in 1/65536, within 1..=65535. A writer returns `bit`; a
    /// reader ignores `bit` and returns what it has read.
    fn code(&mut self, bit: bool, one: u32) -> bool;
}

fn split(low: u32, high: u32, one: u32) -> u32 {
    low + ((u64::from(high - low) * u64::from(one)) >> 16) as u32
}

/// Writes decisions into bytes.
#[derive(Debug)]
pub struct Writer {
    low: u32,
    high: u32,
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer that appends to `bytes`, which is emptied first.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self {
            low: 0,
            high: u32::MAX,
            bytes,
        }
    }

    /// Ends the code with as few bytes as tell it apart: the reader takes zeros for what lies beyond the end.
    pub fn finish(mut self) -> Vec<u8> {
        for kept in 0..=4u32 {
            let mask = if kept == 0 { 0 } else { u32::MAX << (32 - 8 * kept) };
            let value = match self.low & !mask {
                0 => self.low,
                _ => match (self.low & mask).checked_add(1u32.checked_shl(32 - 8 * kept).unwrap_or(0)) {
                    Some(value) if value > self.low => value,
                    _ => continue,
                },
            };
            if value <= self.high {
                self.bytes
                    .extend_from_slice(&value.to_be_bytes()[..kept as usize]);
                break;
            }
        }
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl BitCoder for Writer {
    const WRITES: bool = true;

    #[inline(always)]
    fn code(&mut self, bit: bool, one: u32) -> bool {
        let middle = split(self.low, self.high, one);
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.bytes.push((self.high >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 0xFF;
        }
        bit
    }
}

/// Reads decisions from bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    low: u32,
    high: u32,
    value: u32,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of what a [`Writer`] wrote.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self {
            low: 0,
            high: u32::MAX,
            value: 0,
            bytes,
        };
        for _ in 0..4 {
            reader.value = reader.value << 8 | reader.next();
        }
        reader
    }

    /// Whether every byte has been used; a payload with bytes to spare is not what a writer makes.
    pub fn is_exhausted(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline(always)]
    fn next(&mut self) -> u32 {
        match self.bytes.split_first() {
            Some((&first, rest)) => {
                self.bytes = rest;
                u32::from(first)
            }
            None => 0,
        }
    }
}

impl BitCoder for Reader<'_> {
    const WRITES: bool = false;

    #[inline(always)]
    fn code(&mut self, _bit: bool, one: u32) -> bool {
        let middle = split(self.low, self.high, one);
        let bit = self.value <= middle;
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 0xFF;
            self.value = self.value << 8 | self.next();
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decisions_come_back(decisions in proptest::collection::vec((any::<bool>(), 1u32..65536), 0..600)) {
            let mut writer = Writer::new(Vec::new());
            for &(bit, one) in &decisions {
                prop_assert_eq!(writer.code(bit, one), bit);
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for &(bit, one) in &decisions {
                prop_assert_eq!(reader.code(!bit, one), bit);
            }
            prop_assert!(reader.is_exhausted());
        }
    }

    #[test]
    fn certain_decisions_cost_nothing() {
        let mut writer = Writer::new(Vec::new());
        (0..1000).for_each(|_| {
            writer.code(true, 65_535);
        });
        assert!(writer.finish().len() <= 1);
    }
}
