#![no_main]
tinker_fuzz::decoder!("model_tokenizer");
