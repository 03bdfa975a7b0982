#![no_main]
tinker_fuzz::decoder!("sample_protobuf");
