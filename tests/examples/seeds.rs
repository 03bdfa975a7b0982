//! Writes the seeds of each fuzz target: `seeds FOLDER` makes `FOLDER/TARGET/NUMBER`.

#![expect(clippy::print_stdout, reason = "names for scripts")]

use std::path::PathBuf;

use tinker_tests::decoder::TARGETS;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "fuzz/corpus".to_owned()),
    );
    for target in TARGETS {
        let own = folder.join(target.name);
        std::fs::create_dir_all(&own)?;
        for (number, seed) in target.seeds().into_iter().enumerate() {
            std::fs::write(own.join(format!("seed-{number}")), seed)?;
        }
        println!("{}", target.name);
    }
    Ok(())
}
