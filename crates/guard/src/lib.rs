//! carnet-guard
