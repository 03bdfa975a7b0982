//! Search of checkpoints.

use tinker_types::{Checkpoint, FoundCheckpoints, SearchCheckpoints};

use super::checkpoints::CheckpointClient;
use super::pages::Pages;
use crate::error::Error;
use crate::session::ask::ask;

impl CheckpointClient {
    /// The checkpoints that match `query`, newest first, from its `cursor` on, as a stream; its `limit` is the page size.
    ///
    /// A method of newer versions of the API, which a server may not offer. Its path was not published with its
    /// messages: this client sends it to `checkpoints/search`.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::types::{CheckpointType, SearchCheckpoints};
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let mut query = SearchCheckpoints::default();
    /// query.checkpoint_type = Some(CheckpointType::Training);
    /// let found = service.checkpoints().search(query).all().await?;
    /// assert_eq!(found[0].tinker_path, saved);
    /// # Ok(())
    /// # }
    /// ```
    pub fn search(&self, query: SearchCheckpoints) -> Pages<Checkpoint> {
        let client = self.clone();
        let fetch = move |query| {
            let client = client.clone();
            async move {
                let page = client.search_page(query).await?;
                Ok((page.checkpoints, page.next_cursor))
            }
        };
        Pages::search(query, |query| &mut query.cursor, fetch)
    }

    /// One page of [`search`](Self::search).
    ///
    #[doc = setup!(training)]
    /// training.save_state("first").await?;
    /// let page = service.checkpoints().search_page(Default::default()).await?;
    /// assert_eq!(page.checkpoints.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A query that the server refuses; 404 from a server without the search.
    pub async fn search_page(&self, query: SearchCheckpoints) -> Result<FoundCheckpoints, Error> {
        ask(&self.state, "RestClient.search_checkpoints", query).await
    }
}
