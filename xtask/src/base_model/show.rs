//! Prints documents, to read the corpus by eye.
use super::corpus::document;
use super::document::readable;
use fastrand::Rng;
#[expect(clippy::print_stdout, reason = "the output of the command")]
pub(crate) fn run(flags: &crate::flags::BaseModel) -> anyhow::Result<()> {
    let mut rng = Rng::with_seed(1);
    for _ in 0..flags.show.unwrap_or(40) {
        println!("{}", readable(document(&mut rng).tokens()));
    }
    Ok(())
}
