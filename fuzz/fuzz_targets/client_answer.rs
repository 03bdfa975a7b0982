#![no_main]
tinker_fuzz::decoder!("client_answer");
