//! Tests of the live view of a run, on a pseudo-terminal.
#![cfg(target_os = "linux")]

use crate::program::{Run, Workplace};

const TRAIN: &str =
    "train data.jsonl --steps 24 --batch-size 8 --rank 4 --eval-every 3 --data-dir data";

fn workplace() -> Workplace {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    work
}

/// Runs a line in a shell on a pseudo-terminal of 100 columns and 40 rows. `script` comes with every Linux.
fn on_terminal(work: &Workplace, line: &str) -> Run {
    let settings = "stty cols 100 rows 40; unset NO_COLOR; export TERM=xterm LANG=C.UTF-8";
    let line = format!("{settings}; stty -g; {line}; echo code $?; stty -g");
    work.write("line.sh", &line);
    work.paste("exec script -qec 'sh line.sh' /dev/null < /dev/null")
}

/// The terminal has its settings, a visible cursor, and its first screen.
fn is_restored(screen: &str) {
    let (first, last) = (screen.lines().next(), screen.lines().next_back());
    assert_eq!(first.map(str::trim), last.map(str::trim), "{screen}");
    for (set, reset) in [
        ("\u{1b}[?25l", "\u{1b}[?25h"),
        ("\u{1b}[?1049h", "\u{1b}[?1049l"),
    ] {
        let (set, reset) = (screen.rfind(set), screen.rfind(reset));
        assert!(set.is_none() || reset > set, "{screen}");
    }
    // The view is removed: its last frame is followed by codes that clear its lines.
    let frame = screen.rfind("tokens/s  ").unwrap_or_default();
    assert!(screen[frame..].contains("\u{1b}[2K"), "{screen}");
}

/// Whether there is a Braille curve behind the axis of a plot.
fn has_curve(screen: &str) -> bool {
    let is_dotted = |letter| ('\u{2801}'..='\u{28ff}').contains(&letter);
    let plots = screen
        .lines()
        .filter_map(|line| line.split_once(['┤', '│']));
    plots
        .into_iter()
        .any(|(_, line)| line.chars().any(is_dotted))
}

#[test]
fn a_run_draws_its_loss_and_restores_the_terminal() {
    let work = workplace();
    let tinker = env!("CARGO_BIN_EXE_tinker");
    let screen = on_terminal(&work, &format!("{tinker} {TRAIN} --output run > out.txt")).stdout;
    assert!(screen.contains("code 0"), "{screen}");
    let view = &screen[..screen.find(" steps in ").unwrap()];
    assert!(has_curve(view), "{screen}");
    for shown in ["loss", "sample", "tokens/s"] {
        assert!(view.contains(shown), "{shown}: {screen}");
    }
    is_restored(&screen);
}

#[test]
fn an_interrupted_run_restores_the_terminal() {
    let work = workplace();
    let tinker = env!("CARGO_BIN_EXE_tinker");
    // Twice, so that it ends at once, with the view on the screen.
    let line = format!(
        "{tinker} train data.jsonl --steps 100000 --batch-size 8 --rank 4 --data-dir data --output run > out.txt & \
         while kill -0 $! && [ $(cat run/metrics.jsonl 2> /dev/null | wc -l) -lt 4 ]; do sleep 0.05; done; \
         kill -INT $!; kill -TERM $!; wait $!"
    );
    let screen = on_terminal(&work, &line).stdout;
    assert!(screen.contains("code 130"), "{screen}");
    is_restored(&screen);
}

#[test]
fn lines_replace_the_view_where_it_is_not_wanted() {
    let work = workplace();
    let tinker = env!("CARGO_BIN_EXE_tinker");
    for (variable, option) in [("NO_COLOR=1", ""), ("TERM=dumb", ""), ("A=1", "--plain")] {
        let output = format!("{variable}{option}").replace('=', "-");
        let line = format!("{variable} {tinker} {TRAIN} {option} --output {output} > out.txt");
        let screen = on_terminal(&work, &line).stdout;
        assert!(screen.contains("code 0"), "{screen}");
        let view = &screen[..screen.find(" steps in ").unwrap()];
        assert!(!has_curve(view) && !view.contains("\u{1b}[2K"), "{screen}");
    }
}
