//! Fuzz targets of the workspace, one for each decoder in `tinker_tests::decoder`.

/// Runs one decoder under the fuzzer, by its name.
#[macro_export]
macro_rules! decoder {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            tinker_tests::decoder::Target::named($name).expect("a decoder").run(input);
        });
    };
}
