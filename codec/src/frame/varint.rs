//! LEB128 variable-length integers, in their shortest form only.

/// Appends `value`, seven bits a byte, low bits first.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed value: 0, -1, 1, -2 become 0, 1, 2, 3.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Why no integer could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The bytes end inside the integer.
    Truncated,
    /// More than 64 bits, or not the shortest form.
    Malformed,
}

/// Takes one integer off the front of `data`.
pub fn take(data: &mut &[u8]) -> Result<u64, Failure> {
    let mut value = 0u64;
    for (index, &byte) in data.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7F);
        if index == 9 && bits > 1 {
            return Err(Failure::Malformed);
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(Failure::Malformed);
            }
            *data = &data[index + 1..];
            return Ok(value);
        }
    }
    Err(if data.len() < 10 {
        Failure::Truncated
    } else {
        Failure::Malformed
    })
}

/// Takes one signed integer off the front of `data`.
pub fn take_signed(data: &mut &[u8]) -> Result<i64, Failure> {
    take(data).map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            for cut in 0..bytes.len() {
                assert_eq!(take(&mut &bytes[..cut]), Err(Failure::Truncated));
            }
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Ok(value));
            assert!(rest.is_empty());
            let signed = value as i64;
            bytes.clear();
            put_signed(&mut bytes, signed);
            assert_eq!(take_signed(&mut &bytes[..]), Ok(signed));
        }
    }

    #[test]
    fn overlong_forms_are_refused() {
        assert_eq!(take(&mut &[0x80, 0x00][..]), Err(Failure::Malformed));
        assert_eq!(take(&mut &[0xFF; 11][..]), Err(Failure::Malformed));
        let mut too_big = [0xFF; 10];
        too_big[9] = 2;
        assert_eq!(take(&mut &too_big[..]), Err(Failure::Malformed));
    }
}
