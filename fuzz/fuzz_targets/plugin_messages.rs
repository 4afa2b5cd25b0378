//! Runs `checks::plugin_messages` under the fuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| partita_fuzz::checks::plugin_messages(data));
