//! carnet-store
