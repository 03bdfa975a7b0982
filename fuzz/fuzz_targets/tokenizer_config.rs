#![no_main]
tinker_fuzz::decoder!("tokenizer_config");
