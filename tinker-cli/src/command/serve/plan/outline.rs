//! The plan and its output.

use serde::Serialize;

use crate::report::Printable;
use crate::style::{FAINT, STRONG, TerminalStyle, paint};

/// How to start a server.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) server: &'static str,
    pub(super) title: &'static str,
    pub(super) model: String,
    /// GPUs in all; `None` if the server's own configuration decides.
    pub(super) gpus: Option<u32>,
    pub(super) files: Vec<File>,
    pub(super) steps: Vec<Step>,
    pub(super) ports: Vec<Port>,
    pub(super) notes: Vec<String>,
}

/// A file to write before the start.
#[derive(Debug, Serialize)]
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// Commands to run.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) purpose: String,
    pub(super) commands: Vec<String>,
}

/// A port that has to be reachable.
#[derive(Debug, Serialize)]
pub(super) struct Port {
    pub(super) port: u16,
    pub(super) purpose: &'static str,
}

impl Printable for Plan {
    fn to_text(&self, style: TerminalStyle) -> String {
        let gpus = match self.gpus {
            Some(1) => " on 1 GPU".to_owned(),
            Some(gpus) => format!(" on {gpus} GPUs"),
            None => String::new(),
        };
        let title = format!("{} with {}{gpus}", self.title, self.model);
        let mut text = format!("{}\n", paint(STRONG, title));
        text += &format!("{}\n", paint(FAINT, "Nothing was installed or started."));
        for File { name, text: body } in &self.files {
            text += &format!("\nWrite {name}:\n\n");
            text.extend(body.lines().map(|line| format!("    {line}\n")));
        }
        for (index, step) in self.steps.iter().enumerate() {
            text += &format!("\n{}. {}:\n\n", index + 1, step.purpose);
            text.extend(step.commands.iter().map(|line| format!("    {line}\n")));
        }
        if !self.ports.is_empty() {
            text += "\nPorts:\n";
        }
        for Port { port, purpose } in &self.ports {
            text += &format!("  {port:<6} {purpose}\n");
        }
        if !self.notes.is_empty() {
            text += "\nTo know:\n";
        }
        for note in &self.notes {
            let lines = wrapped(note, style.width.saturating_sub(4).max(40));
            text += &format!("  - {}\n", lines.join("\n    "));
        }
        text
    }
}

/// Text as lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
