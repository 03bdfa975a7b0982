//! Model folders for tests and benchmarks.

mod random_folder;

pub use random_folder::RandomFolder;
