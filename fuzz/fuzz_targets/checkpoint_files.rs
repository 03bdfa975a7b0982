#![no_main]
tinker_fuzz::decoder!("checkpoint_files");
