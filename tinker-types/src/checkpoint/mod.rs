//! Checkpoints: their addresses, saving and loading, lists and downloads.

mod external;
mod listing;
mod path;
mod search;
mod upload;
mod weights;

pub use external::{SaveWeightsExternal, SavedExternal};
pub use listing::{
    Checkpoint, CheckpointArchiveUrl, CheckpointType, Checkpoints, CopyWeights, DeleteCheckpoint,
    ExternalWeightsUrls, GetCheckpointArchiveUrl, GetExternalWeightsUrls, ListCheckpoints,
    ListRunCheckpoints, PublishCheckpoint, SetCheckpointTtl, UnpublishCheckpoint, WeightsCopied,
};
pub use path::{CheckpointKind, CheckpointPath};
pub use search::{CheckpointCursor, FoundCheckpoints, SearchCheckpoints};
pub use upload::{
    FinishWeightsUpload, StartWeightsUpload, UploadUrl, WeightsUpload, WeightsUploaded,
};
pub use weights::{
    GetWeightsInfo, LoadTarget, LoadWeights, SamplerSaveKind, SaveWeights, SaveWeightsForSampler,
    SavedForSampler, SavedWeights, WeightsInfo, WeightsLoaded,
};
