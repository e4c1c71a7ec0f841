//! What goes into a statement: four types, each with a typed NULL.

use crate::error::StoreError;
use crate::id::Id;

/// A value for a `$n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

impl Param {
    /// Refuses what only one of the engines takes, so that both do the same.
    pub(crate) fn check(params: &[Self]) -> Result<(), StoreError> {
        let has_nul = |param: &Self| matches!(param, Self::Text(Some(text)) if text.contains('\0'));
        match params.iter().any(has_nul) {
            true => Err(StoreError::Unstorable),
            false => Ok(()),
        }
    }
}

/// The values of `$1`, `$2`, … in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        vec![ $( $crate::database::Param::from($value) ),* ] as Vec<$crate::database::Param>
    };
}

pub(crate) use params;

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<&String> for Param {
    fn from(value: &String) -> Self {
        Self::Text(Some(value.clone()))
    }
}

impl From<Option<&str>> for Param {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<i64> for Param {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Param {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Self::Bool(Some(value))
    }
}

impl From<Vec<u8>> for Param {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<Option<Id>> for Param {
    fn from(value: Option<Id>) -> Self {
        Self::Bytes(value.map(|id| id.0.to_vec()))
    }
}

impl From<Option<Vec<u8>>> for Param {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value)
    }
}

impl From<[u8; 16]> for Param {
    fn from(value: [u8; 16]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl From<Id> for Param {
    fn from(value: Id) -> Self {
        value.0.into()
    }
}
