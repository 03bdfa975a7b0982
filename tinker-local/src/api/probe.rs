//! Fuzzing entry point of paths and queries.

use http::Method;

use super::query::Query;
use super::target::Target;

/// Decodes a path and a query, as far as possible without an engine.
pub(crate) fn look_up(method: &Method, path: &str, query: &str) {
    if let Some(target) = Target::parse(path)
        && let Ok((_, values)) = target.route(method, path)
        && let [run, kind, name, ..] = values[..]
    {
        let _checked = tinker_types::CheckpointPath::from_parts(run, kind, name);
    }
    let query = Query::parse(Some(query));
    let _checked = (query.page(vec![1, 2, 3], 2), query.check_scope());
    let _found = (query.text("limit"), query.required("project_id"));
}
