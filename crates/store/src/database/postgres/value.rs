//! Values on their way to and from PostgreSQL's binary format.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::database::param::Param;
use crate::database::row::{Row, Value};
use crate::error::StoreError;

/// A row, with every column as one of the four types.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    (0..row.len())
        .map(|column| value(row, column))
        .collect::<Result<_, _>>()
        .map(Row)
}

fn value(row: &tokio_postgres::Row, column: usize) -> Result<Value, StoreError> {
    let broken =
        |error: tokio_postgres::Error| StoreError::Broken(format!("a column cannot be read: {error}"));
    let of = row.columns().get(column).map(tokio_postgres::Column::type_);
    Ok(match of {
        Some(&Type::TEXT | &Type::VARCHAR) => row
            .try_get::<_, Option<String>>(column)
            .map_err(broken)?
            .map_or(Value::Null, Value::Text),
        Some(&Type::INT8) => row
            .try_get::<_, Option<i64>>(column)
            .map_err(broken)?
            .map_or(Value::Null, Value::Int),
        Some(&Type::BOOL) => row
            .try_get::<_, Option<bool>>(column)
            .map_err(broken)?
            .map_or(Value::Null, Value::Bool),
        Some(&Type::BYTEA) => row
            .try_get::<_, Option<Vec<u8>>>(column)
            .map_err(broken)?
            .map_or(Value::Null, Value::Bytes),
        _ => {
            return Err(StoreError::Broken(
                "a column has a type outside the house dialect".to_owned(),
            ));
        }
    })
}

impl ToSql for Param {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, of) {
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(of, out),
            (Self::Int(number), &Type::INT8) => number.to_sql(of, out),
            (Self::Bool(truth), &Type::BOOL) => truth.to_sql(of, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(of, out),
            _ => Err(format!("a parameter of another type than {of}").into()),
        }
    }

    fn accepts(of: &Type) -> bool {
        matches!(
            *of,
            Type::TEXT | Type::VARCHAR | Type::INT8 | Type::BOOL | Type::BYTEA
        )
    }

    to_sql_checked!();
}
