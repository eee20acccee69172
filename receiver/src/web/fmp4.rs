//! Cuts the byte stream of `mp4mux` into the parts that a browser's `SourceBuffer` takes: one initialisation, then fragments.

use bytes::{Bytes, BytesMut};

/// The longest part; a picture of H.264 is far shorter.
const MAX_BYTES: usize = 16 << 20;
/// Coded slice of an IDR picture.
const IDR: u8 = 5;

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `ftyp` and `moov`.
    Init(Bytes),
    /// `moof` and `mdat`; `key`: decoding can begin with it.
    Fragment {
        /// Whether it begins with a key frame.
        key: bool,
        /// The bytes.
        data: Bytes,
    },
}

/// Collects bytes until a part is complete.
#[derive(Debug, Default)]
pub struct Splitter {
    waiting: BytesMut,
    /// Where the next box begins.
    at: usize,
}

impl Splitter {
    /// Takes bytes; the parts that they complete. An error: that is no such stream.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Part>, String> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() > MAX_BYTES {
            return Err(format!("a part of more than {MAX_BYTES} bytes"));
        }
        let mut parts = Vec::new();
        while let Some((kind, header, size)) = self.header()? {
            if self.waiting.len() < self.at + size {
                break;
            }
            let body = self.at + header;
            self.at += size;
            match &kind {
                b"moov" => parts.push(Part::Init(self.take())),
                b"mdat" => {
                    let key = self.waiting.get(body..self.at).is_some_and(has_idr);
                    let data = self.take();
                    parts.push(Part::Fragment { key, data });
                }
                b"ftyp" | b"moof" => {}
                // An index, which a live stream has no use for.
                _ => drop(self.take()),
            }
        }
        Ok(parts)
    }

    fn take(&mut self) -> Bytes {
        let at = std::mem::take(&mut self.at);
        self.waiting.split_to(at).freeze()
    }

    /// Type, length of the header and whole length of the next box, as soon as they are there.
    fn header(&self) -> Result<Option<([u8; 4], usize, usize)>, String> {
        let rest = self.waiting.get(self.at..).unwrap_or_default();
        let Some((size, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let (header, size) = match u32::from_be_bytes(*size) {
            1 => match rest.first_chunk::<8>() {
                Some(long) => (
                    16,
                    usize::try_from(u64::from_be_bytes(*long)).unwrap_or(usize::MAX),
                ),
                None => return Ok(None),
            },
            size => (8, size as usize),
        };
        if !(header..=MAX_BYTES).contains(&size) {
            return Err(format!("a box of {size} bytes; legal: {header}..={MAX_BYTES}"));
        }
        Ok(Some((*kind, header, size)))
    }
}

/// Whether length-prefixed H.264 has a slice of a key frame.
fn has_idr(mut data: &[u8]) -> bool {
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        if rest.first().is_some_and(|byte| byte & 0x1f == IDR) {
            return true;
        }
        let length = u32::from_be_bytes(*length) as usize;
        data = rest.get(length..).unwrap_or_default();
    }
    false
}

/// What `MediaSource` wants to know of an initialisation: `avc1.PPCCLL`.
pub fn codec(init: &[u8]) -> Option<String> {
    let at = init.windows(4).position(|four| four == b"avcC")?;
    let [profile, constraints, level] = *init.get(at + 5..)?.first_chunk::<3>()?;
    Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn parts_come_however_the_bytes_are_cut() {
        let init = [
            atom(b"ftyp", b"iso5"),
            atom(b"moov", b"...avcC\x01\x42\xc0\x1e..."),
        ]
        .concat();
        let key = [
            atom(b"moof", b"one"),
            atom(b"mdat", &[0, 0, 0, 2, 0x67, 9, 0, 0, 0, 2, 0x65, 1]),
        ]
        .concat();
        let delta = [atom(b"moof", b"two"), atom(b"mdat", &[0, 0, 0, 2, 0x41, 1])].concat();
        let stream = [init.clone(), key.clone(), atom(b"mfra", b"index"), delta.clone()].concat();
        let expected = [
            Part::Init(init.into()),
            Part::Fragment {
                key: true,
                data: key.into(),
            },
            Part::Fragment {
                key: false,
                data: delta.into(),
            },
        ];
        for size in 1..stream.len() {
            let mut splitter = Splitter::default();
            let parts: Vec<_> = stream
                .chunks(size)
                .flat_map(|bytes| splitter.push(bytes).unwrap())
                .collect();
            assert_eq!(parts, expected, "cut every {size} bytes");
        }
        let Part::Init(init) = &expected[0] else { panic!() };
        assert_eq!(codec(init).as_deref(), Some("avc1.42c01e"));
    }

    #[test]
    fn nonsense_is_an_error_and_takes_no_memory() {
        assert!(Splitter::default().push(b"\0\0\0\x07moof").is_err());
        assert!(Splitter::default().push(b"\xff\xff\xff\xffmdat").is_err());
        let mut splitter = Splitter::default();
        let lazy = (0..100).find_map(|_| splitter.push(&atom(b"moof", &[0; 1 << 20])).err());
        assert!(lazy.is_some());
        assert!(!has_idr(&[0xff; 9]));
        assert_eq!(codec(b"avcC"), None);
    }
}
