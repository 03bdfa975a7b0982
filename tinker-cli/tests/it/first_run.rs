//! The first command of the README, whole, and the picture of its output in `docs/first-run.svg`.
//! `UPDATE_SNAPSHOTS=1` draws it anew.

use std::fmt::Write as _;
use std::path::Path;

use crate::program::Workplace;

/// Size of a character and a line, in pixels.
const WIDTH: f64 = 8.0;
const HEIGHT: f64 = 18.0;

/// Columns that do not depend on the numbers of a run: the texts before and after training stand to the right of them.
const STABLE: usize = 50;

#[test]
fn the_first_run_of_the_readme_is_as_pictured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let work = Workplace::new();
    let data = work.path("examples/data");
    std::fs::create_dir_all(&data).unwrap();
    for name in ["pig-latin.jsonl", "pig-latin-eval.jsonl"] {
        std::fs::copy(root.join("examples/data").join(name), data.join(name)).unwrap();
    }
    let run = work.run(&["train", "examples/data/pig-latin.jsonl"]);
    assert_eq!(run.code, 0, "{}", run.stderr);

    let summary = run
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("exact match 0.00 before → "));
    let after: f64 = summary.unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(after >= 0.95, "{}", run.stdout);

    let shown: Vec<&str> = run
        .stdout
        .lines()
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.trim_start().starts_with("checkpoint"))
        .collect();
    let picture = draw(&shown);
    let path = root.join("docs/first-run.svg");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, picture).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        words(&kept) == words(&picture),
        "docs/first-run.svg no longer shows this; UPDATE_SNAPSHOTS=1 draws it anew:\n{}",
        run.stdout
    );
}

/// The output in a terminal, as SVG.
fn draw(lines: &[&str]) -> String {
    let prompt = "$ cargo run --release -- train examples/data/pig-latin.jsonl";
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap() + 4;
    let (width, height) = (columns as f64 * WIDTH, (lines.len() + 4) as f64 * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#d8dee9\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#20242c\"/>\n"
    );
    for (row, line) in [prompt, ""].iter().chain(lines).enumerate() {
        // The dots of a curve are often of another font, and of another width than the text before them.
        let dots = line.find(|character| ('\u{2800}'..='\u{28ff}').contains(&character));
        let (before, curve) = line.split_at(dots.unwrap_or(line.len()));
        for (text, left) in [(before, 0), (curve, before.chars().count())] {
            if text.trim().is_empty() {
                continue;
            }
            let (x, y) = (16.0 + left as f64 * WIDTH, (row + 2) as f64 * HEIGHT);
            let length = text.chars().count() as f64 * WIDTH;
            let text = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('✓', "<tspan fill=\"#8fc98b\">✓</tspan>")
                .replace('✗', "<tspan fill=\"#d98a84\">✗</tspan>");
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" xml:space=\"preserve\">{text}</text>"
            );
        }
    }
    svg + "</svg>\n"
}

/// The words of each line of a picture that are the same on every processor.
fn words(picture: &str) -> Vec<String> {
    let text = |line: &str| {
        let text = line.rsplit_once("</text>").map_or("", |(text, _)| text);
        let text = text.split_once('>').map_or("", |(_, text)| text);
        let stable = text.chars().take(STABLE);
        stable
            .filter(|character| character.is_alphabetic())
            .collect()
    };
    let words = picture.lines().map(text);
    words.filter(|text: &String| !text.is_empty()).collect()
}
