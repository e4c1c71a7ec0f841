//! The house dialect: every statement is understood by both engines, and means the same types to both.

use std::collections::HashMap;

use carnet_store::{Engine, statements};
use rusqlite::Connection;

use crate::support::engine::{Fixture, Kind, postgres_client};

/// What SQLite says of a column: declared where the column is a plain one, else looked up by its name.
type Declared = HashMap<String, String>;

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_prepared_on_both_engines_with_the_same_types() {
    let (file, server) = (
        Fixture::open(Kind::File).await,
        Fixture::open(Kind::Postgres).await,
    );
    let (Engine::Sqlite { path }, Engine::Postgres { url, .. }) =
        (&file.config.engine, &server.config.engine)
    else {
        panic!("one of each")
    };
    let sqlite = Connection::open(path).unwrap();
    let postgres = postgres_client(url).await;
    let declared = declared(&sqlite);
    let mut compared = 0;
    for statement in statements() {
        let (name, text) = (statement.name, statement.sql);
        let here = sqlite
            .prepare(text)
            .unwrap_or_else(|error| panic!("{name} on SQLite: {error}"));
        let there = postgres
            .prepare(text)
            .await
            .unwrap_or_else(|error| panic!("{name} on PostgreSQL: {error:?}"));
        assert_eq!(here.parameter_count(), there.params().len(), "{name}: parameters");
        for parameter in there.params() {
            assert!(
                ["text", "int8", "bool", "bytea"].contains(&parameter.name()),
                "{name}: a {parameter} parameter"
            );
        }
        let columns: Vec<_> = here
            .columns()
            .map(|c| (c.name().to_owned(), c.decl_type().map(str::to_owned)))
            .collect();
        assert_eq!(columns.len(), there.columns().len(), "{name}: columns");
        for ((column, kind), other) in columns.into_iter().zip(there.columns()) {
            let kind = kind.as_ref().or_else(|| declared.get(&column));
            let kind = kind.unwrap_or_else(|| {
                panic!("{name}: {column} has no known type on SQLite; name it after a column")
            });
            assert_eq!(in_postgres(kind), other.type_().name(), "{name}: {column}");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} columns were compared");
    drop(sqlite);
    file.finish().await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_schemas_have_the_same_columns_and_differ_in_bytes_alone() {
    let (file, server) = (
        Fixture::open(Kind::File).await,
        Fixture::open(Kind::Postgres).await,
    );
    let (Engine::Sqlite { path }, Engine::Postgres { url, .. }) =
        (&file.config.engine, &server.config.engine)
    else {
        panic!("one of each")
    };
    let sqlite = Connection::open(path).unwrap();
    let mut here: Vec<(String, String, bool)> = Vec::new();
    for table in tables(&sqlite) {
        let mut columns = sqlite
            .prepare("SELECT name, type, \"notnull\" FROM pragma_table_info(?1)")
            .unwrap();
        let rows = columns.query_map([&table], |row| {
            let kind: String = row.get(1)?;
            Ok((
                format!("{table}.{}", row.get::<_, String>(0)?),
                in_postgres(&kind).to_owned(),
                row.get(2)?,
            ))
        });
        here.extend(rows.unwrap().map(Result::unwrap));
    }
    let there = postgres_client(url)
        .await
        .query(
            "SELECT table_name || '.' || column_name, udt_name::text, is_nullable = 'NO'
             FROM information_schema.columns WHERE table_schema = current_schema()",
            &[],
        )
        .await
        .unwrap();
    let mut there: Vec<(String, String, bool)> = there
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    here.sort();
    there.sort();
    assert_eq!(here, there);
    drop(sqlite);
    file.finish().await;
    server.finish().await;
}

fn tables(sqlite: &Connection) -> Vec<String> {
    let mut tables = sqlite
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .unwrap();
    tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn declared(sqlite: &Connection) -> Declared {
    let mut declared = Declared::new();
    for table in tables(sqlite) {
        let mut columns = sqlite
            .prepare("SELECT name, type FROM pragma_table_info(?1)")
            .unwrap();
        for row in columns
            .query_map([&table], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
        {
            let (name, kind): (String, String) = row.unwrap();
            let other = declared.insert(name.clone(), kind.clone());
            assert!(other.is_none_or(|other| other == kind), "{name} has two types");
        }
    }
    declared
}

fn in_postgres(kind: &str) -> &'static str {
    match kind {
        "TEXT" => "text",
        "BIGINT" => "int8",
        "BOOLEAN" => "bool",
        "BLOB" => "bytea",
        other => panic!("{other} is not of the house dialect"),
    }
}
