#![no_main]
tinker_fuzz::decoder!("engine_request");
