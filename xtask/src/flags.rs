//! The command line.

use std::path::PathBuf;

xflags::xflags! {
    /// Development tasks of this workspace.
    cmd xtask {
        /// Run every check that a change must pass.
        cmd ci {
            /// Leave out the tests (because they have just run).
            optional --skip-tests
        }
        /// Write the files that are generated from other files.
        cmd codegen {
            /// Write nothing; fail if a file is not what would be written.
            optional --check
        }
        /// Check the invariants of ARCHITECTURE.md.
        cmd check {
            /// Also run the checks that the tree does not pass yet.
            optional --all
        }
        /// Count the lines of code of each library and of the command, without tests, comments and blank lines.
        cmd lines {
            /// The folder of another checkout.
            optional --root path: PathBuf
        }
        /// Train and sample under faults, and show what it came to beside the same run without any.
        cmd fault-run {
            /// Wait as long as a program would: half an hour. Without it only the work takes time.
            optional --real-time
            /// Instead, measure what a neighbour that the server holds back costs another client.
            optional --tenants
        }
        /// Run the official Python client against `tinker serve`.
        cmd conformance {
            /// A Python with torch, for the rows that need it; they are skipped otherwise.
            optional --python path: PathBuf
        }
        /// Make the goldens the engine's tests compare with, by PyTorch, transformers and peft.
        cmd golden {
            /// Keep the goldens; fail if they are not what would be made.
            optional --check
            /// A Python with torch, transformers and peft (default target/golden/bin/python).
            optional --python path: PathBuf
        }
        /// Let many clients work on one server at once, and compare with the same work one after another.
        cmd load {
            /// Clients (default 64).
            optional --clients clients: usize
            /// Those of them that train an adapter each (default 8).
            optional --trainers trainers: usize
            /// Seconds for which they go on (default 120).
            optional --seconds seconds: u64
        }
        /// Kill an engine at random moments while it writes checkpoints, and load what it had acknowledged.
        cmd kill {
            /// Times (default 200).
            optional --times times: usize
        }
        /// Run the fuzz targets of `fuzz/`. Needs cargo-fuzz.
        cmd fuzz {
            /// Inputs for each target (default 700000, a tenth of it for those that run an engine or a client).
            optional --runs runs: u64
            /// This target only.
            optional --target target: String
        }
        /// Pretrain the built-in base model on generated text and write its weights.
        cmd base-model {
            /// Train for this many minutes of wall clock (default 25).
            optional --minutes minutes: f64
            /// Train on this many tokens instead.
            optional --tokens tokens: u64
            /// Compute threads (default: all cores).
            optional --threads threads: usize
            /// Where the weights go (default tinker-engine/assets/base.safetensors).
            optional --out path: PathBuf
            /// Where a checkpoint is kept while training (default target/base-model.safetensors).
            optional --checkpoint path: PathBuf
            /// Go on from a checkpoint.
            optional --resume path: PathBuf
            /// Print this many documents of the corpus and stop.
            optional --show documents: usize
        }
        /// Measure how fast things are.
        cmd bench {
            /// The engine beside PyTorch, and how both scale; writes docs/engine.md.
            cmd engine {
                /// A Python that has torch and numpy; without one the engine is measured alone.
                optional --python path: PathBuf
                /// Rounds of the comparison, which takes about a minute each (default 3).
                optional --rounds rounds: usize
                /// Compute threads on both sides (default: all cores).
                optional --threads threads: usize
                /// Print only.
                optional --dry-run
            }
        }
        /// Write a Hugging Face folder with random weights, to test and to measure with.
        cmd random-model {
            /// The folder.
            required out: PathBuf
            /// Shape: qwen3, qwen2 or llama (tiny ones), or qwen3-0.5b (default qwen3).
            optional --shape shape: String
            /// How the weights are stored: f32, f16 or bf16 (default bf16).
            optional --dtype dtype: String
            /// Number of files (default 1).
            optional --shards shards: usize
            /// Seed of the weights (default 0).
            optional --seed seed: u64
        }
        /// Write the example data under examples/data.
        cmd example-data {
            /// Write nothing; fail if a file is not what would be written.
            optional --check
        }
    }
}
