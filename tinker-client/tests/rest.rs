//! What the embedded engine keeps, read and changed over REST.

use std::error::Error;

use tinker_client::{Error as ClientError, LoraConfig, ServiceClient};
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

    let rest = service.rest();
    let runs = rest.training_runs().all().await?;
    assert_eq!(runs.len(), 1);
    assert_eq!(&runs[0].training_run_id, training.model_id());
    assert_eq!(rest.get_training_run_of(&saved).await?.lora_rank, Some(4));
    let session = service.session_id().ok_or("no session")?;
    let sessions = rest.sessions().all().await?;
    assert_eq!(sessions, std::slice::from_ref(session));

    let listed = rest.checkpoints().all().await?;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|listed| listed.tinker_path == sampled));
    assert_eq!(rest.list_checkpoints(saved.run()).await?.len(), 2);

    rest.publish_checkpoint(&saved).await?;
    let Err(ClientError::Status(again)) = rest.publish_checkpoint(&saved).await else {
        return Err("a public checkpoint was published".into());
    };
    assert_eq!((again.status().as_u16(), again.attempts()), (409, 1));
    rest.unpublish_checkpoint(&saved).await?;

    rest.delete_checkpoint(&saved).await?;
    assert_eq!(rest.checkpoints().all().await?.len(), 1);
    assert!(rest.get_weights_info(&saved).await.is_err());
    Ok(())
}
