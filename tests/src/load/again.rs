//! Sequential repetition of a load run.

use std::path::Path;

use tinker_client::{Error, SamplingClient};

use super::together::{Source, Together, client, finish};
use super::work::{self, STEPS_BETWEEN_SAVES};

/// Repeats the work on a fresh server, one operation at a time, and returns the results that differ.
///
/// # Errors
/// The first error of the client.
pub async fn repeat(url: &str, data: &Path, first: &Together) -> Result<Vec<String>, Error> {
    let mut differences = Vec::new();
    let service = client(url)?;
    let base = service.create_sampling_client(work::MODEL).await?;
    compare(&base, first, None, &mut differences).await?;
    for (trainer, trained) in first.trained.iter().enumerate() {
        let training = work::model(&service, trainer).await?;
        for step in 0..trained.steps {
            work::step(&training, trainer, step).await?;
            let steps = step + 1;
            let source = Some((trainer, steps));
            if steps % STEPS_BETWEEN_SAVES == 1 && first.drawn.contains_key(&source) {
                let path = training
                    .save_weights_for_sampler(work::name(steps).as_str())
                    .await?;
                let sampler = service.create_sampling_client(path).await?;
                compare(&sampler, first, source, &mut differences).await?;
            }
        }
        let again = finish(&training, data, trained.steps).await?;
        for (name, file) in &trained.files {
            if file.is_empty() || again.files.get(name) != Some(file) {
                differences.push(format!(
                    "{name} of trainer {trainer} after {} steps",
                    trained.steps
                ));
            }
        }
    }
    Ok(differences)
}

async fn compare(
    sampler: &SamplingClient,
    first: &Together,
    source: Source,
    differences: &mut Vec<String>,
) -> Result<(), Error> {
    for drawn in first.drawn.get(&source).into_iter().flatten() {
        if drawn.logprobs.is_empty() || work::draw(sampler, drawn.number).await? != *drawn {
            differences.push(format!("sample {} of {source:?}", drawn.number));
        }
    }
    Ok(())
}
