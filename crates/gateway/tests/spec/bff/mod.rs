//! The gateway as the backend of an app in a browser.

mod advisories;
mod api;
mod back_channel;
mod browser;
mod csrf;
mod login;
mod logout;
mod loops;
mod provider;
mod refresh;
mod sessions;
mod world;
