//! carnet-jose
