//! A transaction as a document: one page, just enough that a reader of PDF opens it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Kind, money};
use crate::{fault::Fault, store::State};

/// An invoice or estimate as a PDF document; 610 if there is none, 500 for the other kinds.
pub(crate) fn pdf(state: &State, kind: Kind, id: &str) -> Result<Vec<u8>, Fault> {
    if !matches!(kind, Kind::Invoice | Kind::Estimate) {
        return Err(Fault::unsupported_operation(format!(
            "Operation pdf is not supported for the entity {}.",
            kind.name()
        )));
    }
    super::permitted(state, kind)?;
    let record = state.table(kind).get(id).ok_or_else(Fault::not_found)?;
    Ok(render(kind, &record.fields))
}

fn render(kind: Kind, fields: &Map<String, Value>) -> Vec<u8> {
    let number = fields.get("DocNumber").and_then(Value::as_str).unwrap_or("");
    let total = money::stored(fields, "TotalAmt");
    let text = format!("{} {number}   Total {total:.2}", kind.name());
    // The standard fonts hold Latin letters; brackets and backslashes would end the text.
    let text: String = text
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"()\\".contains(c) { c } else { ' ' })
        .collect();
    let page = format!("BT /F1 18 Tf 72 720 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut out = String::from("%PDF-1.4\n");
    let mut table = String::from("0000000000 65535 f \n");
    for (place, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", out.len());
        let _ = writeln!(out, "{} 0 obj\n{object}\nendobj", place + 1);
    }
    let start = out.len();
    let count = objects.len() + 1;
    let _ = write!(
        out,
        "xref\n0 {count}\n{table}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_object_lies_where_the_table_says() {
        let Value::Object(fields) = json!({ "DocNumber": "10(0)1\u{1f600}", "TotalAmt": 5 }) else {
            panic!("an object")
        };
        let bytes = render(Kind::Invoice, &fields);
        let text = std::str::from_utf8(&bytes).unwrap();
        let table = text.split("0000000000 65535 f \n").nth(1).unwrap();
        for (place, line) in table.lines().take(5).enumerate() {
            let offset: usize = line[..10].parse().unwrap();
            assert!(text[offset..].starts_with(&format!("{} 0 obj", place + 1)));
        }
        let start: usize = text.lines().rev().nth(1).unwrap().parse().unwrap();
        assert!(text[start..].starts_with("xref"));
        assert!(text.contains("(Invoice 10 0 1    Total 5.00)"), "{text}");
    }
}
