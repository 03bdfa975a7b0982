#![no_main]
tinker_fuzz::decoder!("request_json");
