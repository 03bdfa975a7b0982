#![no_main]
tinker_fuzz::decoder!("generation_config");
