#![no_main]
tinker_fuzz::decoder!("weights_index");
