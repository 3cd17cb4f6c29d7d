//! The lines of invoices and estimates: what each needs, and the order of the answer.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    Kind, money, references,
    totals::{self, Discount},
};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// Most lines of a transaction (limits page).
const MAX_LINES: usize = 10_000;
/// The account of a discount that names none, in the seeded charts.
const DISCOUNT_ACCOUNT: &str = "86";
/// The item of a line that names none: "Services", which every company starts with.
const DEFAULT_ITEM: &str = "1";

/// Lines that were checked.
pub(super) struct Lines {
    /// As stored and answered: the goods, their subtotal, then a discount.
    pub(super) lines: Vec<Value>,
    pub(super) subtotal: Decimal,
    /// Zero or more.
    pub(super) discount: Decimal,
}

/// Checks the lines of `fields` and computes what follows from them. Ids of `old` are kept.
pub(super) fn finish(state: &State, fields: &Fields, old: Option<&Record>) -> Result<Lines, Fault> {
    let sent =
        fields.get("Line").and_then(Value::as_array).ok_or_else(|| Fault::missing("Line"))?;
    if sent.len() > MAX_LINES {
        return Err(Fault::business("Line", "A transaction can't have more than 10000 lines."));
    }
    let mut goods = Vec::new();
    let mut discount: Option<Fields> = None;
    for line in sent.iter().filter_map(Value::as_object) {
        let kind = line.get("DetailType").and_then(Value::as_str);
        match kind.ok_or_else(|| Fault::missing("Line.DetailType"))? {
            // QuickBooks adds it itself; one that is sent back is ignored.
            "SubTotalLineDetail" => {}
            "DiscountLineDetail" if discount.is_some() => {
                return Err(Fault::business("Line", "Only one discount line is allowed."));
            }
            "DiscountLineDetail" => discount = Some(line.clone()),
            _ => goods.push(good(state, line)?),
        }
    }
    if goods.is_empty() {
        return Err(Fault::missing("Line"));
    }
    let subtotal = goods.iter().map(|line| money::stored(line, "Amount")).sum();
    let discount = discount.map(|line| discount_line(state, line, subtotal)).transpose()?;
    let taken = discount.as_ref().map_or(Decimal::ZERO, |line| money::stored(line, "Amount"));

    number(&mut goods, discount.as_ref(), old);
    let mut lines: Vec<Value> = goods.into_iter().map(Value::Object).collect();
    lines.push(json!({
        "Amount": money::value(subtotal),
        "DetailType": "SubTotalLineDetail",
        "SubTotalLineDetail": {},
    }));
    lines.extend(discount.map(Value::Object));
    Ok(Lines { lines, subtotal, discount: taken })
}

/// Gives lines their numbers, and Ids to those that have none the transaction knows.
fn number(goods: &mut [Fields], discount: Option<&Fields>, old: Option<&Record>) {
    let known: HashSet<&str> = old
        .into_iter()
        .flat_map(|old| crate::store::lines(&old.fields))
        .filter_map(|line| line.get("Id")?.as_str())
        .collect();
    let mut last = known.iter().filter_map(|id| id.parse::<u64>().ok()).max().unwrap_or(0);
    let mut used = HashSet::new();
    if let Some(id) = discount.and_then(|line| line.get("Id")?.as_str()) {
        used.insert(id.to_owned());
    }
    for (place, line) in goods.iter_mut().enumerate() {
        let own = line.get("Id").and_then(Value::as_str).filter(|id| known.contains(id));
        let id = match own {
            Some(id) if used.insert(id.to_owned()) => id.to_owned(),
            _ => {
                last += 1;
                last.to_string()
            }
        };
        line.insert("Id".into(), json!(id));
        line.insert("LineNum".into(), json!(place + 1));
    }
}

/// A line that is no subtotal and no discount.
fn good(state: &State, line: &Fields) -> Result<Fields, Fault> {
    let mut line = line.clone();
    line.retain(|_, value| !value.is_null());
    match line.get("DetailType").and_then(Value::as_str).unwrap_or("") {
        "SalesItemLineDetail" => sales_item(state, &mut line)?,
        "GroupLineDetail" => group(state, &mut line)?,
        "DescriptionOnly" => {
            line.remove("Amount");
        }
        other => return Err(Fault::bad_enumeration("Line.DetailType", other)),
    }
    Ok(line)
}

fn sales_item(state: &State, line: &mut Fields) -> Result<(), Fault> {
    let mut detail = match line.get("SalesItemLineDetail") {
        Some(Value::Object(detail)) => detail.clone(),
        _ => return Err(Fault::missing("SalesItemLineDetail")),
    };
    detail.retain(|_, value| !value.is_null());
    let sent = money::number(line, "Amount")?.ok_or_else(|| Fault::missing("Line.Amount"))?;
    let (quantity, price) = (money::number(&detail, "Qty")?, money::number(&detail, "UnitPrice")?);
    let amount = totals::line_amount(sent, quantity, price)?;
    line.insert("Amount".into(), money::value(amount));

    if !detail.contains_key("ItemRef") && state.table(Kind::Item).get(DEFAULT_ITEM).is_some() {
        detail.insert("ItemRef".into(), json!({ "value": DEFAULT_ITEM }));
    }
    let item = references::active(state, Kind::Item, &detail, "ItemRef")?
        .ok_or_else(|| Fault::missing("ItemRef"))?;
    if matches!(item.text("Type"), Some("Category" | "Group")) {
        return Err(Fault::business("ItemRef", "A category or a bundle can't be sold by itself."));
    }
    references::class(state, &detail)?;
    let code = match references::id_of(&detail, "TaxCodeRef") {
        Some(code) => code.to_owned(),
        None if item.fields.get("Taxable") == Some(&Value::Bool(true)) => "TAX".to_owned(),
        None => "NON".to_owned(),
    };
    check_tax_code(state, &code)?;
    detail.insert("TaxCodeRef".into(), json!({ "value": code }));
    line.insert("SalesItemLineDetail".into(), Value::Object(detail));
    Ok(())
}

/// 6100 of the published list: in the United States a line is TAX or NON; elsewhere a code of the
/// company's.
fn check_tax_code(state: &State, code: &str) -> Result<(), Fault> {
    if state.table(Kind::TaxCode).get(code).is_some_and(Record::is_active) {
        return Ok(());
    }
    Err(Fault::validation(
        "6100",
        "Invalid Line TaxCode in the request",
        format!("Valid Line TaxCodes for US should be TAX or NON. Supplied value:{code}"),
    )
    .at("TaxCodeRef"))
}

/// A bundle: its lines are sales items, its amount is their sum.
fn group(state: &State, line: &mut Fields) -> Result<(), Fault> {
    let mut detail = match line.get("GroupLineDetail") {
        Some(Value::Object(detail)) => detail.clone(),
        _ => return Err(Fault::missing("GroupLineDetail")),
    };
    let item = references::active(state, Kind::Item, &detail, "GroupItemRef")?
        .ok_or_else(|| Fault::missing("GroupItemRef"))?;
    if item.text("Type") != Some("Group") {
        return Err(Fault::business("GroupItemRef", "The item of a group line must be a bundle."));
    }
    let mut inner = Vec::new();
    let mut amount = Decimal::ZERO;
    for part in crate::store::lines(&detail) {
        let kind = part.get("DetailType").and_then(Value::as_str).unwrap_or("");
        if kind != "SalesItemLineDetail" {
            return Err(Fault::bad_enumeration("Line.DetailType", kind));
        }
        let part = good(state, part)?;
        amount += money::stored(&part, "Amount");
        inner.push(Value::Object(part));
    }
    detail.insert("Line".into(), Value::Array(inner));
    line.insert("Amount".into(), money::value(amount));
    line.insert("GroupLineDetail".into(), Value::Object(detail));
    Ok(())
}

fn discount_line(state: &State, mut line: Fields, subtotal: Decimal) -> Result<Fields, Fault> {
    let mut detail = match line.get("DiscountLineDetail") {
        Some(Value::Object(detail)) => detail.clone(),
        _ => Map::new(),
    };
    detail.retain(|_, value| !value.is_null());
    let percent = money::number(&detail, "DiscountPercent")?;
    let amount = money::number(&line, "Amount")?;
    let by_percent = detail.get("PercentBased") == Some(&Value::Bool(true));
    let discount = match (by_percent, percent, amount) {
        (true, Some(percent), _) => Discount::Percent(percent),
        (false, _, Some(amount)) => Discount::Amount(amount),
        // 6090 of the published list.
        _ => {
            return Err(Fault::validation(
                "6090",
                "Discount Line missing required info",
                "Discount amount or percent should be provided.",
            )
            .at("DiscountLineDetail"));
        }
    };
    let amount = discount.of(subtotal)?;
    if detail.contains_key("DiscountAccountRef") {
        references::active(state, Kind::Account, &detail, "DiscountAccountRef")?;
    } else if state.table(Kind::Account).get(DISCOUNT_ACCOUNT).is_some() {
        detail.insert("DiscountAccountRef".into(), json!({ "value": DISCOUNT_ACCOUNT }));
    }
    references::class(state, &detail)?;
    detail.insert("PercentBased".into(), json!(by_percent));
    line.retain(|_, value| !value.is_null());
    line.insert("Amount".into(), money::value(amount));
    line.insert("DiscountLineDetail".into(), Value::Object(detail));
    Ok(line)
}
