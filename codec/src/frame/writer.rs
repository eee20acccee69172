//! Writing units: the mirror of the reader.

use super::{
    DETECTION, Header,
    peek::{MAGIC, SYNC, crc_len, extra, flag},
    reader::{Chain, checksum},
    varint,
};
use crate::{BundleId, Shape, Size};

/// What the encoder says about one frame.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    /// [`VERSION`](super::VERSION) or [`MOVING`](super::MOVING).
    pub version: u8,
    pub layer: u8,
    pub pts_ns: u64,
    pub capture_utc_ns: u64,
    pub bundle: BundleId,
    pub source: Size,
    pub shape: Shape,
    pub qindex: u8,
}

/// Writes the units of one stream in order. Cloned before a unit that may have to be taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderWriter {
    chain: Option<Chain>,
}

impl HeaderWriter {
    /// Frames a key frame. It never needs what was written before, except to go on counting.
    pub fn key(&mut self, fields: &Fields, payload: &[u8]) -> (Vec<u8>, Header) {
        let number = self
            .chain
            .as_ref()
            .map_or(0, |chain| chain.header.number.wrapping_add(1));
        let mut body = Vec::with_capacity(160 + payload.len());
        let id = fields.bundle.as_str().as_bytes();
        body.push(id.len() as u8);
        body.extend_from_slice(id);
        varint::put(&mut body, number);
        varint::put(&mut body, fields.pts_ns);
        varint::put(&mut body, fields.capture_utc_ns);
        let Fields { source, shape, .. } = fields;
        for side in [source.width, source.height] {
            varint::put(&mut body, u64::from(side));
        }
        for side in [shape.channels, shape.width, shape.height] {
            varint::put(&mut body, u64::from(side));
        }
        body.push(fields.qindex);
        body.extend_from_slice(payload);

        let mut unit = vec![SYNC, fields.version << flag::VERSION_SHIFT | flag::KEY];
        unit.extend_from_slice(&MAGIC);
        unit.push(fields.layer);
        let header = Header {
            version: fields.version,
            layer: fields.layer,
            number,
            pts_ns: fields.pts_ns,
            capture_utc_ns: fields.capture_utc_ns,
            key: true,
            repeat: false,
            late: false,
            bundle: fields.bundle.clone(),
            source: fields.source,
            shape: fields.shape,
            qindex: fields.qindex,
            payload_len: payload.len(),
            unit_len: 0,
        };
        self.finish(unit, &body, 0, header, 0)
    }

    /// Frames an inter frame, or a repeat when there is no payload to be had. Needs a unit before it.
    pub fn inter(&mut self, fields: &Fields, payload: Option<&[u8]>) -> Option<(Vec<u8>, Header)> {
        let before = self.chain.clone()?;
        let mut header = before.header;
        let pts_delta = fields.pts_ns.wrapping_sub(header.pts_ns) as i64;
        let capture_delta = fields.capture_utc_ns.wrapping_sub(header.capture_utc_ns) as i64;
        let pts_residual = pts_delta.wrapping_sub(before.pts_delta);
        let capture_residual = capture_delta.wrapping_sub(pts_delta);

        let (mut flags, mut extras) = (header.version << flag::VERSION_SHIFT, 0);
        let mut body = Vec::with_capacity(32 + payload.map_or(0, <[u8]>::len));
        if pts_residual != 0 {
            flags |= flag::PTS;
            varint::put_signed(&mut body, pts_residual);
        }
        if capture_residual != 0 {
            extras |= extra::CAPTURE;
            varint::put_signed(&mut body, capture_residual);
        }
        if fields.qindex != header.qindex {
            extras |= extra::QINDEX;
            body.push(fields.qindex);
        }
        match payload {
            Some(payload) => body.extend_from_slice(payload),
            None => flags |= flag::REPEAT,
        }
        let mut unit = Vec::with_capacity(body.len() + 8);
        if header.layer != DETECTION {
            extras |= extra::LAYER;
        }
        if extras != 0 {
            flags |= flag::EXTRAS;
            unit.extend([flags >> 1, extras]);
        } else {
            unit.push(flags >> 1);
        }
        if header.layer != DETECTION {
            unit.push(header.layer);
        }
        header.number = header.number.wrapping_add(1);
        header.pts_ns = fields.pts_ns;
        header.capture_utc_ns = fields.capture_utc_ns;
        header.key = false;
        header.repeat = payload.is_none();
        header.qindex = fields.qindex;
        header.payload_len = payload.map_or(0, <[u8]>::len);
        Some(self.finish(unit, &body, before.crc, header, pts_delta))
    }

    fn finish(
        &mut self,
        mut unit: Vec<u8>,
        body: &[u8],
        crc_before: u32,
        mut header: Header,
        pts_delta: i64,
    ) -> (Vec<u8>, Header) {
        let crc_len = crc_len(header.key);
        varint::put(&mut unit, (body.len() + crc_len) as u64);
        unit.extend_from_slice(body);
        let crc = checksum(crc_before, &unit);
        unit.extend_from_slice(&crc.to_le_bytes()[..crc_len]);
        header.unit_len = unit.len();
        self.chain = Some(Chain {
            header: header.clone(),
            pts_delta,
            crc,
        });
        (unit, header)
    }
}
