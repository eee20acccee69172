//! A second decoder, written in Python from docs/bitstream.md alone, agrees with the golden streams: the page says all there is to know.

use std::path::Path;
use std::process::Command;

#[test]
fn a_decoder_from_the_page_alone_decodes_the_golden_streams() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for version in ["v2", "v3", "v4"] {
        decode(&tests, version);
    }
}

fn decode(tests: &Path, version: &str) {
    let output = Command::new("python3")
        .arg("-B")
        .arg(tests.join("oracle/decode.py"))
        .arg(tests.join("golden").join(version))
        .output()
        .expect("python3 runs");
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
