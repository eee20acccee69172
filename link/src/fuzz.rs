//! Bodies of fuzz targets: any bytes, no panic, bounded memory.

use bytes::Bytes;

use crate::wire::{group, message};

/// Longest unit that a group's reader takes here.
const MAX_UNIT: usize = 4096;

/// Reads a control stream in two pieces; what was understood is written and read again.
pub fn control(bytes: &[u8], cut: usize) -> bool {
    let mut reader = message::Reader::default();
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    let mut understood = false;
    for part in [first, second] {
        reader.push(part);
        loop {
            match reader.take() {
                Ok(Some(message)) => {
                    understood = true;
                    let mut again = message::Reader::default();
                    again.push(&message.encode());
                    assert_eq!(
                        again
                            .take()
                            .unwrap_or_else(|violation| panic!("our own message: {violation}"))
                            .as_ref(),
                        Some(&message)
                    );
                }
                Ok(None) => break,
                Err(violation) => {
                    assert!(!violation.to_string().is_empty());
                    return understood;
                }
            }
        }
    }
    understood
}

/// Reads a stream of a group in two pieces.
pub fn groups(bytes: &[u8], cut: usize) -> bool {
    let mut reader = group::Reader::new(MAX_UNIT);
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    let mut understood = false;
    for part in [first, second] {
        reader.push(Bytes::copy_from_slice(part));
        while let Ok(Some(item)) = reader.take() {
            understood = true;
            if let group::Item::Unit(unit) | group::Item::Enhancement(unit) = item {
                assert!(unit.len() <= MAX_UNIT);
            }
        }
    }
    understood
}

#[cfg(test)]
mod tests;
