//! Tickets: what is handed out once. Codes, interactions, pushed requests, the names of assertions and proofs that were seen.
//!
//! Spec: RFC 6749 §4.1.2 (a code is used once) · RFC 8628 §3.4

use carnet_jose::primitive;

use crate::database::{Lane, Statement, Tx, params};
use crate::error::StoreError;
use crate::store::Store;

/// What a ticket is for. A ticket of one kind is nothing to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketKind {
    /// An authorization code.
    Code,
    /// An authorization request on its way through the pages.
    Interaction,
    /// The `jti` of a client assertion, so that it counts once.
    Assertion,
    /// An authorization request that a client has pushed (RFC 9126).
    PushedRequest,
    /// A device code, and how its device waits.
    DeviceCode,
    /// A user code, what its device asked for, and what somebody said to it.
    UserCode,
    /// The `jti` of a DPoP proof, with the key that made it.
    DpopProof,
    /// The `jti` of an assertion of a trusted issuer, with its `iss`.
    IssuerAssertion,
    /// What a client has posted to end a login.
    LogoutRequest,
}

impl TicketKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Interaction => "interaction",
            Self::Assertion => "assertion",
            Self::PushedRequest => "pushed_request",
            Self::DeviceCode => "device_code",
            Self::UserCode => "user_code",
            Self::DpopProof => "dpop_proof",
            Self::IssuerAssertion => "issuer_assertion",
            Self::LogoutRequest => "logout_request",
        }
    }
}

/// What became of an attempt to redeem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The first attempt: this is what was kept.
    Fresh(String),
    /// It was redeemed before; the family that it led to, when it led to one.
    Again(Option<String>),
    /// There is none, or it has expired.
    Unknown,
}

impl Store {
    /// Keep a ticket under the SHA-256 of its secret; `false` when there is one already.
    pub async fn keep_ticket(
        &self,
        kind: TicketKind,
        secret: &str,
        payload: &str,
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let row = params![digest(kind, secret), kind.as_str(), payload, expires_at];
        self.database
            .write(Lane::of(secret), "ticket.keep", async move |tx| {
                Ok(tx.execute(&KEEP, row.clone()).await? == 1)
            })
            .await
    }

    /// What a ticket keeps, as long as it has neither expired nor been redeemed.
    pub async fn ticket(
        &self,
        kind: TicketKind,
        secret: &str,
        now: i64,
    ) -> Result<Option<String>, StoreError> {
        let row = self
            .database
            .read_one(&LOOK, params![digest(kind, secret), now])
            .await?;
        row.map(|row| row.fields().take()).transpose()
    }

    /// Whether there was such a ticket, and it was redeemed, as long as that is remembered.
    pub async fn is_redeemed(&self, kind: TicketKind, secret: &str) -> Result<bool, StoreError> {
        let row = self
            .database
            .read_one(&LOOK_BACK, params![digest(kind, secret)])
            .await?;
        Ok(row.is_some())
    }

    /// Change what a ticket keeps; `false` when it cannot be changed any more.
    pub async fn amend_ticket(
        &self,
        kind: TicketKind,
        secret: &str,
        payload: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let row = params![digest(kind, secret), payload, now];
        self.database
            .write(Lane::of(secret), "ticket.amend", async move |tx| {
                Ok(tx.execute(&AMEND, row.clone()).await? == 1)
            })
            .await
    }

    /// As [`Store::amend_ticket`], if it still keeps `before`: of any number of changes at once, exactly one is made.
    pub async fn replace_ticket(
        &self,
        (kind, secret): (TicketKind, &str),
        (before, after): (&str, &str),
        now: i64,
    ) -> Result<bool, StoreError> {
        let row = params![digest(kind, secret), after, now, before];
        self.database
            .write(Lane::of(secret), "ticket.replace", async move |tx| {
                Ok(tx.execute(&REPLACE, row.clone()).await? == 1)
            })
            .await
    }

    /// Redeem a ticket: of any number of attempts at once, exactly one is [`Redeemed::Fresh`].
    pub async fn redeem_ticket(
        &self,
        kind: TicketKind,
        secret: &str,
        now: i64,
    ) -> Result<Redeemed, StoreError> {
        let digest = digest(kind, secret);
        self.database
            .write(Lane::of(secret), "ticket.redeem", async move |tx| {
                if let Some(row) = tx.optional(&REDEEM, params![digest.clone(), now]).await? {
                    return Ok(Redeemed::Fresh(row.fields().take()?));
                }
                match tx.optional(&SEE_AGAIN, params![digest.clone(), now]).await? {
                    Some(row) => Ok(Redeemed::Again(row.fields().take()?)),
                    None => Ok(Redeemed::Unknown),
                }
            })
            .await
    }
}

/// Note the family that a redeemed code leads to, in place of what the code kept; `false` when the code was seen again meanwhile: then it leads nowhere.
pub(crate) async fn buy(tx: Tx<'_>, code: &str, fam: &str) -> Result<bool, StoreError> {
    let bought = tx
        .execute(&BUY, params![digest(TicketKind::Code, code), fam])
        .await?;
    Ok(bought == 1)
}

/// The kind is hashed too: a ticket of one kind cannot be looked for as another.
fn digest(kind: TicketKind, secret: &str) -> Vec<u8> {
    let text = format!("{}\0{secret}", kind.as_str());
    primitive::sha256(text.as_bytes()).to_vec()
}

static KEEP: Statement = Statement::new(
    "ticket.keep",
    "INSERT INTO tickets (digest, kind, payload, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING",
);

static LOOK: Statement = Statement::new(
    "ticket.look",
    "SELECT payload FROM tickets WHERE digest = $1 AND expires_at > $2 AND redeemed_at IS NULL",
);

static LOOK_BACK: Statement = Statement::new(
    "ticket.look_back",
    "SELECT redeemed_at FROM tickets WHERE digest = $1 AND redeemed_at IS NOT NULL",
);

static AMEND: Statement = Statement::new(
    "ticket.amend",
    "UPDATE tickets SET payload = $2 WHERE digest = $1 AND expires_at > $3 AND redeemed_at IS NULL",
);

static REPLACE: Statement = Statement::new(
    "ticket.replace",
    "UPDATE tickets SET payload = $2 WHERE digest = $1 AND expires_at > $3 AND redeemed_at IS NULL AND payload = $4",
);

static REDEEM: Statement = Statement::new(
    "ticket.redeem",
    "UPDATE tickets SET redeemed_at = $2 WHERE digest = $1 AND expires_at > $2 AND redeemed_at IS NULL
     RETURNING payload",
);

static SEE_AGAIN: Statement = Statement::new(
    "ticket.see_again",
    "UPDATE tickets SET seen_again_at = $2 WHERE digest = $1 AND redeemed_at IS NOT NULL RETURNING bought",
);

static BUY: Statement = Statement::new(
    "ticket.buy",
    "UPDATE tickets SET bought = $2, payload = '' WHERE digest = $1 AND redeemed_at IS NOT NULL AND seen_again_at IS NULL",
);

pub(crate) static STATEMENTS: [&Statement; 8] = [
    &KEEP, &LOOK, &LOOK_BACK, &AMEND, &REPLACE, &REDEEM, &SEE_AGAIN, &BUY,
];
