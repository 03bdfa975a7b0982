//! What tests and measurements of local models need.

mod random_folder;

pub use random_folder::RandomFolder;
