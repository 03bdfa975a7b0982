//! The way of an address up to its endpoint, without one behind it.

use http::Method;

use super::query::Query;
use super::route::Route;

/// Reads an address as far as it goes.
pub(crate) fn look_up(method: &Method, path: &str, query: &str) {
    if let Ok(Route::DeleteCheckpoint(place) | Route::File(place, _)) = Route::find(method, path) {
        let _checked = place.path();
    }
    let query = Query::parse(Some(query));
    let _checked = (query.page(vec![1, 2, 3], 2), query.check_scope());
    let _found = (query.text("limit"), query.required("project_id"));
}
