//! Options of lists.

use tinker_types::InvalidValue;

/// Options of a list of stored objects. The default is the whole list in pages of 100.
///
#[doc = setup!(training)]
/// use tinker_client::ListOptions;
///
/// let options = ListOptions::default().with_page_size(10).with_project_id("mine");
/// let runs = service.runs().list(options).all().await?;
/// assert!(runs.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Number of entries requested per page. Default 100. Servers may return fewer.
    pub page_size: u64,
    /// Number of entries to skip. Default 0.
    pub offset: u64,
    /// List only the objects of this project. Default: all projects. Training runs only; other lists refuse it.
    pub project_id: Option<String>,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            page_size: 100,
            offset: 0,
            project_id: None,
        }
    }
}

impl ListOptions {
    tinker_types::setters! {
        /// Sets [`Self::page_size`].
        with_page_size(entries: u64) => page_size = entries;

        /// Sets [`Self::offset`].
        with_offset(entries: u64) => offset = entries;

        /// Sets [`Self::project_id`].
        with_project_id(project_id: impl Into<String>) => project_id = Some(project_id.into());
    }

    /// Page size and offset of a list that cannot be restricted to a project.
    pub(crate) fn without_project(&self) -> Result<(u64, u64), InvalidValue> {
        match self.project_id {
            None => Ok((self.page_size, self.offset)),
            Some(_) => Err(InvalidValue::new(
                "project_id",
                "is set, but only training runs are listed by project; leave it out",
            )),
        }
    }
}
