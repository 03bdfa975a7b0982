//! Live view of a run on a terminal: curves, the last sample, and what is waited for.

use std::sync::{Arc, Mutex, PoisonError};

use tinker_train::StepRow;

use crate::plot::{self, Curve};
use crate::style::{self, FAINT, LABEL, TerminalStyle, paint};

/// Rows of a curve.
const ROWS: usize = 5;
/// Lines of a curve with its title and its axis.
const LINES: usize = ROWS + 3;
/// Points of a curve, of which half are left out then.
const MOST: usize = 4096;
/// Lines beside the curves: bar, sample, and a rest of the screen.
const OTHERS: usize = 8;

/// The last sample of a run, set by whoever samples.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastSample(Arc<Mutex<Option<String>>>);

/// Lines below the bar of the steps.
#[derive(Debug)]
pub(super) struct View {
    style: TerminalStyle,
    loss: Vec<(f64, f64)>,
    reward: Vec<(f64, f64)>,
    sample: LastSample,
    waits_for: Option<String>,
}

impl LastSample {
    /// Sets the sample.
    pub(super) fn set(&self, prompt: &str, answer: &str, rest: &str) {
        let text = format!("{} > {} {rest}", one_line(prompt), one_line(answer));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.trim_end().to_owned());
    }

    fn get(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl View {
    /// The view of a run with these rows.
    pub(super) fn new(style: TerminalStyle, rows: &[StepRow], sample: LastSample) -> Self {
        let mut view = Self {
            style,
            loss: Vec::new(),
            reward: Vec::new(),
            sample,
            waits_for: None,
        };
        for row in rows {
            view.add(row);
        }
        view
    }

    /// Adds a finished step.
    pub(super) fn add(&mut self, row: &StepRow) {
        let values = [row.loss, row.metric("reward")];
        for (points, value) in [&mut self.loss, &mut self.reward].into_iter().zip(values) {
            points.extend(value.map(|value| (row.number as f64, value)));
            if points.len() > MOST {
                let mut at = 0;
                points.retain(|_| {
                    at += 1;
                    at % 2 == 0
                });
            }
        }
        self.waits_for = None;
    }

    /// Sets what is waited for.
    pub(super) fn wait(&mut self, what: String) {
        self.waits_for = Some(what);
    }

    /// The lines below the line of the bar, for a terminal of this size.
    pub(super) fn lines(&self, (width, height): (usize, usize)) -> String {
        let mut text = String::new();
        let style = TerminalStyle {
            width: width.min(self.style.width),
            ..self.style
        };
        let room = height.saturating_sub(OTHERS) / LINES;
        let curves = [("reward", &self.reward), ("loss", &self.loss)];
        let curves = curves.into_iter().filter(|(_, points)| points.len() > 1);
        for (name, points) in curves.take(room) {
            let curve = Curve {
                title: name.to_owned(),
                x_label: "step".to_owned(),
                points: points.clone(),
            };
            text.push('\n');
            text += plot::terminal(&curve, style, ROWS).trim_end();
        }
        let labelled = |label: &str, rest: &str| {
            let label = format!("{label:<12}");
            let rest = cut(rest, width.saturating_sub(label.len() + 3));
            format!("\n  {}{}", paint(LABEL, label), paint(FAINT, rest))
        };
        if let Some(sample) = self.sample.get() {
            text += &labelled("sample", &sample);
        }
        if let Some(what) = &self.waits_for {
            text += &labelled("waiting", what);
        }
        text
    }

    /// The lines for the terminal of stderr.
    pub(super) fn shown(&self) -> String {
        self.lines(style::size_of_stderr())
    }
}

/// The beginning of a text that fits into a width. Characters outside ASCII may be two columns wide.
fn cut(text: &str, width: usize) -> String {
    let mut columns = 0;
    let fits = |letter: &char| {
        columns += if letter.is_ascii() { 1 } else { 2 };
        columns <= width
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let style = TerminalStyle {
            unicode: true,
            width: 60,
        };
        let mut view = View::new(style, &[], LastSample::default());
        for number in 1..=20 {
            let mut row = StepRow::new(number);
            row.loss = Some(3.0 / number as f64);
            let reward = ("reward".to_owned(), number as f64 / 20.0);
            row.metrics.extend([reward]);
            view.add(&row);
        }
        view.sample.set("a\nb", "c", "reward 1.00");
        view.wait("the server".to_owned());
        view
    }

    fn plain(view: &View, size: (usize, usize)) -> String {
        anstream::adapter::strip_str(&view.lines(size)).to_string()
    }

    #[test]
    fn a_large_terminal_shows_both_curves() {
        let text = plain(&view(), (80, 40));
        assert!(
            text.contains("  reward\n") && text.contains("  loss\n"),
            "{text}"
        );
        assert!(text.matches('┬').count() > 2, "{text}");
        assert!(text.contains("sample      a b > c reward 1.00"), "{text}");
        assert!(text.ends_with("waiting     the server"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
    }

    #[test]
    fn a_small_terminal_shows_what_fits() {
        for (height, curves) in [(6, 0), (16, 1), (24, 2)] {
            let text = plain(&view(), (50, height));
            assert_eq!(text.matches("step\n").count(), curves, "{height}: {text}");
            assert!(text.lines().count() < height, "{height}: {text}");
        }
        let text = plain(&view(), (20, 6));
        assert!(text.contains("sample      a b"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 20), "{text}");
    }

    #[test]
    fn nothing_is_shown_before_there_is_something() {
        let style = TerminalStyle {
            unicode: true,
            width: 60,
        };
        let view = View::new(style, &[], LastSample::default());
        assert_eq!(view.lines((80, 40)), "");
    }

    /// Name of the variable that lets the test below panic.
    #[cfg(target_os = "linux")]
    const PANICS: &str = "TINKER_VIEW_PANICS";

    #[cfg(target_os = "linux")]
    #[test]
    #[ignore = "started by the next test, on a terminal"]
    fn a_program_panics_with_the_view_on_the_screen() {
        if std::env::var_os(PANICS).is_none() {
            return;
        }
        crate::printer::clear_on_panic();
        let view = view();
        let printer = crate::printer::Printer {
            quiet: false,
            is_live: true,
            style: view.style,
        };
        let mut progress = crate::progress::Progress::start(printer, "train", 9);
        progress.update(3, &view.shown());
        // A frame may be left out when it follows another one.
        std::thread::park_timeout(std::time::Duration::from_millis(200));
        progress.update(4, &view.shown());
        panic!("with the view on the screen");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_panic_restores_the_terminal() {
        let program = std::env::current_exe().unwrap();
        let name = "command::train::view::tests::a_program_panics_with_the_view_on_the_screen";
        let line = format!(
            "stty cols 100 rows 40; stty -g; {} --exact --ignored --nocapture {name}; echo code $?; stty -g",
            program.display()
        );
        let script = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env(PANICS, "1")
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let screen = String::from_utf8(script.stdout).unwrap();
        assert!(screen.contains("code 101"), "{screen}");
        let (first, last) = (screen.lines().next(), screen.lines().next_back());
        assert_eq!(first.map(str::trim), last.map(str::trim), "{screen}");
        let (frame, message) = (screen.rfind("the server"), screen.find("with the view on"));
        let (frame, message) = (frame.unwrap(), message.unwrap());
        assert!(frame < message, "{screen}");
        assert!(screen[frame..message].contains("\u{1b}[2K"), "{screen}");
        let (hidden, shown) = (screen.rfind("\u{1b}[?25l"), screen.rfind("\u{1b}[?25h"));
        assert!(hidden.is_none() || shown > hidden, "{screen}");
    }
}
