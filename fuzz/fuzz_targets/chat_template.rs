#![no_main]
tinker_fuzz::decoder!("chat_template");
