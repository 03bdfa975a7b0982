//! The decoders by name.

use tinker_engine::decoders as folder;
use tinker_local::decoders as local;

use super::seed::Kind;
use super::{answer, data, engine, message, seed, text};

/// A decoder of arbitrary bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of its fuzz target.
    pub name: &'static str,
    run: fn(&[u8]),
    seeds: Kind,
}

impl Target {
    /// Finds a target by name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Decodes the bytes.
    ///
    /// # Panics
    /// If the decoder panics, which is a defect.
    pub fn run(&self, bytes: &[u8]) {
        (self.run)(bytes);
    }

    /// The seed inputs: recorded exchanges of the official client, and values encoded by this workspace.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        seed::of(self.seeds)
    }
}

const fn target(name: &'static str, run: fn(&[u8]), seeds: Kind) -> Target {
    Target { name, run, seeds }
}

/// All decoders.
pub const TARGETS: &[Target] = &[
    target("request_json", message::request_json, Kind::JsonRequests),
    target(
        "request_protobuf",
        message::request_protobuf,
        Kind::ProtobufRequests,
    ),
    target("answer_json", message::answer_json, Kind::JsonAnswers),
    target("output_protobuf", message::output_protobuf, Kind::Outputs),
    target("sample_protobuf", message::sample_protobuf, Kind::Samples),
    target("tensor_json", message::tensor_json, Kind::Tensors),
    target(
        "training_request",
        local::training_request,
        Kind::ProtobufRequests,
    ),
    target(
        "training_request_json",
        local::training_request_json,
        Kind::JsonRequests,
    ),
    target("sample_request", local::sample_request, Kind::JsonRequests),
    target("custom_loss", local::custom_loss, Kind::Losses),
    target("compressed_body", local::compressed_body, Kind::Compressed),
    target("address", local::address, Kind::Addresses),
    target("checkpoint_files", local::checkpoint_files, Kind::Files),
    target("checkpoint_name", local::checkpoint_name, Kind::Addresses),
    target("model_config", folder::model_config, Kind::Configs),
    target("weights_header", folder::weights_header, Kind::Headers),
    target("weights_index", folder::weights_index, Kind::Indexes),
    target("model_tokenizer", folder::model_tokenizer, Kind::Tokenizers),
    target(
        "generation_config",
        folder::generation_config,
        Kind::Generations,
    ),
    target("checkpoint_path", text::checkpoint_path, Kind::Addresses),
    target("cassette", text::cassette, Kind::Cassettes),
    target("data_lines", data::data_lines, Kind::DataLines),
    target("data_list", data::data_list, Kind::DataLists),
    target("data_table", data::data_table, Kind::DataTables),
    target(
        "data_compressed",
        data::data_compressed,
        Kind::DataCompressed,
    ),
    target("chat_template", text::chat_template, Kind::Templates),
    target(
        "tokenizer_config",
        text::tokenizer_config,
        Kind::TokenizerConfigs,
    ),
    target("client_answer", answer::client_answer, Kind::Answers),
    target("engine_request", engine::engine_request, Kind::Requests),
];
