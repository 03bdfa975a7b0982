//! Runs the examples.

use std::error::Error;

#[path = "../examples/errors.rs"]
mod errors;
#[path = "../examples/layers.rs"]
mod layers;
#[path = "../examples/mock_server.rs"]
mod mock_server;
#[path = "../examples/preferences.rs"]
mod preferences;
#[path = "../examples/raw_call.rs"]
mod raw_call;
#[path = "../examples/reinforce.rs"]
mod reinforce;
#[path = "../examples/sync.rs"]
mod sync;
#[path = "../examples/training_loop.rs"]
mod training_loop;
#[path = "../examples/two_tenants.rs"]
mod two_tenants;
#[path = "../examples/web.rs"]
mod web;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn errors_runs() -> Outcome {
    errors::main()
}

#[test]
fn layers_runs() -> Outcome {
    layers::main()
}

#[test]
fn mock_server_runs() -> Outcome {
    mock_server::main()
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
fn reinforce_runs() -> Outcome {
    reinforce::main()
}

#[test]
fn sync_runs() -> Outcome {
    sync::main()
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
