#![no_main]
tinker_fuzz::decoder!("address");
