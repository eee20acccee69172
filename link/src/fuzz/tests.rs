//! The loop that feeds the targets in every run of the tests; `fuzz/` does the same led by coverage.
//!
//! `CIS_MUTATIONS=1000000 cargo test --release -p cis-link fuzz` goes on for minutes; seeds are fixed. Whatever was found stays as a regression below.

use bytes::Bytes;

use super::{control, groups as units};
use crate::listener::fuzz_journal;
use crate::spool::fuzz_segment;
use crate::wire::{group, message, varint};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    /// Numbers at the edges of their types far more often than chance would have it.
    fn number(&mut self) -> u64 {
        let edges = [
            0,
            1,
            63,
            64,
            255,
            16_383,
            16_384,
            u64::from(u32::MAX),
            varint::MAX,
            u64::MAX,
        ];
        match self.below(3) {
            0 => edges[self.below(edges.len())].wrapping_sub(self.next() % 3),
            1 => self.next() % 300,
            _ => self.next(),
        }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(5) {
            let at = self.below(bytes.len());
            match self.below(6) {
                _ if bytes.is_empty() => bytes.push(0xC5),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.next() as u8,
                2 => bytes[at] = [0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0, 0xFF][self.below(9)],
                3 => bytes.truncate(at),
                4 => bytes.insert(at, self.next() as u8),
                _ => {
                    let end = (at + 1 + self.below(9)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
    }
}

fn rounds() -> u64 {
    std::env::var("CIS_MUTATIONS").map_or(3000, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Runs a target over what `make` invents; some of it has to be understood, or the target tests nothing.
fn run(seed: u64, rounds: u64, mut target: impl FnMut(&mut Random) -> bool) {
    let mut random = Random(seed);
    let understood = (0..rounds).filter(|_| target(&mut random)).count();
    assert!(rounds < 100 || understood > 0);
    println!("{rounds} rounds, {understood} understood in part");
}

#[test]
fn control_messages() {
    let seeds = message::examples();
    run(0x5EED_0001, rounds(), |random| {
        let mut bytes = Vec::new();
        for _ in 0..1 + random.below(3) {
            bytes.extend(seeds[random.below(seeds.len())].encode());
            if random.below(4) == 0 {
                // A message of numbers, known kind or not.
                let (mut body, kind) = (Vec::new(), random.number() % 12);
                for _ in 0..random.below(6) {
                    varint::put(&mut body, random.number() % varint::MAX);
                }
                varint::put(&mut bytes, kind);
                varint::put(&mut bytes, body.len() as u64);
                bytes.extend(body);
            }
        }
        random.mutate(&mut bytes);
        let cut = random.below(bytes.len() + 1);
        control(&bytes, cut)
    });
}

#[test]
fn groups() {
    run(0x5EED_0002, rounds(), |random| {
        let mut number = || random.number() % varint::MAX;
        let keeping = match number() % 3 {
            0 => group::Keeping::No,
            1 => group::Keeping::Live { serial: number() },
            _ => group::Keeping::Late {
                serial: number(),
                units: number(),
            },
        };
        let mut bytes = group::preamble(group::Begin {
            number: number(),
            keeping,
        })
        .to_vec();
        for _ in 0..random.below(4) {
            let unit = Bytes::from(vec![random.next() as u8; random.below(300)]);
            bytes.extend_from_slice(&group::length(&unit));
            bytes.extend_from_slice(&unit);
        }
        random.mutate(&mut bytes);
        let cut = random.below(bytes.len() + 1);
        units(&bytes, cut)
    });
}

#[test]
fn receipts() {
    run(0x5EED_0003, rounds(), |random| {
        let news: Vec<_> = (0..random.below(20))
            .map(|_| (random.number(), random.number() as u32, random.below(2) == 1))
            .collect();
        let cut = random.next();
        fuzz_journal(&news, |bytes| {
            if cut.is_multiple_of(3) {
                Random(cut | 1).mutate(bytes);
            }
        })
    });
}

#[test]
fn spool_segments() {
    let dir = tempfile::tempdir().expect("a folder");
    // Every round opens, syncs and appends to files.
    run(0x5EED_0004, rounds().div_ceil(25), |random| {
        let records: Vec<_> = (0..random.below(12))
            .map(|_| {
                (
                    random.below(3) == 0,
                    random.number(),
                    random.number() as u32,
                    random.below(64),
                )
            })
            .collect();
        let (spoil, next) = (random.next(), random.number());
        fuzz_segment(dir.path(), next, &records, |bytes| {
            if spoil.is_multiple_of(3) {
                Random(spoil | 1).mutate(bytes);
            }
        })
    });
}

#[test]
fn corpus() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, run) in [
        ("control", control as fn(&[u8], usize) -> bool),
        ("groups", units),
    ] {
        let files = std::fs::read_dir(corpus.join(target)).expect("the corpus");
        let understood = files.filter(|file| {
            let path = file.as_ref().expect("an entry").path();
            let data = std::fs::read(path).expect("a file");
            data.split_first()
                .is_some_and(|(&cut, data)| run(data, cut.into()))
        });
        assert!(understood.count() > 10, "{target}");
    }
}
