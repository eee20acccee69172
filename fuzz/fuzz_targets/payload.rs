//! Entropy-coded payloads behind headers and checksums that are right.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cis_codec::fuzz::payload(data);
});
