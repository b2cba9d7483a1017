//! The target `elf` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hz3_fuzz::run("elf", data));
