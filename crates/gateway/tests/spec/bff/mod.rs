//! The gateway as the backend of an app in a browser.

mod advisories;
mod again;
mod api;
mod back_channel;
mod browser;
mod changes;
mod csrf;
mod host;
mod limits;
mod login;
mod logout;
mod looks;
mod loops;
mod provider;
mod redis;
mod refresh;
mod retold;
mod sealed;
mod sessions;
mod silent;
mod stopping;
mod streams;
mod taken_back;
mod trouble;
mod wire;
mod world;
