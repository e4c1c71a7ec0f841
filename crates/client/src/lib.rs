//! carnet-client
