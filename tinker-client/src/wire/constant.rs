//! Addresses and header values of constant texts, parsed once for each thread.

use std::cell::RefCell;

use http::{HeaderValue, Uri};

/// Largest number of texts that are kept. There are fewer constants.
const MOST: usize = 128;

type Known<T> = RefCell<Vec<(&'static str, T)>>;

thread_local! {
    static ADDRESSES: Known<Option<Uri>> = const { RefCell::new(Vec::new()) };
    static VALUES: Known<HeaderValue> = const { RefCell::new(Vec::new()) };
}

/// The address of a route, unless it has parameters.
pub(super) fn address(route: &'static str) -> Option<Uri> {
    let parse = |route: &'static str| (!route.contains('{')).then(|| Uri::from_static(route));
    ADDRESSES.with_borrow_mut(|known| find(known, route, parse))
}

/// The header value of a constant text.
pub(crate) fn header_value(text: &'static str) -> HeaderValue {
    VALUES.with_borrow_mut(|known| find(known, text, HeaderValue::from_static))
}

fn find<T: Clone>(
    known: &mut Vec<(&'static str, T)>,
    text: &'static str,
    parse: fn(&'static str) -> T,
) -> T {
    if let Some((_, value)) = known.iter().find(|(known, _)| std::ptr::eq(*known, text)) {
        return value.clone();
    }
    let value = parse(text);
    if known.len() < MOST {
        known.push((text, value.clone()));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_with_parameters_has_no_constant_address() {
        for _ in 0..2 {
            assert_eq!(address("/api/v1/asample").unwrap(), "/api/v1/asample");
            assert_eq!(address("/api/v1/samplers/{sampler}"), None);
            assert_eq!(header_value("application/json"), "application/json");
        }
    }
}
