//! The verb and table of a PartiQL statement.
//!
//! AWS authorises each statement as `dynamodb:PartiQLInsert`, `Update`, `Delete` or `Select` on
//! the table or index that it names
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html>). The emulator
//! does not, so tests compare what is found here with the policy in the template.

/// What a statement is authorised as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The IAM action, such as `dynamodb:PartiQLUpdate`.
    pub action: &'static str,
    /// Table name as written in the statement.
    pub table: String,
    /// Index, if the statement reads one.
    pub index: Option<String>,
}

/// Reads the verb and the table, or `None` where the text is no statement that changes or reads
/// a table.
pub fn parse(text: &str) -> Option<Statement> {
    let text = text.trim_start();
    let verb = text.split_whitespace().next()?.to_ascii_uppercase();
    let (action, before_table) = match verb.as_str() {
        "INSERT" => ("dynamodb:PartiQLInsert", "INTO"),
        "UPDATE" => ("dynamodb:PartiQLUpdate", "UPDATE"),
        "DELETE" => ("dynamodb:PartiQLDelete", "FROM"),
        "SELECT" => ("dynamodb:PartiQLSelect", "FROM"),
        verb if verb.starts_with("EXISTS") => ("dynamodb:PartiQLSelect", "FROM"),
        _ => return None,
    };
    let rest = after_word(text, before_table)?;
    let (table, rest) = identifier(rest)?;
    let index = rest.strip_prefix('.').and_then(identifier).map(|(index, _)| index);
    Some(Statement { action, table, index })
}

/// The text behind the first occurrence of a whole word, in any case.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let upper = text.to_ascii_uppercase();
    let mut from = 0;
    while let Some(found) = upper[from..].find(word) {
        let (start, end) = (from + found, from + found + word.len());
        let alone = |at: Option<u8>| at.is_none_or(|byte| byte.is_ascii_whitespace());
        let before = start.checked_sub(1).and_then(|at| upper.as_bytes().get(at).copied());
        if alone(before) && alone(upper.as_bytes().get(end).copied()) {
            return Some(text[end..].trim_start());
        }
        from = end;
    }
    None
}

/// A quoted or bare name and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, rest) = quoted.split_once('"')?;
        return Some((name.to_owned(), rest));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
        .unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (&'static str, String, Option<String>) {
        let statement = parse(text).unwrap();
        (statement.action, statement.table, statement.index)
    }

    #[test]
    fn each_verb_is_its_own_permission() {
        let table = || "Work-1".to_owned();
        assert_eq!(
            parsed(r#"INSERT INTO "Work-1" VALUE {'pk': ?}"#),
            ("dynamodb:PartiQLInsert", table(), None)
        );
        assert_eq!(
            parsed(r#"update "Work-1" SET v=? WHERE pk=?"#),
            ("dynamodb:PartiQLUpdate", table(), None)
        );
        assert_eq!(
            parsed("DELETE FROM Work-1 WHERE pk=?"),
            ("dynamodb:PartiQLDelete", table(), None)
        );
        assert_eq!(
            parsed(r#"SELECT "from" FROM "Work-1" WHERE pk=?"#),
            ("dynamodb:PartiQLSelect", table(), None)
        );
    }

    #[test]
    fn an_index_is_named_apart_from_its_table() {
        assert_eq!(
            parsed(r#"SELECT * FROM "Work"."Due" WHERE shard=?"#),
            ("dynamodb:PartiQLSelect", "Work".to_owned(), Some("Due".to_owned()))
        );
    }

    #[test]
    fn other_text_is_no_statement() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("DROP TABLE x"), None);
        assert_eq!(parse("DELETE"), None);
    }
}
