//! A `.cis` file as `cisparse` cuts it up.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gstcis::fuzz_file(data);
});
