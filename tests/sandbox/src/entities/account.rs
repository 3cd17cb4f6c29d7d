//! Account: type, sub-type, classification.

use serde_json::{Map, Value, json};

use super::{Kind, references};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// Longest account number, in characters (API reference, United States).
const MAX_NUMBER: usize = 7;

/// An account type with what follows from it (API reference, table of types and sub-types).
struct AccountType {
    name: &'static str,
    classification: &'static str,
    /// The sub-types; the first is that of an account that names none.
    sub_types: &'static [&'static str],
}

const TYPES: &[AccountType] = &[
    AccountType {
        name: "Bank",
        classification: "Asset",
        sub_types: &[
            "CashOnHand",
            "Checking",
            "MoneyMarket",
            "RentsHeldInTrust",
            "Savings",
            "TrustAccounts",
        ],
    },
    AccountType {
        name: "Accounts Receivable",
        classification: "Asset",
        sub_types: &["AccountsReceivable"],
    },
    AccountType {
        name: "Other Current Asset",
        classification: "Asset",
        sub_types: &[
            "EmployeeCashAdvances",
            "AllowanceForBadDebts",
            "DevelopmentCosts",
            "Inventory",
            "Investment_MortgageRealEstateLoans",
            "Investment_TaxExemptSecurities",
            "Investment_USGovernmentObligations",
            "LoansToOfficers",
            "LoansToOthers",
            "LoansToStockholders",
            "OtherCurrentAssets",
            "PrepaidExpenses",
            "Retainage",
            "UndepositedFunds",
        ],
    },
    AccountType {
        name: "Fixed Asset",
        classification: "Asset",
        sub_types: &[
            "FurnitureAndFixtures",
            "AccumulatedDepletion",
            "AccumulatedDepreciation",
            "AccumulatedAmortization",
            "Buildings",
            "DepletableAssets",
            "FixedAssetComputers",
            "FixedAssetCopiers",
            "FixedAssetFurniture",
            "FixedAssetPhone",
            "FixedAssetPhotoVideo",
            "FixedAssetSoftware",
            "FixedAssetOtherToolsEquipment",
            "IntangibleAssets",
            "Land",
            "LeaseholdImprovements",
            "MachineryAndEquipment",
            "OtherFixedAssets",
            "Vehicles",
        ],
    },
    AccountType {
        name: "Other Asset",
        classification: "Asset",
        sub_types: &[
            "AccumulatedAmortizationOfOtherAssets",
            "Goodwill",
            "LeaseBuyout",
            "Licenses",
            "OrganizationalCosts",
            "OtherLongTermAssets",
            "SecurityDeposits",
        ],
    },
    AccountType {
        name: "Accounts Payable",
        classification: "Liability",
        sub_types: &["AccountsPayable"],
    },
    AccountType { name: "Credit Card", classification: "Liability", sub_types: &["CreditCard"] },
    AccountType {
        name: "Other Current Liability",
        classification: "Liability",
        sub_types: &[
            "OtherCurrentLiabilities",
            "DirectDepositPayable",
            "FederalIncomeTaxPayable",
            "GlobalTaxPayable",
            "GlobalTaxSuspense",
            "InsurancePayable",
            "LineOfCredit",
            "LoanPayable",
            "PayrollClearing",
            "PayrollTaxPayable",
            "PrepaidExpensesPayable",
            "RentsInTrustLiability",
            "SalesTaxPayable",
            "StateLocalIncomeTaxPayable",
            "TrustAccountsLiabilities",
        ],
    },
    AccountType {
        name: "Long Term Liability",
        classification: "Liability",
        sub_types: &["OtherLongTermLiabilities", "NotesPayable", "ShareholderNotesPayable"],
    },
    AccountType {
        name: "Equity",
        classification: "Equity",
        sub_types: &[
            "OpeningBalanceEquity",
            "AccumulatedAdjustment",
            "CommonStock",
            "EstimatedTaxes",
            "Healthcare",
            "OwnersEquity",
            "PaidInCapitalOrSurplus",
            "PartnerContributions",
            "PartnerDistributions",
            "PartnersEquity",
            "PersonalExpense",
            "PersonalIncome",
            "PreferredStock",
            "RetainedEarnings",
            "TreasuryStock",
        ],
    },
    AccountType {
        name: "Income",
        classification: "Revenue",
        sub_types: &[
            "OtherPrimaryIncome",
            "DiscountsRefundsGiven",
            "NonProfitIncome",
            "SalesOfProductIncome",
            "ServiceFeeIncome",
            "UnappliedCashPaymentIncome",
        ],
    },
    AccountType {
        name: "Cost of Goods Sold",
        classification: "Expense",
        sub_types: &[
            "SuppliesMaterialsCogs",
            "CostOfLaborCos",
            "EquipmentRentalCos",
            "OtherCostsOfServiceCos",
            "ShippingFreightDeliveryCos",
        ],
    },
    AccountType {
        name: "Expense",
        classification: "Expense",
        sub_types: &[
            "Travel",
            "AdvertisingPromotional",
            "Auto",
            "BadDebts",
            "BankCharges",
            "CharitableContributions",
            "CostOfLabor",
            "DuesSubscriptions",
            "Entertainment",
            "EntertainmentMeals",
            "EquipmentRental",
            "FinanceCosts",
            "GlobalTaxExpense",
            "Insurance",
            "InterestPaid",
            "LegalProfessionalFees",
            "OfficeExpenses",
            "OfficeGeneralAdministrativeExpenses",
            "OtherBusinessExpenses",
            "OtherMiscellaneousServiceCost",
            "PayrollExpenses",
            "PromotionalMeals",
            "RentOrLeaseOfBuildings",
            "RepairMaintenance",
            "ShippingFreightDelivery",
            "SuppliesMaterials",
            "TaxesPaid",
            "TravelMeals",
            "UnappliedCashBillPaymentExpense",
            "Utilities",
        ],
    },
    AccountType {
        name: "Other Income",
        classification: "Revenue",
        sub_types: &[
            "OtherInvestmentIncome",
            "DividendIncome",
            "InterestEarned",
            "OtherMiscellaneousIncome",
            "TaxExemptInterest",
        ],
    },
    AccountType {
        name: "Other Expense",
        classification: "Expense",
        sub_types: &[
            "OtherMiscellaneousExpense",
            "Amortization",
            "Depreciation",
            "ExchangeGainOrLoss",
            "PenaltiesSettlements",
        ],
    },
];

/// Checks a whole account but its name; fills in type, sub-type and classification.
pub(super) fn finish(
    state: &State,
    fields: &mut Fields,
    old: Option<&Record>,
) -> Result<(), Fault> {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    // API reference: neither quotation marks nor colons; the colon is checked for every list.
    if text("Name").is_some_and(|name| name.contains('"')) {
        return Err(Fault::bad_characters("Name"));
    }
    if let Some(number) = text("AcctNum") {
        let length = number.chars().count();
        if length > MAX_NUMBER {
            return Err(Fault::too_long("AcctNum", MAX_NUMBER, length));
        }
    }
    let (kind, sub_type) = match (text("AccountType"), text("AccountSubType")) {
        (Some(name), sub_type) => {
            let kind = TYPES
                .iter()
                .find(|kind| kind.name == name)
                .ok_or_else(|| Fault::bad_enumeration("AccountType", name))?;
            (kind, sub_type.unwrap_or(kind.sub_types[0]))
        }
        (None, Some(sub_type)) => {
            let kind = TYPES.iter().find(|kind| kind.sub_types.contains(&sub_type));
            (kind.ok_or_else(|| Fault::bad_enumeration("AccountSubType", sub_type))?, sub_type)
        }
        // 6010 of the published list.
        (None, None) => {
            return Err(Fault::validation(
                "6010",
                "Invalid Account.AccountType && Account.SubType",
                "Either an Account.AccountType or an Account.AccountSubType must be specified",
            )
            .at("AccountType"));
        }
    };
    if !kind.sub_types.contains(&sub_type) {
        return Err(Fault::bad_enumeration("AccountSubType", sub_type));
    }
    let sub_type = sub_type.to_owned();
    if let Some(parent) = references::active(state, Kind::Account, fields, "ParentRef")?
        && parent.text("AccountType") != Some(kind.name)
    {
        return Err(Fault::business(
            "ParentRef",
            "The account type of a sub-account must be that of its parent.",
        ));
    }
    if let Some(old) = old
        && old.is_active()
        && fields.get("Active") == Some(&Value::Bool(false))
        && is_special(old)
    {
        return Err(Fault::business(
            "Active",
            "This account is used by QuickBooks itself and can't be made inactive.",
        ));
    }
    fields.insert("AccountType".into(), json!(kind.name));
    fields.insert("AccountSubType".into(), json!(sub_type));
    fields.insert("Classification".into(), json!(kind.classification));
    // Accounts are a list to choose from here: no postings are kept.
    for field in ["CurrentBalance", "CurrentBalanceWithSubAccounts"] {
        fields.entry(field).or_insert_with(|| json!(0));
    }
    fields.entry("CurrencyRef").or_insert_with(|| json!({ "value": "USD" }));
    Ok(())
}

/// What QuickBooks needs for its own postings.
fn is_special(account: &Record) -> bool {
    matches!(
        account.text("AccountSubType"),
        Some(
            "AccountsReceivable"
                | "AccountsPayable"
                | "UndepositedFunds"
                | "OpeningBalanceEquity"
                | "RetainedEarnings"
                | "SalesTaxPayable"
        )
    )
}

/// 6000 unless `account` is of one of `types`.
pub(super) fn is_of(account: &Record, field: &str, types: &[&str]) -> Result<(), Fault> {
    if account.text("AccountType").is_some_and(|kind| types.contains(&kind)) {
        return Ok(());
    }
    Err(Fault::business(field, &format!("The account must be of the type {}.", types.join(" or "))))
}
