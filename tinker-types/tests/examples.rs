//! Runs the examples.

#[path = "../examples/prepare.rs"]
mod prepare;

#[test]
fn all_run() {
    prepare::main().unwrap();
}
