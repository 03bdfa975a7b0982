//! What methods can be told besides their main argument.

mod copy;
mod download;
mod export;
mod load;
mod sample;
mod save;
mod source;
mod training;

pub use copy::CopyOptions;
pub use download::{DownloadOptions, DownloadProgress};
pub use export::ExportOptions;
pub use load::LoadOptions;
pub use sample::SampleOptions;
pub use save::SaveOptions;
pub use source::SamplingSource;
pub use training::TrainingOptions;
