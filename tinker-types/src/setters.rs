//! Declaration of setters.

/// Declares methods that set a field or add to it and return `self`, for types that are built with `with_*` calls.
///
/// The right side is an assignment, `field = value`, or a call, `field.push(value)`.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($($(#[$meta:meta])* $name:ident($($value:ident: $type:ty),*) => $($field:tt).+ $(($($argument:expr),+))? $(= $set:expr)?;)+) => {$(
        $(#[$meta])*
        #[must_use]
        pub fn $name(mut self, $($value: $type),*) -> Self {
            self.$($field).+ $(($($argument),+))? $(= $set)?;
            self
        }
    )+};
}
