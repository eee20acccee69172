//! Frame headers and what they hold, as a decoder reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cis_codec::fuzz::stream(data);
    cis_codec::fuzz::prior(data);
});
