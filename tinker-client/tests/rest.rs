//! Stored objects of the embedded engine, read and changed over REST.

use std::error::Error;

use tinker_client::{Error as ClientError, ListOptions, LoraConfig, ServiceClient};
use tinker_local::LocalEngine;

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_checkpoints_are_found_changed_and_deleted() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let training = service
        .create_lora_training_client("tinker-local/tiny", LoraConfig::new(4))
        .await?;
    let saved = training.save_state("first").await?.path;
    let sampled = training.save_weights_for_sampler("second").await?;

    let (runs, checkpoints) = (service.runs(), service.checkpoints());
    let all = runs.list(ListOptions::default()).all().await?;
    assert_eq!(all.len(), 1);
    assert_eq!(&all[0].training_run_id, training.model_id());
    assert_eq!(runs.by_checkpoint(&saved).await?.lora_rank, Some(4));
    let session = service.session_id().ok_or("no session")?;
    let sessions = service.sessions().list(ListOptions::default());
    let sessions = sessions.all().await?;
    assert_eq!(sessions, std::slice::from_ref(&session));

    let listed = checkpoints.list(ListOptions::default()).all().await?;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|listed| listed.tinker_path == sampled));
    assert_eq!(checkpoints.list_by_run(saved.run()).await?.len(), 2);

    checkpoints.publish(&saved).await?;
    let Err(ClientError::Status(again)) = checkpoints.publish(&saved).await else {
        return Err("a public checkpoint was published".into());
    };
    assert_eq!((again.status().as_u16(), again.attempts()), (409, 1));
    checkpoints.unpublish(&saved).await?;

    checkpoints.delete(&saved).await?;
    let left = checkpoints.list(ListOptions::default()).all().await?;
    assert_eq!(left.len(), 1);
    assert!(checkpoints.get(&saved).await.is_err());
    Ok(())
}
