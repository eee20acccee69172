//! Owns the unidirectional streams: a preamble, then units, each after its length.

use bytes::{Buf, Bytes, BytesMut};

use super::{Violation, varint};

/// Types of streams.
mod kind {
    /// A group that the sender forgets.
    pub const PLAIN: u64 = 0x00;
    /// A group that the sender keeps until it is stored.
    pub const KEPT: u64 = 0x01;
    /// A group out of the sender's spool.
    pub const LATE: u64 = 0x02;
}
/// In place of a length: an enhancement unit follows.
const ENHANCEMENT_MARK: u64 = 0;
/// Longest preamble and longest length: four varints, one varint.
const MAX_HEAD: usize = 32;

/// What a stream begins with: which group it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Position of the stream among the sender's, from 0.
    pub number: u64,
    /// How the sender keeps the group.
    pub keeping: Keeping,
}

/// Whether and how a sender keeps a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Not at all.
    No,
    /// Until it is stored; it is sent as it comes into being.
    Live {
        /// Serial of the group in the sender's spool.
        serial: u64,
    },
    /// Until it is stored; it is whole, and comes later than it was made.
    Late {
        /// Serial of the group in the sender's spool.
        serial: u64,
        /// Units of the whole group.
        units: u64,
    },
}

/// What a stream begins with, as bytes.
pub fn preamble(begin: Begin) -> Bytes {
    let mut head = Vec::with_capacity(MAX_HEAD);
    let number = begin.number;
    let fields: &[u64] = match begin.keeping {
        Keeping::No => &[kind::PLAIN, number],
        Keeping::Live { serial } => &[kind::KEPT, number, serial],
        Keeping::Late { serial, units } => &[kind::LATE, number, serial, units],
    };
    fields.iter().for_each(|field| varint::put(&mut head, *field));
    head.into()
}

/// What precedes each unit.
pub fn length(unit: &Bytes) -> Bytes {
    head(&[unit.len() as u64])
}

/// What precedes each enhancement unit: a length that no unit has, and its own.
pub fn enhancement_length(unit: &Bytes) -> Bytes {
    head(&[ENHANCEMENT_MARK, unit.len() as u64])
}

fn head(fields: &[u64]) -> Bytes {
    let mut head = Vec::with_capacity(8);
    fields.iter().for_each(|field| varint::put(&mut head, *field));
    head.into()
}

/// Something that a stream held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The preamble. Comes first, once.
    Begin(Begin),
    /// A unit; the first is a key.
    Unit(Bytes),
    /// A unit of an enhancement layer, which has no place in the group. Comes neither first nor in a late group.
    Enhancement(Bytes),
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Kind,
    Preamble(u64),
    Length { enhancement: bool },
    Unit { len: usize, enhancement: bool },
}

/// Where a unit begins.
const NEXT: Wanted = Wanted::Length { enhancement: false };

/// Cuts the bytes of one stream into units. A unit that came in one piece is handed on without a copy; memory is
/// bought as bytes come, not as lengths promise.
#[derive(Debug)]
pub struct Reader {
    max_unit: usize,
    wanted: Wanted,
    /// Enhancement units may come now.
    may_enhance: bool,
    late: bool,
    chunk: Bytes,
    partial: BytesMut,
}

impl Reader {
    /// For units of at most `max_unit` bytes.
    pub fn new(max_unit: usize) -> Self {
        Self {
            max_unit,
            wanted: Wanted::Kind,
            may_enhance: false,
            late: false,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
        }
    }

    /// Adds what came. Everything whole must have been taken before.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::from(&self.chunk[..]);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
    }

    /// The next whole item. `None`: more must come first. After an error the stream makes no sense.
    pub fn take(&mut self) -> Result<Option<Item>, Violation> {
        loop {
            match self.wanted {
                Wanted::Kind => {
                    let Some([kind]) = self.head::<1>() else {
                        return Ok(None);
                    };
                    if kind > kind::LATE {
                        return Err(Violation::new(format!("stream of unknown type {kind:#x}")));
                    }
                    self.wanted = Wanted::Preamble(kind);
                }
                Wanted::Preamble(kind) => {
                    let Some(begin) = self.begin(kind) else {
                        return Ok(None);
                    };
                    self.late = matches!(begin.keeping, Keeping::Late { .. });
                    self.wanted = NEXT;
                    return Ok(Some(Item::Begin(begin)));
                }
                Wanted::Length { enhancement } => {
                    let Some([len]) = self.head::<1>() else {
                        return Ok(None);
                    };
                    match usize::try_from(len) {
                        _ if len == ENHANCEMENT_MARK && !enhancement => {
                            if !self.may_enhance {
                                return Err(Violation::new("an enhancement unit first or in a late group"));
                            }
                            self.wanted = Wanted::Length { enhancement: true };
                        }
                        Ok(len) if (1..=self.max_unit).contains(&len) => {
                            self.wanted = Wanted::Unit { len, enhancement };
                        }
                        _ => {
                            let max = self.max_unit;
                            return Err(Violation::new(format!("unit of {len} bytes: must be 1 to {max}")));
                        }
                    }
                }
                Wanted::Unit { len, enhancement } => {
                    let Some(unit) = self.unit(len) else {
                        return Ok(None);
                    };
                    self.wanted = NEXT;
                    self.may_enhance = !self.late;
                    return Ok(Some(match enhancement {
                        true => Item::Enhancement(unit),
                        false => Item::Unit(unit),
                    }));
                }
            }
        }
    }

    /// Whether the stream may end here: after its preamble, and not inside a unit.
    pub fn at_boundary(&self) -> bool {
        matches!(self.wanted, Wanted::Length { enhancement: false })
            && self.chunk.is_empty()
            && self.partial.is_empty()
    }

    /// The rest of the preamble, once it is all there.
    fn begin(&mut self, kind: u64) -> Option<Begin> {
        Some(match kind {
            kind::PLAIN => {
                let [number] = self.head()?;
                Begin {
                    number,
                    keeping: Keeping::No,
                }
            }
            kind::KEPT => {
                let [number, serial] = self.head()?;
                Begin {
                    number,
                    keeping: Keeping::Live { serial },
                }
            }
            _ => {
                let [number, serial, units] = self.head()?;
                Begin {
                    number,
                    keeping: Keeping::Late { serial, units },
                }
            }
        })
    }

    /// `N` varints, once they are all there.
    fn head<const N: usize>(&mut self) -> Option<[u64; N]> {
        let missing = MAX_HEAD.saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(&self.chunk[..missing.min(self.chunk.len())]);
        let known = self.partial.len();
        let mut rest = &self.partial[..];
        let mut values = [0; N];
        let whole = values
            .iter_mut()
            .all(|value| varint::take(&mut rest).map(|v| *value = v).is_some());
        let added = missing.min(self.chunk.len());
        if !whole {
            self.chunk.advance(added);
            return None;
        }
        let used = known - rest.len();
        let before = known - added;
        self.chunk.advance(used - before);
        self.partial.clear();
        Some(values)
    }

    fn unit(&mut self, len: usize) -> Option<Bytes> {
        if self.partial.is_empty() && self.chunk.len() >= len {
            return Some(self.chunk.split_to(len));
        }
        let take = (len - self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(take));
        (self.partial.len() == len).then(|| self.partial.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 1000;

    fn plain(number: u64) -> Begin {
        Begin {
            number,
            keeping: Keeping::No,
        }
    }

    fn stream(begin: Begin, units: &[Vec<u8>]) -> Vec<u8> {
        let units: Vec<_> = units.iter().map(|unit| (unit.clone(), false)).collect();
        layered(begin, &units)
    }

    /// Units, and whether each is one of an enhancement layer.
    fn layered(begin: Begin, units: &[(Vec<u8>, bool)]) -> Vec<u8> {
        let mut bytes = preamble(begin).to_vec();
        for (unit, enhancement) in units {
            let unit = Bytes::copy_from_slice(unit);
            bytes.extend_from_slice(&match enhancement {
                true => enhancement_length(&unit),
                false => length(&unit),
            });
            bytes.extend_from_slice(&unit);
        }
        bytes
    }

    fn read(bytes: &[u8], size: usize) -> (Vec<Item>, bool) {
        let mut reader = Reader::new(MAX);
        let mut items = Vec::new();
        for chunk in bytes.chunks(size) {
            reader.push(Bytes::copy_from_slice(chunk));
            while let Some(item) = reader.take().unwrap() {
                items.push(item);
            }
        }
        (items, reader.at_boundary())
    }

    proptest! {
        #[test]
        fn units_are_read_as_they_were_written_however_they_are_cut(
            number in 0..=varint::MAX,
            serial in 0..=varint::MAX,
            kind in 0..3u8,
            units in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..200), any::<bool>()), 0..8),
            size in 1..400usize,
        ) {
            let mut units = units;
            for (n, unit) in units.iter_mut().enumerate() {
                unit.1 &= n > 0 && kind != 2;
            }
            let keeping = match kind {
                0 => Keeping::No,
                1 => Keeping::Live { serial },
                _ => Keeping::Late { serial, units: units.len() as u64 },
            };
            let begin = Begin { number, keeping };
            let bytes = layered(begin, &units);
            let (items, whole) = read(&bytes, size);
            let expected = std::iter::once(Item::Begin(begin))
                .chain(units.iter().map(|(unit, enhancement)| {
                    let unit = Bytes::copy_from_slice(unit);
                    if *enhancement { Item::Enhancement(unit) } else { Item::Unit(unit) }
                }));
            prop_assert_eq!(items, expected.collect::<Vec<_>>());
            prop_assert!(whole);
            let (_, whole) = read(&bytes[..bytes.len() - 1], size);
            prop_assert!(!whole);
        }

        #[test]
        fn random_bytes_do_no_harm(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut reader = Reader::new(MAX);
            'stream: for chunk in chunks {
                reader.push(chunk.into());
                loop {
                    match reader.take() {
                        Ok(Some(Item::Unit(unit) | Item::Enhancement(unit))) => prop_assert!((1..=MAX).contains(&unit.len())),
                        Ok(Some(Item::Begin(_))) => {}
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                }
            }
        }
    }

    #[test]
    fn a_unit_in_one_piece_is_not_copied() {
        let chunk = Bytes::from(stream(plain(0), &[vec![1; 50]]));
        let at = chunk.as_ptr_range().end;
        let mut reader = Reader::new(MAX);
        reader.push(chunk);
        assert_eq!(reader.take().unwrap(), Some(Item::Begin(plain(0))));
        let Some(Item::Unit(unit)) = reader.take().unwrap() else {
            panic!()
        };
        assert_eq!(unit.as_ptr_range().end, at);
    }

    #[test]
    fn an_enhancement_unit_comes_neither_first_nor_late_nor_without_length() {
        let late = Begin {
            number: 0,
            keeping: Keeping::Late { serial: 1, units: 2 },
        };
        for (begin, units) in [
            (plain(0), vec![(vec![1], true)]),
            (late, vec![(vec![1], false), (vec![2], true)]),
        ] {
            let mut reader = Reader::new(MAX);
            reader.push(layered(begin, &units).into());
            let error = loop {
                match reader.take() {
                    Ok(Some(Item::Enhancement(_)) | None) => panic!("accepted"),
                    Ok(Some(_)) => {}
                    Err(error) => break error,
                }
            };
            assert!(error.0.contains("enhancement"), "{error}");
        }
        let mut reader = Reader::new(MAX);
        let mut bytes = stream(plain(0), &[vec![1]]);
        bytes.extend([0, 0]);
        reader.push(bytes.into());
        assert!(matches!(reader.take(), Ok(Some(Item::Begin(_)))));
        assert!(matches!(reader.take(), Ok(Some(Item::Unit(_)))));
        assert!(reader.take().is_err());
    }

    #[test]
    fn lengths_out_of_range_and_unknown_types_are_refused() {
        let with_length = |len: u64| {
            let mut bytes = preamble(plain(3)).to_vec();
            varint::put(&mut bytes, len);
            bytes
        };
        for bytes in [with_length(MAX as u64 + 1), with_length(varint::MAX), vec![9, 0]] {
            let mut reader = Reader::new(MAX);
            reader.push(bytes.into());
            let error = loop {
                match reader.take() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("accepted"),
                    Err(error) => break error,
                }
            };
            assert!(
                error.0.contains("unit of") || error.0.contains("type 0x9"),
                "{error}"
            );
        }
    }
}
