#![no_main]
tinker_fuzz::decoder!("training_request");
