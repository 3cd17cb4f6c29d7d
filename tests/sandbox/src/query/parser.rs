//! The grammar:
//! `SELECT * | COUNT(*) | fields FROM entity [WHERE c [AND c]...] [ORDERBY p [ASC|DESC], ...]
//! [STARTPOSITION n] [MAXRESULTS n]`. There is no OR, JOIN or GROUP BY.

use super::lexer::{Spanned, Token, tokens};
use crate::fault::Fault;

/// The largest and, if none is asked for, the usual page.
const MAX_RESULTS: usize = 1000;
const DEFAULT_RESULTS: usize = 100;

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Select {
    All,
    Count,
    Fields(Vec<String>),
}

/// How a property relates to its literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
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

/// Reads a statement.
pub(crate) fn parse(statement: &str) -> Result<Statement, Fault> {
    let tokens = tokens(statement).map_err(|detail| parse_fault(&detail))?;
    let end = statement.chars().count() + 1;
    let mut parser = Parser { tokens, at: 0, end };
    let statement = parser.statement()?;
    match parser.peek() {
        None => Ok(statement),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Spanned>,
    at: usize,
    end: usize,
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
                start = Some(self.count("STARTPOSITION", usize::MAX)?);
            } else if max.is_none() && self.take_keyword("maxresults") {
                max = Some(self.count("MAXRESULTS", MAX_RESULTS)?);
            } else {
                break;
            }
        }
        let (start, max) = (start.unwrap_or(1), max.unwrap_or(DEFAULT_RESULTS));
        Ok(Statement { select, entity, conditions, order, start, max })
    }

    fn select(&mut self) -> Result<Select, Fault> {
        if self.take_symbol("*") {
            return Ok(Select::All);
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
            Some(Token::Symbol("!=")) => Operator::NotEqual,
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

    fn count(&mut self, what: &str, max: usize) -> Result<usize, Fault> {
        let Some(Token::Number(number)) = self.peek() else { return Err(self.unexpected()) };
        let Ok(count) = number.parse::<usize>() else { return Err(self.unexpected()) };
        if count == 0 {
            return Err(invalid(&format!(
                "value 0 for {what} is too small. Min allowed value is 1."
            )));
        }
        if count > max {
            return Err(invalid(&format!(
                "value {count} for {what} is too large. Max allowed value is {max}."
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
        let (what, column) = match self.tokens.get(self.at) {
            Some((token, column)) => (token.describe(), *column),
            None => ("\"<EOF>\"".to_owned(), self.end),
        };
        parse_fault(&format!("Encountered {what} at line 1, column {column}."))
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
        ] {
            assert_eq!(&*parse(statement).unwrap_err().code, "4000", "{statement}");
        }
    }
}
