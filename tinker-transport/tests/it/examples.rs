//! Runs the examples.

#[path = "../../examples/auth_layer.rs"]
mod auth_layer;
#[path = "../../examples/caching_layer.rs"]
mod caching_layer;
#[path = "../../examples/metrics_layer.rs"]
mod metrics_layer;
#[path = "../../examples/tower_http_layers.rs"]
mod tower_http_layers;

#[test]
fn all_run() {
    auth_layer::main().unwrap();
    caching_layer::main().unwrap();
    metrics_layer::main().unwrap();
    tower_http_layers::main().unwrap();
}
