//! A stream of a group of frames, in two pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((&cut, data)) = data.split_first() {
        cis_link::fuzz::groups(data, cut.into());
    }
});
