#![no_main]
tinker_fuzz::decoder!("answer_json");
