//! Options of every recipe: recipe file, budget, start and records.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tinker_train::{Budget, RunView};

use super::cost::PriceList;
use super::given::Given;
use super::run_folder::folder_error;
use crate::connect::Connection;
use crate::exit::Usage;
use crate::listing::parse_duration;

/// Options of every recipe.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct RunArgs {
    /// Set a setting of the recipe file, for example --set rank=8. Options on the command line are stronger. May be
    /// repeated.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Recipe")]
    set: Vec<String>,
    /// Check the data, print the plan with its tokens, and stop.
    #[arg(long, help_heading = "Recipe")]
    pub(super) dry_run: bool,
    /// With --dry-run, print the recipe as TOML with every default filled in and the origin of each setting.
    #[arg(long, requires = "dry_run", help_heading = "Recipe")]
    pub(super) show_resolved: bool,
    /// Stop with a checkpoint when the run has used this much: 2h, 30m, 3Mtok, 500ktok or 5usd.
    #[arg(long, value_name = "BUDGET", help_heading = "Training")]
    pub(super) budget: Option<Limit>,
    /// JSON file with the prices of models, in US dollars per million tokens. A budget in usd needs it.
    #[arg(long, value_name = "FILE", help_heading = "Training")]
    pub(super) prices: Option<PathBuf>,
    /// Let the server delete the checkpoints on the way after this time: seconds, or a number with a unit (15m, 12h, 7d, 2w).
    /// The last one has no end [default: 7d on the hosted service, which charges for them; elsewhere no end].
    #[arg(long, value_name = "TIME", value_parser = ttl, help_heading = "Training")]
    pub(super) ttl: Option<Duration>,
    /// Start from a checkpoint of another run: its folder and the number of a step.
    #[arg(long, value_name = "RUN@STEP", conflicts_with_all = ["resume", "model", "rank", "alpha", "train"])]
    pub(super) branch: Option<Branch>,
    /// Take only the weights of the checkpoint to start from, with a fresh optimizer.
    #[arg(long)]
    pub(super) weights_only: bool,
    /// Also write the metrics as TensorBoard events to the run folder.
    #[arg(long, help_heading = "Training")]
    pub(super) tensorboard: bool,
    /// The settings with their origins.
    #[arg(skip)]
    pub(super) given: Given,
}

/// Parses the life of a checkpoint.
fn ttl(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).and_then(|time| Duration::try_from(time).ok());
    let time = time.filter(|time| !time.is_zero());
    time.ok_or_else(|| "give seconds, or a number with a unit: 15m, 12h, 7d, 2w".to_owned())
}

/// A checkpoint of another run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    run: PathBuf,
    step: usize,
}

impl FromStr for Branch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as RUN@STEP, for example runs/chats@200".to_owned();
        let (run, step) = text.rsplit_once('@').ok_or_else(wrong)?;
        let step = step.parse().map_err(|_| wrong())?;
        let run = Path::new(run).to_owned();
        Ok(Self { run, step })
    }
}

impl Branch {
    /// The address of the checkpoint, from the journal of the run.
    fn address(&self) -> anyhow::Result<String> {
        let view = RunView::read(&self.run).map_err(folder_error)?;
        let found = view
            .checkpoints
            .iter()
            .rfind(|saved| saved.step == self.step);
        if let Some(found) = found {
            return Ok(found.path.to_string());
        }
        let steps: Vec<String> = view
            .checkpoints
            .iter()
            .map(|saved| saved.step.to_string())
            .collect();
        let (run, step) = (self.run.display(), self.step);
        let known = if steps.is_empty() {
            "it has none; --save-every N saves some".to_owned()
        } else {
            format!("it has some after the steps {}", steps.join(", "))
        };
        Err(Usage(format!(
            "--branch: {run} has no checkpoint after step {step}; {known}"
        ))
        .into())
    }
}

/// A bound on a run, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    Time(Duration),
    Tokens(u64),
    Usd(f64),
}

/// Units of [`Limit`] with their factors.
const UNITS: [(&str, f64, Unit); 8] = [
    ("usd", 1.0, Unit::Usd),
    ("Mtok", 1e6, Unit::Token),
    ("ktok", 1e3, Unit::Token),
    ("tok", 1.0, Unit::Token),
    ("d", 86_400.0, Unit::Second),
    ("h", 3_600.0, Unit::Second),
    ("m", 60.0, Unit::Second),
    ("s", 1.0, Unit::Second),
];

#[derive(Debug, Clone, Copy)]
enum Unit {
    Second,
    Token,
    Usd,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a number with a unit: 2h, 30m, 90s, 3Mtok, 500ktok or 5usd".to_owned();
        let unit = UNITS.iter().find_map(|(name, factor, unit)| {
            let number = text.strip_suffix(name)?.trim().parse::<f64>().ok()?;
            Some((number * factor, *unit))
        });
        let (amount, unit) = unit
            .filter(|(amount, _)| amount.is_finite() && *amount > 0.0)
            .ok_or_else(wrong)?;
        Ok(match unit {
            Unit::Second => Self::Time(Duration::try_from_secs_f64(amount).map_err(|_| wrong())?),
            Unit::Token => Self::Tokens(amount as u64),
            Unit::Usd => Self::Usd(amount),
        })
    }
}

impl RunArgs {
    /// Life of the checkpoints on the way.
    pub(super) fn life(&self, connection: &Connection) -> Option<Duration> {
        self.ttl.or_else(|| connection.checkpoint_life())
    }

    /// Fills in the settings that follow from the server.
    pub(super) fn complete(&self, given: &mut Given, connection: &Connection) {
        connection.complete(&mut |key, value, why| given.derive(key, &value, why));
        if let Some(life) = self.life(connection).filter(|_| self.ttl.is_none()) {
            let why = "the hosted service charges for checkpoints";
            given.derive("ttl", &life.as_secs(), why);
        }
    }

    /// The prices of a model, if a file of prices is given.
    pub(super) fn prices(&self, model: &str) -> anyhow::Result<Option<PriceList>> {
        let path = self.prices.as_deref();
        path.map(|path| PriceList::read(path, model)).transpose()
    }

    /// The budget for the loop.
    pub(super) fn budget(&self, prices: Option<&PriceList>) -> Result<Option<Budget>, Usage> {
        Ok(match (self.budget, prices) {
            (None, _) => None,
            (Some(Limit::Time(time)), _) => Some(Budget::Time(time)),
            (Some(Limit::Tokens(tokens)), _) => Some(Budget::Tokens(tokens)),
            (Some(Limit::Usd(usd)), Some(list)) => Some(Budget::Price {
                usd,
                prices: list.prices,
            }),
            (Some(Limit::Usd(_)), None) => {
                let message = "--budget: an amount of money needs the prices of the model; name a file of them with --prices";
                return Err(Usage(message.to_owned()));
            }
        })
    }

    /// Checks the options that need no data, and returns the checkpoint of a branch.
    pub(super) fn start(&mut self, resume: Option<String>) -> anyhow::Result<Option<String>> {
        if matches!(self.budget, Some(Limit::Usd(_))) && self.prices.is_none() {
            self.budget(None)?;
        }
        let Some(branch) = self.branch.take() else {
            if self.weights_only && resume.is_none() {
                let message = "--weights-only concerns the checkpoint to start from; name one with --branch or --resume";
                return Err(Usage(message.to_owned()).into());
            }
            return Ok(resume);
        };
        let address = branch.address()?;
        self.given.derive("resume", &address, "the branch");
        Ok(Some(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_have_a_unit() {
        let limit = |text: &str| text.parse::<Limit>();
        assert_eq!(limit("2h").unwrap(), Limit::Time(Duration::from_hours(2)));
        assert_eq!(
            limit("1.5 m").unwrap(),
            Limit::Time(Duration::from_secs(90))
        );
        assert_eq!(limit("3Mtok").unwrap(), Limit::Tokens(3_000_000));
        assert_eq!(limit("0.5usd").unwrap(), Limit::Usd(0.5));
        for wrong in ["5", "h", "-1h", "0tok", "5eur", "infh", "1e300d"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_branch_is_a_run_and_a_step() {
        let branch = "runs/a@b@20".parse::<Branch>().unwrap();
        assert_eq!(
            branch,
            Branch {
                run: "runs/a@b".into(),
                step: 20
            }
        );
        assert!("runs/a".parse::<Branch>().is_err());
        assert!("runs/a@last".parse::<Branch>().is_err());
    }
}
