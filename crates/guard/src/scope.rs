//! Scopes as types: what a handler needs stands in its signature.
//!
//! Spec: RFC 6749 §3.3 · RFC 6750 §3.1 (insufficient_scope)

use crate::auth::Auth;
use crate::challenge::Refused;

/// A scope as a type; made by [`scope!`](crate::scope!).
pub trait Scope {
    /// The scope as it stands in tokens.
    const NAME: &'static str;
}

/// One scope, several in a tuple, or none: `()`.
pub trait Scopes {
    /// Refuses a caller who lacks one of them, and names them all.
    fn check(auth: &Auth) -> Result<(), Refused>;
}

/// Makes a type of a scope.
///
/// ```
/// carnet_guard::scope!(pub ReadOrders = "read:orders");
///
/// use carnet_guard::Scope;
/// assert_eq!(ReadOrders::NAME, "read:orders");
/// ```
#[macro_export]
macro_rules! scope {
    ($visibility:vis $name:ident = $text:literal) => {
        #[doc = concat!("The scope `", $text, "`.")]
        #[derive(Debug)]
        $visibility enum $name {}
        impl $crate::Scope for $name {
            const NAME: &'static str = $text;
        }
    };
}

impl Scopes for () {
    fn check(_: &Auth) -> Result<(), Refused> {
        Ok(())
    }
}

impl<S: Scope> Scopes for S {
    fn check(auth: &Auth) -> Result<(), Refused> {
        require(auth, &[S::NAME])
    }
}

impl<A: Scope, B: Scope> Scopes for (A, B) {
    fn check(auth: &Auth) -> Result<(), Refused> {
        require(auth, &[A::NAME, B::NAME])
    }
}

impl<A: Scope, B: Scope, C: Scope> Scopes for (A, B, C) {
    fn check(auth: &Auth) -> Result<(), Refused> {
        require(auth, &[A::NAME, B::NAME, C::NAME])
    }
}

fn require(auth: &Auth, names: &[&str]) -> Result<(), Refused> {
    if names
        .iter()
        .all(|name| auth.scopes().iter().any(|scope| scope == name))
    {
        return Ok(());
    }
    Err(Refused::InsufficientScope(Some(names.join(" "))))
}
