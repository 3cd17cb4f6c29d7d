//! The grammar (Intuit's page on data queries):
//! `SELECT * | COUNT(*) | fields FROM entity [WHERE c [AND c]...] [ORDERBY p [ASC|DESC], ...]
//! [STARTPOSITION n] [MAXRESULTS n]`. There is no OR, JOIN or GROUP BY, and nothing for "not equal".

use super::lexer::{Place, Spanned, Token, tokens};
use crate::fault::Fault;

/// The largest and, if none is asked for, the usual page.
const MAX_RESULTS: usize = 1000;
const DEFAULT_RESULTS: usize = 100;
/// The longest statement, in characters. The real limit is not known; there is one on the address of
/// a GET at least.
const MAX_STATEMENT: usize = 65_536;

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Select {
    /// `*`, with the properties that were named beside it.
    All(Vec<String>),
    Count,
    Fields(Vec<String>),
}

/// How a property relates to its literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Like,
}

/// One condition; all of them must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) property: String,
    pub(crate) operator: Operator,
    pub(crate) literals: Vec<String>,
}

/// A statement, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) select: Select,
    pub(crate) entity: String,
    pub(crate) conditions: Vec<Condition>,
    /// Properties and whether they descend.
    pub(crate) order: Vec<(String, bool)>,
    /// Counted from 1.
    pub(crate) start: usize,
    pub(crate) max: usize,
}

/// 4000: it does not parse.
fn parse_fault(detail: &str) -> Fault {
    Fault::validation("4000", "Error parsing query", format!("QueryParserError: {detail}"))
}

/// 4001: it parses and asks for what is not there.
pub(super) fn invalid(detail: &str) -> Fault {
    Fault::validation("4001", "Invalid query", format!("QueryValidationError: {detail}"))
}

/// Reads a statement that may hold any character.
#[cfg(test)]
pub(crate) fn parse(statement: &str) -> Result<Statement, Fault> {
    parse_with(statement, false)
}

/// Reads a statement. With `latin1_only` a character above U+00FF is a lexical error.
pub(crate) fn parse_with(statement: &str, latin1_only: bool) -> Result<Statement, Fault> {
    let chars: Vec<char> = statement.chars().collect();
    if chars.len() > MAX_STATEMENT {
        let length = chars.len();
        return Err(parse_fault(&format!(
            "The statement has {length} characters. Max allowed value is {MAX_STATEMENT}."
        )));
    }
    let (tokens, unreadable) = tokens(&chars, latin1_only);
    if tokens.is_empty() && unreadable.is_none() {
        // The recorded text of a statement with nothing in it.
        return Err(parse_fault(
            "Encountered \"<EOF>\" at line 0, column 0.\nWas expecting:\n    \"select\" ...",
        ));
    }
    let end = Place::of(&chars, chars.len());
    let mut parser = Parser { tokens, at: 0, end, unreadable };
    let statement = parser.statement()?;
    if parser.peek().is_none() && parser.unreadable.is_none() {
        Ok(statement)
    } else {
        Err(parser.unexpected())
    }
}

struct Parser {
    tokens: Vec<Spanned>,
    at: usize,
    end: Place,
    /// What is wrong behind the last token.
    unreadable: Option<String>,
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, Fault> {
        self.keyword("select")?;
        let select = self.select()?;
        self.keyword("from")?;
        let entity = self.word()?;
        let mut conditions = Vec::new();
        if self.take_keyword("where") {
            conditions.push(self.condition()?);
            while self.take_keyword("and") {
                conditions.push(self.condition()?);
            }
        }
        let order = self.order()?;
        let (mut start, mut max) = (None, None);
        loop {
            if start.is_none() && self.take_keyword("startposition") {
                start = Some(self.count(usize::MAX)?);
            } else if max.is_none() && self.take_keyword("maxresults") {
                max = Some(self.count(MAX_RESULTS)?);
            } else {
                break;
            }
        }
        let (start, max) = (start.unwrap_or(1), max.unwrap_or(DEFAULT_RESULTS));
        Ok(Statement { select, entity, conditions, order, start, max })
    }

    fn select(&mut self) -> Result<Select, Fault> {
        if self.take_symbol("*") {
            // `SELECT *, Sku FROM Item` is what a public client sends for all fields and one that
            // `*` once left out.
            let mut beside = Vec::new();
            while self.take_symbol(",") {
                beside.push(self.word()?);
            }
            return Ok(Select::All(beside));
        }
        let first = self.word()?;
        if first.eq_ignore_ascii_case("count") && self.take_symbol("(") {
            self.symbol("*")?;
            self.symbol(")")?;
            return Ok(Select::Count);
        }
        let mut fields = vec![first];
        while self.take_symbol(",") {
            fields.push(self.word()?);
        }
        Ok(Select::Fields(fields))
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        let property = self.word()?;
        let operator = match self.peek() {
            Some(Token::Symbol("=")) => Operator::Equal,
            Some(Token::Symbol("<")) => Operator::Less,
            Some(Token::Symbol("<=")) => Operator::LessOrEqual,
            Some(Token::Symbol(">")) => Operator::Greater,
            Some(Token::Symbol(">=")) => Operator::GreaterOrEqual,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => Operator::In,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("like") => Operator::Like,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        let mut literals = Vec::new();
        if operator == Operator::In {
            self.symbol("(")?;
            literals.push(self.literal()?);
            while self.take_symbol(",") {
                literals.push(self.literal()?);
            }
            self.symbol(")")?;
        } else {
            literals.push(self.literal()?);
        }
        Ok(Condition { property, operator, literals })
    }

    /// Quoted text; bare numbers and booleans are taken as well, as common clients send them.
    fn literal(&mut self) -> Result<String, Fault> {
        let literal = match self.peek() {
            Some(Token::Text(text)) => text.clone(),
            Some(Token::Number(number)) => number.clone(),
            Some(Token::Word(word)) if is_boolean(word) => word.to_ascii_lowercase(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(literal)
    }

    fn order(&mut self) -> Result<Vec<(String, bool)>, Fault> {
        let mut order = Vec::new();
        if self.take_keyword("order") {
            self.keyword("by")?;
        } else if !self.take_keyword("orderby") {
            return Ok(order);
        }
        loop {
            let property = self.word()?;
            let descending = self.take_keyword("desc");
            if !descending {
                self.take_keyword("asc");
            }
            order.push((property, descending));
            if !self.take_symbol(",") {
                return Ok(order);
            }
        }
    }

    /// The number of a page; the text about too large a one is recorded.
    fn count(&mut self, max: usize) -> Result<usize, Fault> {
        let Some(Token::Number(number)) = self.peek() else { return Err(self.unexpected()) };
        let Ok(count) = number.parse::<usize>() else { return Err(self.unexpected()) };
        if count == 0 {
            return Err(invalid("value 0 is too small. Min allowed value is 1"));
        }
        if count > max {
            return Err(invalid(&format!(
                "value {count} is too large. Max allowed value is {max}"
            )));
        }
        self.at += 1;
        Ok(count)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn word(&mut self) -> Result<String, Fault> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(keyword));
        self.at += usize::from(here);
        here
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), Fault> {
        if self.take_keyword(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol);
        self.at += usize::from(here);
        here
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Fault {
        let (what, place) = match (self.tokens.get(self.at), &self.unreadable) {
            (Some((token, place)), _) => (token.describe(), *place),
            (None, Some(problem)) => return parse_fault(problem),
            (None, None) => ("\"<EOF>\"".to_owned(), self.end),
        };
        parse_fault(&format!("Encountered {what} at {place}."))
    }
}

fn is_boolean(word: &str) -> bool {
    word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_statement_parses_in_any_case() {
        let statement = parse(
            "select Id, DisplayName FROM Employee Where DisplayName LIKE '%O\\'Brien' and Active in \
             (true,false) ORDERBY DisplayName desc, Id startposition 11 MaxResults 5",
        )
        .unwrap();
        assert_eq!(statement.select, Select::Fields(vec!["Id".into(), "DisplayName".into()]));
        assert_eq!(statement.conditions[0].literals, ["%O'Brien"]);
        assert_eq!(statement.conditions[1].literals, ["true", "false"]);
        assert_eq!(statement.order, [("DisplayName".into(), true), ("Id".into(), false)]);
        assert_eq!((statement.start, statement.max), (11, 5));
    }

    #[test]
    fn a_page_is_100_unless_asked_and_never_over_1000() {
        assert_eq!(parse("select * from Item").unwrap().max, 100);
        assert_eq!(parse("select * from Item maxresults 1000").unwrap().max, 1000);
        let fault = parse("select * from Item maxresults 1001").unwrap_err();
        assert!(fault.detail.contains("Max allowed value is 1000"));
    }

    #[test]
    fn a_backslash_escapes_a_quote_and_itself() {
        let literal = |statement: &str| parse(statement).unwrap().conditions[0].literals[0].clone();
        assert_eq!(literal(r"select * from Item where Name = 'O\'Brien'"), "O'Brien");
        assert_eq!(literal(r"select * from Item where Name = 'back\\slash'"), r"back\slash");
        assert_eq!(literal(r"select * from Item where Name = 'A\C'"), r"A\C");
        assert_eq!(literal(r"select * from Item where Name = 'end\\'"), r"end\");
    }

    #[test]
    fn doubling_a_quote_is_no_escape() {
        let fault = parse("select * from Item where Name = 'O''Brien'").unwrap_err();
        assert_eq!(&*fault.code, "4000");
        assert!(fault.detail.contains("<STRING>"), "{}", fault.detail);
    }

    #[test]
    fn or_and_other_sql_do_not_parse() {
        for statement in [
            "",
            "select",
            "select * from",
            "select * from Item where Name = 'a' or Name = 'b'",
            "select * from Item, Class",
            "select * from Item group by Name",
            "select * from Item where Name in ()",
            "select * from Item where Name = 'open",
            "select * from Item maxresults 5 maxresults 6",
            "delete from Item",
            "select * from Item;",
            "select * from Item where Name != 'a'",
            "select * from Item where Name <> 'a'",
            "select * from Item where not Name = 'a'",
            "select * from Item where Name = \"a\"",
            "select * from Item where Name = a",
            "select * from Item where (Name = 'a')",
            "select *, from Item",
            "select count(Id) from Item",
            "select distinct Name from Item",
            "select * from Item startposition 99999999999999999999999",
            "select * from Item maxresults -1",
            "select * from Item maxresults 1.5",
            "select * from Item maxresults '5'",
            "select * from Item maxresults 5 where Name = 'a'",
        ] {
            assert_eq!(&*parse(statement).unwrap_err().code, "4000", "{statement}");
        }
    }

    #[test]
    fn blanks_and_lines_do_not_matter_and_errors_name_the_place() {
        let statement = "\n select\t*  \r\n from   Item\n where Name='a'and Active=True\n";
        let statement = parse(statement).unwrap();
        assert_eq!(statement.conditions.len(), 2);
        assert_eq!(statement.conditions[1].literals, ["true"]);
        let detail = |statement: &str| parse(statement).unwrap_err().detail;
        assert_eq!(
            &*detail("select * from Item\nwhere Name = 'Cutlery 'R Us'"),
            "QueryParserError: Encountered \" <IDENTIFIER> \"R \"\" at line 2, column 24."
        );
        assert_eq!(
            &*detail("select * from Item where Name = %27a%27"),
            "QueryParserError: Invalid content. Lexical error at line 1, column 33.  Encountered: \
             \"%\" (37), after : \"\""
        );
        assert!(detail("select * from Item where Name = 'ab").contains("<EOF>, after : \"\\'ab\""));
        assert!(detail(" ").contains("\"<EOF>\" at line 0, column 0."));
    }

    #[test]
    fn a_star_may_stand_beside_fields() {
        let statement = parse("SELECT *, Sku FROM Item MAXRESULTS 100").unwrap();
        assert_eq!(statement.select, Select::All(vec!["Sku".into()]));
    }

    #[test]
    fn a_statement_has_a_longest_length() {
        let statement = |length: usize| {
            let start = "select * from Item where Name = '";
            format!("{start}{}'", "x".repeat(length - start.len() - 1))
        };
        parse(&statement(MAX_STATEMENT)).unwrap();
        let fault = parse(&statement(MAX_STATEMENT + 1)).unwrap_err();
        assert_eq!(&*fault.code, "4000");
        assert!(fault.detail.contains("65537"), "{}", fault.detail);
    }

    #[test]
    fn only_the_old_parser_stumbles_over_a_dash() {
        let statement = "select * from Item where Name = 'Boot \u{2013} 6'";
        parse(statement).unwrap();
        let detail = parse_with(statement, true).unwrap_err().detail;
        assert!(detail.contains(r#"column 39.  Encountered: "\u2013" (8211)"#), "{detail}");
        parse_with("select * from Item where Name = 'Ñandú'", true).unwrap();
    }
}
