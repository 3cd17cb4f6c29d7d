//! The arithmetic of a sale.

use rust_decimal::Decimal;

use super::money::cents;
use crate::fault::Fault;

/// A line's amount: what was sent, if it is quantity times price. A quantity or a price of zero
/// counts as not sent, since public clients write one into every line.
pub(super) fn line_amount(
    sent: Decimal,
    quantity: Option<Decimal>,
    price: Option<Decimal>,
) -> Result<Decimal, Fault> {
    let sent = cents(sent);
    let given = |number: Option<Decimal>| number.filter(|number| !number.is_zero());
    let (Some(quantity), Some(price)) = (given(quantity), given(price)) else { return Ok(sent) };
    if quantity.checked_mul(price).map(cents) == Some(sent) {
        return Ok(sent);
    }
    Err(Fault::validation(
        "6070",
        "Amount calculation incorrect in the request",
        format!("Amount is not equal to UnitPrice * Qty. Supplied value:{}", sent.normalize()),
    )
    .at("Line.Amount"))
}

/// What is taken off a subtotal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Discount {
    /// Of a hundred.
    Percent(Decimal),
    Amount(Decimal),
}

impl Discount {
    /// The amount, in cents. A percentage lies between 0 and 100.
    pub(super) fn of(self, subtotal: Decimal) -> Result<Decimal, Fault> {
        let out_of_range =
            |field: &str, number: Decimal| Fault::out_of_range(field, &number.to_string());
        match self {
            Self::Percent(percent) if percent < Decimal::ZERO || percent > Decimal::ONE_HUNDRED => {
                Err(out_of_range("DiscountPercent", percent))
            }
            Self::Percent(percent) => {
                Ok(cents(subtotal * percent.round_dp(6) / Decimal::ONE_HUNDRED))
            }
            Self::Amount(amount) if amount < Decimal::ZERO => Err(out_of_range("Amount", amount)),
            Self::Amount(amount) => Ok(cents(amount)),
        }
    }
}

/// What the customer pays. A sale below zero is refused.
pub(super) fn total(subtotal: Decimal, discount: Decimal, tax: Decimal) -> Result<Decimal, Fault> {
    let total = subtotal - discount + tax;
    if total < Decimal::ZERO {
        return Err(Fault::business("TotalAmt", "Transaction amount must be 0 or greater."));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn code<T>(result: Result<T, Fault>) -> String {
        result.err().map(|fault| fault.code.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_amount_is_quantity_times_price_half_cents_up() {
        assert_eq!(
            line_amount(d("1861.08"), Some(d("128.350")), Some(d("14.5"))).unwrap(),
            d("1861.08")
        );
        assert_eq!(code(line_amount(d("1861.07"), Some(d("128.350")), Some(d("14.5")))), "6070");
        assert_eq!(
            line_amount(d("-1861.08"), Some(d("-128.350")), Some(d("14.5"))).unwrap(),
            d("-1861.08")
        );
        let fault = line_amount(d("1000"), Some(d("7")), Some(d("225"))).unwrap_err();
        assert_eq!(&*fault.detail, "Amount is not equal to UnitPrice * Qty. Supplied value:1000");
    }

    #[test]
    fn an_amount_stands_alone_when_quantity_or_price_is_not_given() {
        for (quantity, price) in [(None, None), (Some(d("2")), None), (None, Some(d("7")))] {
            assert_eq!(line_amount(d("100"), quantity, price).unwrap(), d("100"));
        }
        assert_eq!(line_amount(d("100"), Some(d("0")), Some(d("0"))).unwrap(), d("100"));
    }

    #[test]
    fn a_discount_is_rounded_to_cents_and_bounded() {
        assert_eq!(Discount::Percent(d("12.5")).of(d("99.99")).unwrap(), d("12.50"));
        assert_eq!(Discount::Percent(d("10")).of(d("0.05")).unwrap(), d("0.01"));
        assert_eq!(Discount::Amount(d("5")).of(d("1")).unwrap(), d("5"));
        assert_eq!(code(Discount::Percent(d("101")).of(d("1"))), "2240");
        assert_eq!(code(Discount::Amount(d("-1")).of(d("1"))), "2240");
    }

    #[test]
    fn a_total_is_never_below_zero() {
        assert_eq!(total(d("100"), d("10"), d("7.2")).unwrap(), d("97.2"));
        assert_eq!(code(total(d("1"), d("2"), d("0.5"))), "6000");
    }
}
