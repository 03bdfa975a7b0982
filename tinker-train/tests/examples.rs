//! The examples run.

#[path = "../examples/rewards.rs"]
mod rewards;
#[path = "../examples/supervised.rs"]
mod supervised;
#[path = "../examples/turns.rs"]
mod turns;

#[test]
fn the_supervised_example_runs() {
    supervised::main().unwrap();
}

#[test]
fn the_example_over_several_turns_runs() {
    turns::main().unwrap();
}

#[test]
fn the_example_with_a_reward_runs() {
    rewards::main().unwrap();
}
