//! Shorthand for what tests put into a store.

use carnet_store::{
    AuditAction, Cut, Family, KeyState, LiveSession, NewAudit, NewLogin, NewUser, Reason, SigningKeyRow,
    Store, User,
};

pub(crate) const NOW: i64 = 1_800_000_000_000;
pub(crate) const DAY: i64 = 86_400_000;
pub(crate) const IDLE: i64 = 7 * DAY;
pub(crate) const ABSOLUTE: i64 = 30 * DAY;
pub(crate) const ENTRY_TTL: i64 = 960_000;

pub(crate) fn new_user(email: &str) -> NewUser {
    NewUser {
        sub: String::new(),
        email_display: email.to_owned(),
        email_canonical: email.to_lowercase(),
        name: Some("Alice".to_owned()),
        password_hash: Some("$hash$1".to_owned()),
        roles: Vec::new(),
        email_verified: true,
        claims: "{}".to_owned(),
        attributes: "{}".to_owned(),
    }
}

pub(crate) async fn user(store: &Store, email: &str) -> User {
    store.create_user(&new_user(email), NOW).await.unwrap()
}

pub(crate) fn new_login(user: &User) -> NewLogin {
    NewLogin {
        browser: None,
        claims: None,
        code: None,
        user: user.id,
        password_changed_at: None,
        client_id: "first-party".to_owned(),
        scope: "openid profile".to_owned(),
        audience: "https://api.example".to_owned(),
        address: "192.0.2.7".to_owned(),
        user_agent: "a browser".to_owned(),
        mac_key: "k1".to_owned(),
        jkt: None,
        idle_ms: IDLE,
        absolute_ms: ABSOLUTE,
        throttle_keys_to_clear: Vec::new(),
        audit: NewAudit::success(user.sub.clone(), AuditAction::Login, user.sub.clone()),
    }
}

/// What of a user's logins can still be used.
pub(crate) async fn open_sessions(store: &Store, user: &User) -> Vec<LiveSession> {
    store
        .live_sessions_of(user.id, NOW, (IDLE, ABSOLUTE))
        .await
        .unwrap()
}

pub(crate) async fn login(store: &Store, user: &User) -> Family {
    store
        .begin_session(&new_login(user), NOW)
        .await
        .unwrap()
        .expect("an active user")
}

pub(crate) fn cut(at: i64, reason: Reason) -> Cut {
    let audit = NewAudit::success("cli", AuditAction::Revoke, "something");
    Cut {
        at,
        entry_ttl_ms: ENTRY_TTL,
        reason,
        audit,
    }
}

/// Something is taken back, and known to be until then.
pub(crate) fn until(expires: i64) -> Cut {
    Cut {
        entry_ttl_ms: expires - NOW,
        ..cut(NOW, Reason::Revoked)
    }
}

pub(crate) fn theft(at: i64) -> Cut {
    Cut {
        audit: NewAudit::success("", AuditAction::RefreshReuse, ""),
        ..cut(at, Reason::Reuse)
    }
}

pub(crate) fn key(kid: &str, state: KeyState) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        state,
        public_jwk: "{}".to_owned(),
        sealed: Some(vec![1, 2, 3]),
        master_key: "m1".to_owned(),
        created_at: NOW,
        published_at: NOW,
        activates_at: NOW,
        activated_at: None,
        retires_at: None,
        removes_at: None,
        removed_at: None,
        reason: None,
    }
}
