//! Owns the variable-length integers of RFC 9000, section 16: 1, 2, 4 or 8 bytes, up to 2^62 - 1.

/// Largest value.
pub const MAX: u64 = (1 << 62) - 1;

/// Appends a value in its shortest form; a value over [`MAX`] is written as `MAX`.
pub fn put(out: &mut Vec<u8>, value: u64) {
    let value = value.min(MAX);
    match value {
        0..0x40 => out.push(value as u8),
        0x40..0x4000 => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => out.extend_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// Takes a value off the front of `bytes`; `None`, and nothing taken, if it is not there whole.
pub fn take(bytes: &mut &[u8]) -> Option<u64> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let (value, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    let tail = value.iter().skip(1);
    Some(tail.fold(u64::from(first & 0x3f), |value, &byte| {
        value << 8 | u64::from(byte)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, value) in [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            let mut rest = bytes;
            assert_eq!(take(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(value in 0..=MAX, shift in 0..62u32) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            for cut in 0..bytes.len() {
                prop_assert_eq!(take(&mut &bytes[..cut]), None);
            }
            bytes.push(7);
            let mut rest = &bytes[..];
            prop_assert_eq!(take(&mut rest), Some(value));
            prop_assert_eq!(rest, &[7][..]);
        }
    }
}
