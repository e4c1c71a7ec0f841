//! Rights as types: what a handler needs stands in its signature.
//!
//! Spec: RFC 6749 §3.3 (scope) · RFC 6750 §3.1 (insufficient_scope) · RFC 9068 §2.2.3.1 (roles)

use crate::rule::Rule;

/// A scope, role or permission as a type; made by [`scope!`](crate::scope!), [`role!`](crate::role!) and [`permission!`](crate::permission!).
pub trait Right {
    /// What it asks of the caller.
    fn rule() -> Rule;
}

/// The right of users alone: the own tokens of clients (RFC 6749 §4.4) do not have it, whatever their scope.
///
/// ```
/// use carnet_guard::{Auth, User};
///
/// async fn profile(auth: Auth<User>) -> String {
///     format!("the profile of {}", auth.sub())
/// }
/// ```
#[derive(Debug)]
pub enum User {}

impl Right for User {
    fn rule() -> Rule {
        Rule::user()
    }
}

/// One right, several in a tuple, or none: `()`.
pub trait Rights {
    /// What they ask of the caller, all together; `None` when nothing.
    fn rule() -> Option<Rule>;
}

/// Makes a type of a scope.
///
/// ```
/// use carnet_guard::{Auth, permission, role, scope};
///
/// scope!(pub ReadOrders = "read:orders");
/// role!(pub Editor = "editor");
/// permission!(pub WriteArticles = "articles:write");
///
/// async fn orders(auth: Auth<(ReadOrders, Editor)>) -> String {
///     format!("orders of {}", auth.sub())
/// }
/// async fn write(_: Auth<WriteArticles>) {}
/// ```
#[macro_export]
macro_rules! scope {
    ($visibility:vis $name:ident = $text:literal) => {
        $crate::right!($visibility $name, scope, $text);
    };
}

/// Makes a type of a role; see [`scope!`].
#[macro_export]
macro_rules! role {
    ($visibility:vis $name:ident = $text:literal) => {
        $crate::right!($visibility $name, role, $text);
    };
}

/// Makes a type of a permission; see [`scope!`].
#[macro_export]
macro_rules! permission {
    ($visibility:vis $name:ident = $text:literal) => {
        $crate::right!($visibility $name, permission, $text);
    };
}

/// What the three have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! right {
    ($visibility:vis $name:ident, $kind:ident, $text:literal) => {
        #[doc = concat!("The ", stringify!($kind), " `", $text, "`.")]
        #[derive(Debug)]
        $visibility enum $name {}
        impl $crate::Right for $name {
            fn rule() -> $crate::Rule {
                $crate::Rule::$kind($text)
            }
        }
    };
}

impl Rights for () {
    fn rule() -> Option<Rule> {
        None
    }
}

impl<A: Right> Rights for A {
    fn rule() -> Option<Rule> {
        Some(A::rule())
    }
}

impl<A: Right, B: Right> Rights for (A, B) {
    fn rule() -> Option<Rule> {
        Some(Rule::all([A::rule(), B::rule()]))
    }
}

impl<A: Right, B: Right, C: Right> Rights for (A, B, C) {
    fn rule() -> Option<Rule> {
        Some(Rule::all([A::rule(), B::rule(), C::rule()]))
    }
}
