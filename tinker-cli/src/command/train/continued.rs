//! A run folder to continue, with the settings that must not change.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use tinker_train::{CONFIG, Order, RunFolder};

use crate::context::Context;
use crate::exit::Usage;

/// The settings of a run that its continuation repeats.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Settings {
    model: String,
    data_sha256: String,
    held_out_sha256: Option<String>,
    /// Runs of versions before the second order do not name it.
    #[serde(default = "first_order")]
    order: u32,
}

fn first_order() -> u32 {
    1
}

/// A run folder to continue.
#[derive(Debug)]
pub(super) struct Continued {
    pub(super) folder: RunFolder,
    pub(super) settings: Settings,
    pub(super) allow_changes: bool,
}

impl Settings {
    /// The settings in a run folder.
    pub(super) fn read(run: &Path) -> anyhow::Result<Self> {
        let path = run.join(CONFIG);
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} was not written by this version", path.display()))
    }
}

impl Continued {
    /// Refuses data and models that are not those of the run, unless changes are allowed.
    pub(super) fn check(
        &self,
        model: &str,
        data_sha256: &str,
        held_out_sha256: Option<&str>,
        context: &Context,
    ) -> anyhow::Result<()> {
        let settings = &self.settings;
        let held_out = settings.held_out_sha256.as_deref();
        let orders = [settings.order, Order::VERSION].map(|version| format!("version {version}"));
        let [order, own_order] = orders.each_ref().map(|version| Some(version.as_str()));
        let data = Some(settings.data_sha256.as_str());
        let restore = "restore it";
        let version = "continue it with the version that began it";
        for (what, before, now, fix) in [
            ("model", Some(settings.model.as_str()), Some(model), restore),
            ("data", data, Some(data_sha256), restore),
            ("held-out file", held_out, held_out_sha256, restore),
            ("order of the examples", order, own_order, version),
        ] {
            if before == now {
                continue;
            }
            let show = |value: Option<&str>| value.unwrap_or("none").to_owned();
            let changed = format!("the {what} was {} and is {}", show(before), show(now));
            if !self.allow_changes {
                let message = format!(
                    "{changed}; the run would not be the same, so it is refused: {fix}, or add --allow-changes"
                );
                return Err(Usage(message).into());
            }
            context.printer.print_note(&changed);
        }
        Ok(())
    }
}
