#![no_main]
tinker_fuzz::decoder!("tensor_json");
