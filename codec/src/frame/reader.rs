//! Reading headers: checks a unit and turns its deltas into absolute values.

use super::{
    DETECTION, Error, Header,
    crc::crc32c,
    header,
    peek::{Prefix, crc_len, extra, flag, is_inter, prefix},
    varint,
};
use crate::{BundleId, Limits, Shape, Size, quant};

/// What an inter unit is relative to: the unit before it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub header: Header,
    pub pts_delta: i64,
    pub crc: u32,
}

/// Reads the headers of one layer of a stream in order. After any error but [`Error::OtherLayer`] it waits for a key frame.
#[derive(Clone, Debug)]
pub struct HeaderReader {
    layer: u8,
    limits: Limits,
    chain: Option<Chain>,
}

impl HeaderReader {
    /// A reader of the features for detection that waits for its first key frame.
    pub fn new(limits: Limits) -> Self {
        Self::of_layer(DETECTION, limits)
    }

    /// A reader of `layer` that waits for its first key frame.
    pub fn of_layer(layer: u8, limits: Limits) -> Self {
        Self {
            layer,
            limits,
            chain: None,
        }
    }

    /// Checks one whole unit and returns its header.
    pub fn read(&mut self, unit: &[u8]) -> Result<Header, Error> {
        self.read_with_payload(unit).map(|(header, _)| header)
    }

    /// Forgets everything: the next unit has to be a key frame.
    pub fn reset(&mut self) {
        self.chain = None;
    }

    pub(crate) fn read_with_payload<'a>(&mut self, unit: &'a [u8]) -> Result<(Header, &'a [u8]), Error> {
        let prefix = prefix(unit, &self.limits).inspect_err(|_| self.chain = None)?;
        if prefix.layer != self.layer {
            return Err(Error::OtherLayer {
                found: prefix.layer,
                wanted: self.layer,
            });
        }
        let before = self.chain.take();
        if prefix.unit_len != unit.len() {
            return Err(Error::Length {
                found: unit.len(),
                declared: prefix.unit_len,
            });
        }
        let (chain, payload) = match (prefix.flags & flag::KEY != 0, before) {
            (true, _) => read_key(unit, &prefix, &self.limits)?,
            (false, Some(before)) => read_inter(unit, &prefix, before)?,
            (false, None) => return Err(Error::NoKeyFrame),
        };
        if payload.len() > self.limits.max_payload {
            let (found, limit) = (payload.len() as u64, self.limits.max_payload as u64);
            return Err(Error::Limit {
                what: "payload",
                found,
                limit,
            });
        }
        let header = chain.header.clone();
        self.chain = Some(chain);
        Ok((header, payload))
    }
}

/// Checksum over a unit without its own checksum and without its late bit, going on from the unit before.
pub(super) fn checksum(before: u32, covered: &[u8]) -> u32 {
    let inter = covered.first().is_some_and(|&first| is_inter(first));
    let (at, late) = if inter {
        (0, flag::LATE >> 1)
    } else {
        (1, flag::LATE)
    };
    let (head, rest) = covered.split_at(at.min(covered.len()));
    let Some((flags, rest)) = rest.split_first() else {
        return crc32c(before, head);
    };
    crc32c(crc32c(crc32c(before, head), &[flags & !late]), rest)
}

/// Splits the stored checksum off and computes the whole one that belongs there.
fn verify(unit: &[u8], key: bool, before: u32) -> (&[u8], u32, u32) {
    let (covered, stored) = unit.split_at(unit.len().saturating_sub(crc_len(key)));
    let stored = stored
        .iter()
        .rev()
        .fold(0, |crc, &byte| crc << 8 | u32::from(byte));
    (covered, checksum(before, covered), stored)
}

fn read_key<'a>(unit: &'a [u8], prefix: &Prefix, limits: &Limits) -> Result<(Chain, &'a [u8]), Error> {
    let (covered, computed, stored) = verify(unit, true, 0);
    if computed != stored {
        return Err(Error::Checksum { computed, stored });
    }
    let mut rest = covered.get(prefix.body..).unwrap_or_default();
    let bundle = take_bytes(&mut rest, "bundle")?;
    let bundle = BundleId::from_utf8(bundle)?;
    let mut integer = |field| varint::take(&mut rest).map_err(Error::field(field));
    let number = integer("number")?;
    let pts_ns = integer("pts")?;
    let capture_utc_ns = integer("capture")?;
    let mut bounded = |what, limit: u64| {
        let found = integer(what)?;
        if found == 0 || found > limit {
            Err(Error::Limit { what, found, limit })
        } else {
            Ok(found)
        }
    };
    let side = u64::from(limits.max_side);
    let source = Size {
        width: bounded("width", side)? as u32,
        height: bounded("height", side)? as u32,
    };
    let most = u64::from(u16::MAX);
    let shape = Shape {
        channels: bounded("channels", most)? as u16,
        width: bounded("latent width", most)? as u16,
        height: bounded("latent height", most)? as u16,
    };
    if shape.len() > limits.max_latents {
        let (found, limit) = (shape.len() as u64, limits.max_latents as u64);
        return Err(Error::Limit {
            what: "latents",
            found,
            limit,
        });
    }
    let qindex = take_qindex(&mut rest)?;
    let header = Header {
        version: prefix.flags >> flag::VERSION_SHIFT,
        layer: prefix.layer,
        number,
        pts_ns,
        capture_utc_ns,
        key: true,
        repeat: false,
        late: prefix.flags & flag::LATE != 0,
        bundle,
        source,
        shape,
        qindex,
        payload_len: rest.len(),
        unit_len: unit.len(),
    };
    Ok((
        Chain {
            header,
            pts_delta: 0,
            crc: computed,
        },
        rest,
    ))
}

fn read_inter<'a>(unit: &'a [u8], prefix: &Prefix, before: Chain) -> Result<(Chain, &'a [u8]), Error> {
    let (covered, computed, stored) = verify(unit, false, before.crc);
    if computed & 0xFFFF != stored {
        return Err(Error::Broken {
            last: before.header.number,
        });
    }
    let mut rest = covered.get(prefix.body..).unwrap_or_default();
    let mut residual = |present: bool, field| match present {
        true => varint::take_signed(&mut rest).map_err(Error::field(field)),
        false => Ok(0),
    };
    let pts_delta = before
        .pts_delta
        .wrapping_add(residual(prefix.flags & flag::PTS != 0, "pts")?);
    let capture_delta = pts_delta.wrapping_add(residual(prefix.extras & extra::CAPTURE != 0, "capture")?);
    let mut header = before.header;
    if prefix.flags >> flag::VERSION_SHIFT != header.version {
        return Err(header::Error::Malformed { field: "version" });
    }
    if prefix.extras & extra::QINDEX != 0 {
        header.qindex = take_qindex(&mut rest)?;
    }
    header.repeat = prefix.flags & flag::REPEAT != 0;
    if header.repeat && (!rest.is_empty() || prefix.extras & extra::QINDEX != 0) {
        return Err(header::Error::Malformed { field: "payload" });
    }
    header.number = header.number.wrapping_add(1);
    header.pts_ns = header.pts_ns.wrapping_add_signed(pts_delta);
    header.capture_utc_ns = header.capture_utc_ns.wrapping_add_signed(capture_delta);
    header.key = false;
    header.late = prefix.flags & flag::LATE != 0;
    header.payload_len = rest.len();
    header.unit_len = unit.len();
    Ok((
        Chain {
            header,
            pts_delta,
            crc: computed,
        },
        rest,
    ))
}

fn take_bytes<'a>(rest: &mut &'a [u8], field: &'static str) -> Result<&'a [u8], Error> {
    let malformed = Error::Malformed { field };
    let (&len, tail) = rest.split_first().ok_or(malformed.clone())?;
    let (bytes, tail) = tail.split_at_checked(usize::from(len)).ok_or(malformed)?;
    *rest = tail;
    Ok(bytes)
}

fn take_qindex(rest: &mut &[u8]) -> Result<u8, Error> {
    let (&qindex, tail) = rest.split_first().ok_or(Error::Malformed { field: "qindex" })?;
    *rest = tail;
    if qindex > quant::QINDEX_MAX {
        return Err(Error::Malformed { field: "qindex" });
    }
    Ok(qindex)
}
