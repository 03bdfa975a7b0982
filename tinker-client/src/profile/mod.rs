//! Named servers: a file of profiles, and a table of servers with known differences.
//!
//! ```
//! use tinker_client::profile::Profiles;
//!
//! let profiles = Profiles::parse(
//!     r#"
//!     [servers.box]
//!     like = "skyrl"
//!     base_url = "http://gpu-box:8000"
//!     "#,
//! )?;
//! let config = profiles.get("box")?.to_config()?;
//! assert_eq!(config.base_url, "http://gpu-box:8000");
//! # Ok::<(), tinker_client::Error>(())
//! ```

mod built_in;
mod file;
mod limits;
mod profiles;
mod settings;
mod template;

pub use built_in::{BUILT_IN, BuiltIn, InertOption};
pub use file::ProfileFile;
pub use limits::LimitSettings;
pub use profiles::Profiles;
pub use settings::{KeySource, Profile};
pub use template::TEMPLATE;
