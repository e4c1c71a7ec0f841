//! What Carnet remembers: one SQL text, two engines.
//!
//! [`Store`] is one struct with a method for every question; there is no repository trait. The engine is known
//! to the modules under `database` alone.

mod administrator;
mod audit;
mod browser;
mod client;
mod config;
mod credential;
mod cut;
mod database;
mod error;
mod family;
mod grant;
mod id;
mod judge;
mod live_session;
mod logout_notice;
mod migration;
mod names;
mod registry;
mod registry_change;
mod revocation;
mod role;
mod rotation;
mod session;
mod settings;
mod signing_key;
mod statements;
mod store;
mod sweep;
mod throttle;
mod ticket;
mod user;
mod withdrawal;

pub use audit::{AuditAction, AuditRow, NewAudit, Outcome};
pub use browser::{BrowserSession, NewBrowserSession};
pub use client::{ClientRow, ClientSecret, ClientState, ON_ITS_WAY_MS};
pub use config::{Engine, StoreConfig};
pub use credential::NewPassword;
pub use cut::{Cut, Reason};
pub use database::Statement;
pub use error::StoreError;
pub use family::{BrowserLogin, Family, FamilyRecord, NewLogin, Tie};
pub use grant::{Grant, GrantKey};
pub use id::Id;
pub use judge::{Verdict, judge};
pub use live_session::{ConcernedClient, LiveSession};
pub use logout_notice::LogoutNotice;
pub use migration::MigrationReport;
pub use registry::{RegisteredUser, Registry};
pub use registry_change::{ClientChange, RegistryChange, RegistryStep, UserChange, UserProfile};
pub use revocation::{RevocationClock, RevocationEntry, TokenFacts};
pub use role::{Access, Role};
pub use rotation::Rotated;
pub use session::{Session, Strength};
pub use signing_key::{KeyState, SigningKeyRow};
pub use statements::statements;
pub use store::Store;
pub use sweep::SweepReport;
pub use throttle::ThrottleRule;
pub use ticket::{Redeemed, TicketKind};
pub use user::{LoginRecord, NewUser, User, UserState};
