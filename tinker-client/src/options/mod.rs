//! What methods can be told besides their main argument.

mod load;
mod sample;
mod save;
mod source;
mod training;

pub use load::LoadOptions;
pub use sample::SampleOptions;
pub use save::SaveOptions;
pub use source::SamplingSource;
pub use training::TrainingOptions;
