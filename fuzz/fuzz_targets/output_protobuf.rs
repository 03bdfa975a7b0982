#![no_main]
tinker_fuzz::decoder!("output_protobuf");
