//! `tinker project`: projects of sessions.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use serde::Serialize;
use tinker_types::SessionId;

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::one_by_one::each;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Assign sessions to projects.
///
/// The API has no list of projects. `tinker session search`, `tinker billing usage` and `tinker billing storage` show the
/// projects that are in use; TINKER_PROJECT_ID sets the project of new sessions.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker project assign proj-1 sess-1 sess-2
  tinker session search --project proj-1
  tinker run list --project proj-1")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Assign sessions to a project. This can be changed later, but not removed.
    Assign {
        /// Id of the project.
        project: String,
        /// Ids of the sessions.
        #[arg(required = true, value_name = "SESSION")]
        sessions: Vec<String>,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

/// Assigned sessions.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Assigned {
    project_id: String,
    session_ids: Vec<String>,
    /// Sessions that were not assigned, after a failure or an interruption.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<String>,
}

impl Printable for Assigned {
    fn to_text(&self, _: TerminalStyle) -> String {
        let line = |id| format!("{id} is in project {}\n", self.project_id);
        let left = self.left.iter().map(|id| format!("left {id}\n"));
        self.session_ids.iter().map(line).chain(left).collect()
    }
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Action::Assign {
        project,
        sessions,
        service,
    } = args.action;
    let service = service.open(context)?;
    let client = service.client.sessions();
    context.interrupt.listen_silently()?;
    let request = async |session: &String| {
        let session = SessionId::from(session.as_str());
        Ok(client.assign_project(&session, project.as_str()).await?)
    };
    let attempted = each(sessions, context, request).await;
    if attempted.has_result() {
        context.report.print(&Assigned {
            project_id: project.clone(),
            session_ids: attempted.done,
            left: attempted.left,
        })?;
    }
    attempted.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<Assigned>("project-assign");
    }
}
