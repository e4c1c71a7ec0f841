//! The two differences between the engines' texts, each rewritten here and nowhere else.

/// `$1` as `?1`: SQLite would take `$1` for a name, numbered by where it first stands.
pub(super) fn sqlite_parameters(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    while let Some(letter) = rest.next() {
        let parameter = letter == '$' && rest.peek().is_some_and(char::is_ascii_digit);
        text.push(if parameter { '?' } else { letter });
    }
    text
}

/// The column type `BLOB` as `BYTEA`.
pub(super) fn postgres_types(script: &str) -> String {
    script
        .split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .map(|word| match word.strip_prefix("BLOB") {
            Some(end) if end.len() <= 1 => format!("BYTEA{end}"),
            _ => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_renamed_and_nothing_else() {
        assert_eq!(
            sqlite_parameters("a = $1 AND b = $12 AND c = '$'"),
            "a = ?1 AND b = ?12 AND c = '$'"
        );
    }

    #[test]
    fn only_the_whole_word_is_a_type() {
        assert_eq!(
            postgres_types("id BLOB, BLOB\n BLOBS a_BLOB BLOB"),
            "id BYTEA, BYTEA\n BLOBS a_BLOB BYTEA"
        );
    }
}
