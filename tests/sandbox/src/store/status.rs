//! What is wrong with a company, if anything.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Shape};

/// A company's standing at Intuit. Its tokens live whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CompanyStatus {
    #[default]
    Active,
    /// The person who connected is no admin any more (120).
    AdminLost,
    /// It may be read; a write is 6190.
    SubscriptionEnded,
    /// Locked out (140).
    Locked,
    /// Under maintenance (150).
    UnderMaintenance,
}

impl CompanyStatus {
    /// What every call is answered, if not the call itself. The texts of 120 and its HTTP status are
    /// Intuit's; of 140 and 150 only the codes are known.
    pub(crate) fn refuses(self) -> Option<Fault> {
        match self {
            Self::Active | Self::SubscriptionEnded => None,
            Self::AdminLost => Some(refusal(
                StatusCode::UNAUTHORIZED,
                "AuthorizationFault",
                "120",
                "Authorization Failure",
                "Authorization Failure: -11014-You do not have access to use QuickBooks Online Plus.",
            )),
            Self::Locked => Some(refusal(
                StatusCode::FORBIDDEN,
                "AuthorizationFault",
                "140",
                "Company Locked Out",
                "The company is locked.",
            )),
            Self::UnderMaintenance => Some(refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "SystemFault",
                "150",
                "Company Under Maintenance",
                "The company is under maintenance. Try again later.",
            )),
        }
    }

    /// `SubscriptionStatus` among the NameValues of CompanyInfo. What the real one says of an ended
    /// subscription is not known.
    pub(crate) fn subscription(self) -> &'static str {
        if self == Self::SubscriptionEnded { "EXPIRED" } else { "PAID" }
    }

    /// What a write is answered, if it is not done.
    ///
    /// # Errors
    /// 6190 for a company whose subscription has ended.
    pub(crate) fn takes_writes(self) -> Result<(), Fault> {
        if self != Self::SubscriptionEnded {
            return Ok(());
        }
        Err(Fault::validation(
            "6190",
            "Invalid Company Status",
            "Subscription period has ended or canceled or there was a billing problem : You can't \
             add data to QuickBooks Online Plus because your trial or subscription period ended, \
             you canceled your subscription, or there was a billing problem.",
        ))
    }
}

fn refusal(
    status: StatusCode,
    kind: &'static str,
    code: &str,
    message: &str,
    detail: &str,
) -> Fault {
    Fault { status, shape: Shape::Normal(kind), ..Fault::validation(code, message, detail) }
}
