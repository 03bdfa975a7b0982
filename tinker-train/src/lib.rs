#![doc = include_str!("../README.md")]

mod answers;
mod ended;
mod error;
mod event;
mod flight;
mod order;
mod recipe;
mod recovery;
mod row;
mod run;
mod schedule;
mod settings;
mod stop;
mod supervised;
mod trainer;
mod verdict;

pub use answers::{Answers, Score, is_exact};
pub use ended::{EndReason, Ended};
pub use error::{BoxError, Diverged, TrainError};
pub use event::TrainEvent;
pub use order::{Order, steps};
pub use recipe::{Batch, BatchLoss, Custom, Measure, Position, Recipe};
pub use recovery::Recoveries;
pub use row::{StepRow, VARYING};
pub use run::folder::{CONFIG, JOURNAL, METRICS, RunFolder};
pub use run::journal::SavedStep;
pub use schedule::{Schedule, Shape};
pub use settings::{Best, Patience, Settings, checkpoint_name};
pub use stop::StopFlag;
pub use supervised::Supervised;
pub use trainer::{Evaluate, Refusals, Snapshot, Trainer};
