//! Writing the squeezed image for people to look at.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use cis_inference::restore::Picture;

/// Replaces the PNG at `path`: a reader sees the old image or the new one, never half of one.
pub fn write_png(path: &Path, picture: &Picture) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let result = write(&part, picture).and_then(|()| std::fs::rename(&part, path));
    if result.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&part);
    }
    result
}

fn write(path: &Path, picture: &Picture) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(&mut out, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&picture.data)?;
    out.flush()
}
