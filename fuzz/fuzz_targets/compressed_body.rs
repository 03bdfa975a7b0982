#![no_main]
tinker_fuzz::decoder!("compressed_body");
