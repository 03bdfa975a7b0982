#![no_main]
tinker_fuzz::decoder!("data_table");
