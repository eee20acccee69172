//! Golden streams with bytes changed, units cut, joined, moved and repeated, under right checksums: what a hostile peer could send.
//!
//! `CIS_MUTATIONS=1000000 cargo test --release -p cis-codec --test mutations` goes on for minutes; the seed is fixed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::{fs, path::Path, sync::Arc};

use cis_codec::{Decoder, Latents, Limits, Prior, frame, fuzz};
use common::Random;

/// The units of all golden streams, stream by stream.
fn streams(folder: &Path) -> Vec<Vec<Vec<u8>>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cis"))
        .collect();
    paths.sort();
    let units = |path| {
        let stream = fs::read(path).unwrap();
        let (mut rest, mut units) = (&stream[..], Vec::new());
        while !rest.is_empty() {
            let (unit, tail) = rest.split_at(frame::peek(rest, &Limits::default()).unwrap().unit_len);
            units.push(unit.to_vec());
            rest = tail;
        }
        units
    };
    paths.iter().map(units).collect()
}

fn below(random: &mut Random, end: usize) -> usize {
    (random.unit() * end as f32) as usize % end.max(1)
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + below(random, 4) {
        let at = below(random, bytes.len());
        match below(random, 6) {
            _ if bytes.is_empty() => bytes.push(0xC5),
            0 => bytes[at] ^= 1 << below(random, 8),
            1 => bytes[at] = below(random, 256) as u8,
            2 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][below(random, 5)],
            3 => bytes.truncate(at),
            4 => bytes.insert(at, below(random, 256) as u8),
            _ => {
                let end = (at + 1 + below(random, 9)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = below(random, bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

/// CRC-32C, bit by bit, going on from that of what came before.
fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ (0x82F6_3B78 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

/// Gives a unit the length and the checksum that it would have to have, where it is whole enough for them.
fn repair(unit: &mut [u8], before: u32) -> u32 {
    let key = unit.first().is_some_and(|first| first & 0x80 != 0);
    let extras = unit.first().is_some_and(|flags| flags & 8 != 0);
    let layered = extras && unit.get(1).is_some_and(|extras| extras & 4 != 0);
    let at = if key {
        6
    } else {
        1 + usize::from(extras) + usize::from(layered)
    };
    if let Some(rest) = unit.len().checked_sub(at + 1)
        && (rest < 0x80 || (rest >= 0x81 && rest - 1 < 0x4000))
    {
        // The length takes the place of the one or two bytes that were there.
        if rest < 0x80 {
            unit[at] = rest as u8;
        } else {
            (unit[at], unit[at + 1]) = ((rest - 1) as u8 | 0x80, ((rest - 1) >> 7) as u8);
        }
    }
    let Some(covered) = unit
        .len()
        .checked_sub(if key { 4 } else { 2 })
        .filter(|&covered| covered >= 2)
    else {
        return before;
    };
    let mut clean = unit[..covered].to_vec();
    if key {
        clean[1] &= !2;
    } else {
        clean[0] &= !1;
    }
    let crc = crc32c(if key { 0 } else { before }, &clean);
    let stored = unit.len() - covered;
    unit[covered..].copy_from_slice(&crc.to_le_bytes()[..stored]);
    crc
}

#[test]
fn mutated_streams_end_in_latents_in_range_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v2");
    let rounds = std::env::var("CIS_MUTATIONS").map_or(400, |rounds| rounds.parse().unwrap());
    let streams = streams(&folder);
    assert_eq!(streams.len(), 10);
    let warm = fs::read(folder.join("prior.bin")).unwrap();
    let priors = [&[][..], &warm].map(|bytes| Arc::new(Prior::from_bytes(bytes).unwrap()));
    let mut random = Random(0x5EED);
    let (mut good, mut bad) = (0u64, 0u64);
    for _ in 0..rounds {
        let mut units = streams[below(&mut random, streams.len())].clone();
        for _ in 0..1 + below(&mut random, 3) {
            let at = below(&mut random, units.len());
            match below(&mut random, 8) {
                0 => drop(units.remove(at)),
                1 => units.insert(at, units[at].clone()),
                2 => {
                    let other = &streams[below(&mut random, streams.len())];
                    units[at] = other[below(&mut random, other.len())].clone();
                }
                _ => mutate(&mut random, &mut units[at]),
            }
        }
        let checked = below(&mut random, 8) > 0;
        let prior = priors[below(&mut random, 2)].clone();
        let decoder =
            |layer| Decoder::of_layer(layer, "golden".parse().unwrap(), prior.clone(), fuzz::limits());
        let mut layers = [frame::DETECTION, frame::ENHANCEMENT].map(|layer| (decoder(layer), 0));
        for unit in &mut units {
            let layer = frame::peek(unit, &Limits::default()).map_or(0, |peek| usize::from(peek.layer % 2));
            let (decoder, crc) = &mut layers[layer];
            if checked {
                *crc = repair(unit, *crc);
            }
            match decoder.decode(unit) {
                Ok(frame) => {
                    good += 1;
                    assert_eq!(frame.latents.q.len(), frame.header.shape.len());
                    assert!(frame.latents.q.iter().all(|q| q.abs() <= Latents::MAX));
                }
                Err(error) => {
                    bad += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
        fuzz::stream(&units.concat());
        let mut bytes = warm.clone();
        mutate(&mut random, &mut bytes);
        let covered = bytes.len().saturating_sub(4);
        let crc = crc32c(0, &bytes[..covered]).to_le_bytes();
        bytes[covered..]
            .iter_mut()
            .zip(crc)
            .for_each(|(byte, crc)| *byte = crc);
        fuzz::prior(&bytes);
    }
    assert!(
        rounds == 0 || (good > 0 && bad > 0),
        "{good} frames, {bad} errors"
    );
    println!("{good} frames, {bad} errors");
}
