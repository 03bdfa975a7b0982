#![no_main]
tinker_fuzz::decoder!("custom_loss");
