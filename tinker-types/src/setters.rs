//! Declaration of setters.

/// Declares methods that set a field and return `self`, for types that are built with `with_*` calls.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($($(#[$meta:meta])* $name:ident($($value:ident: $type:ty),+) => $($field:tt).+ = $set:expr;)+) => {$(
        $(#[$meta])*
        #[must_use]
        pub fn $name(mut self, $($value: $type),+) -> Self {
            self.$($field).+ = $set;
            self
        }
    )+};
}
