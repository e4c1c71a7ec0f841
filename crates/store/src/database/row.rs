//! What comes out of a statement: values read in the order of the columns, never trusted to have a type.

use super::param::Param;
use crate::error::StoreError;
use crate::id::Id;

/// A value as an engine gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
    Bytes(Vec<u8>),
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(super) Vec<Value>);

impl Row {
    /// These columns as parameters of another statement.
    pub(super) fn params(&self, columns: &[usize]) -> Result<Vec<Param>, StoreError> {
        let param = |column: &usize| match self.0.get(*column) {
            Some(Value::Text(text)) => Ok(Param::Text(Some(text.clone()))),
            Some(Value::Int(number)) => Ok(Param::Int(Some(*number))),
            Some(Value::Bool(truth)) => Ok(Param::Bool(Some(*truth))),
            Some(Value::Bytes(bytes)) => Ok(Param::Bytes(Some(bytes.clone()))),
            Some(Value::Null) | None => Err(broken("a column that leads to other rows is empty")),
        };
        columns.iter().map(param).collect()
    }

    /// The values, to be taken one by one.
    pub(crate) fn fields(self) -> Fields {
        Fields(self.0.into_iter())
    }
}

/// The values of a row that are still to be read.
#[derive(Debug)]
pub(crate) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    /// The next column, as this type.
    pub(crate) fn take<T: FromValue>(&mut self) -> Result<T, StoreError> {
        let value = self
            .0
            .next()
            .ok_or_else(|| broken("a row has fewer columns than are read"))?;
        T::from_value(value)
    }
}

/// A type that a column can be read as.
pub(crate) trait FromValue: Sized {
    fn from_value(value: Value) -> Result<Self, StoreError>;
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(broken("a column is not text")),
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Int(number) => Ok(number),
            _ => Err(broken("a column is not a number")),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Bool(truth) => Ok(truth),
            // SQLite has no booleans of its own.
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            _ => Err(broken("a column is not a boolean")),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(broken("a column is not bytes")),
        }
    }
}

impl FromValue for [u8; 16] {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        let bytes = Vec::from_value(value)?;
        bytes
            .try_into()
            .map_err(|_| broken("a column does not hold 16 bytes"))
    }
}

impl FromValue for Id {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        <[u8; 16]>::from_value(value).map(Self)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

fn broken(what: &str) -> StoreError {
    StoreError::Broken(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_another_type_is_an_error_and_no_panic() {
        let row = || Row(vec![Value::Text("x".to_owned()), Value::Null, Value::Int(2)]).fields();
        assert!(row().take::<i64>().is_err());
        assert!(row().take::<Id>().is_err());
        let mut fields = row();
        assert_eq!(fields.take::<String>().unwrap(), "x");
        assert_eq!(fields.take::<Option<i64>>().unwrap(), None);
        assert!(fields.take::<bool>().is_err());
        assert!(fields.take::<i64>().is_err(), "there is no fourth column");
    }
}
