//! Runs the examples.

use std::error::Error;

#[path = "../examples/bulk_sampling.rs"]
mod bulk_sampling;
#[path = "../examples/cancelling.rs"]
mod cancelling;
#[path = "../examples/checkpoints.rs"]
mod checkpoints;
#[path = "../examples/custom_loss.rs"]
mod custom_loss;
#[path = "../examples/errors.rs"]
mod errors;
#[path = "../examples/layers.rs"]
mod layers;
#[path = "../examples/metrics.rs"]
mod metrics;
#[path = "../examples/mock_server.rs"]
mod mock_server;
#[path = "../examples/pipelining.rs"]
mod pipelining;
#[path = "../examples/preferences.rs"]
mod preferences;
#[path = "../examples/raw_call.rs"]
mod raw_call;
#[path = "../examples/recorded_session.rs"]
mod recorded_session;
#[path = "../examples/regularizers.rs"]
mod regularizers;
#[path = "../examples/reinforce.rs"]
mod reinforce;
#[path = "../examples/sync.rs"]
mod sync;
#[path = "../examples/token_stream.rs"]
mod token_stream;
#[path = "../examples/traces.rs"]
mod traces;
#[path = "../examples/training_loop.rs"]
mod training_loop;
#[path = "../examples/two_tenants.rs"]
mod two_tenants;
#[path = "../examples/web.rs"]
mod web;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn bulk_sampling_runs() -> Outcome {
    bulk_sampling::main()
}

#[test]
fn cancelling_runs() -> Outcome {
    cancelling::main()
}

#[test]
fn checkpoints_runs() -> Outcome {
    checkpoints::main()
}

#[test]
fn custom_loss_runs() -> Outcome {
    custom_loss::main()
}

#[test]
fn errors_runs() -> Outcome {
    errors::main()
}

#[test]
fn layers_runs() -> Outcome {
    layers::main()
}

#[test]
fn metrics_runs() -> Outcome {
    metrics::main()
}

#[test]
fn mock_server_runs() -> Outcome {
    mock_server::main()
}

#[test]
fn pipelining_runs() -> Outcome {
    pipelining::main()
}

#[test]
fn preferences_runs() -> Outcome {
    preferences::main()
}

#[test]
fn raw_call_runs() -> Outcome {
    raw_call::main()
}

#[test]
fn recorded_session_runs() -> Outcome {
    recorded_session::main()
}

#[test]
fn regularizers_runs() -> Outcome {
    regularizers::main()
}

#[test]
fn reinforce_runs() -> Outcome {
    reinforce::main()
}

#[test]
fn sync_runs() -> Outcome {
    sync::main()
}

#[test]
fn token_stream_runs() -> Outcome {
    token_stream::main()
}

#[test]
fn traces_runs() -> Outcome {
    traces::main()
}

#[test]
fn training_loop_runs() -> Outcome {
    training_loop::main()
}

#[test]
fn two_tenants_runs() -> Outcome {
    two_tenants::main()
}

#[test]
fn web_runs() -> Outcome {
    web::main()
}
