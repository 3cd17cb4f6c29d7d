//! Who calls, and what they may do.
//!
//! The gateway's JWT authorizer has checked the token. Its claim `companies` (the name is a parameter)
//! is a space-separated list of `companyId:role`; `*:service` is the host app's back end, and
//! `*:operator` reads across companies. A company that is not in the list answers 404, the same
//! whether it exists or not; a role that is too low answers 403.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::ids::CompanyId;
use lambda_http::request::RequestContext;

use crate::activity::LetIn;
use crate::problem::Problem;

/// A caller's role in a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Everything of the company.
    Admin,
    /// The host app's back end.
    Service,
    /// Reads across companies.
    Operator,
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Look at settings and mappings: viewer, admin, operator.
    Read,
    /// Look at statuses: the same, and the host's back end.
    ReadStatus,
    /// Change the company's set-up: admin.
    Administer,
    /// Hand over records and ask for a sync: admin, and the host's back end.
    Deliver,
}

impl Permission {
    fn allows(self, role: Role) -> bool {
        match self {
            Self::Read => matches!(role, Role::Viewer | Role::Admin | Role::Operator),
            Self::ReadStatus => true,
            Self::Administer => role == Role::Admin,
            Self::Deliver => matches!(role, Role::Admin | Role::Service),
        }
    }

    fn needed(self) -> &'static str {
        match self {
            Self::Read | Self::ReadStatus => "the role viewer or admin",
            Self::Administer => "the role admin",
            Self::Deliver => "the role admin, or the host app's own token",
        }
    }
}

/// The caller of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The token's subject: a user's id.
    pub subject: String,
    grants: Vec<(Option<CompanyId>, Role)>,
    let_in: Option<LetIn>,
}

impl Caller {
    /// A caller with a subject and the text of the companies claim. Parts that cannot be read grant
    /// nothing.
    pub fn new(subject: impl Into<String>, companies: &str) -> Self {
        let grants = companies
            .trim_matches(['[', ']'])
            .split_whitespace()
            .filter_map(|grant| {
                let (company, role) = grant.rsplit_once(':')?;
                match (company, role) {
                    ("*", "service") => Some((None, Role::Service)),
                    ("*", "operator") => Some((None, Role::Operator)),
                    (company, "admin") => Some((Some(company.parse().ok()?), Role::Admin)),
                    (company, "viewer") => Some((Some(company.parse().ok()?), Role::Viewer)),
                    _ => None,
                }
            })
            .collect();
        Self { subject: subject.into(), grants, let_in: None }
    }

    /// Whether the caller may do this to the company. If so, that counts as a use of the company's
    /// connection ([`crate::activity`]).
    ///
    /// # Errors
    /// 404 when the company is not the caller's at all, 403 when the role is too low.
    pub fn may(&self, permission: Permission, company: &CompanyId) -> Result<(), Problem> {
        let mut known = false;
        for (granted, role) in &self.grants {
            if granted.as_ref().is_none_or(|granted| granted == company) {
                known = true;
                if permission.allows(*role) {
                    if let Some(let_in) = &self.let_in {
                        let_in.note(company);
                    }
                    return Ok(());
                }
            }
        }
        Err(if known {
            Problem::role_not_allowed(permission.needed())
        } else {
            Problem::company_not_found()
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let claims = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context
                .authorizer
                .as_ref()
                .and_then(|authorizer| authorizer.jwt.as_ref())
                .map(|jwt| &jwt.claims),
            _ => None,
        };
        let claim = crate::config::optional("COMPANIES_CLAIM");
        let claim = claim.as_deref().unwrap_or("companies");
        let unauthenticated = || {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "not-signed-in",
                "Not signed in",
                "Send a bearer token of the configured issuer.",
            )
        };
        let claims = claims.ok_or_else(unauthenticated)?;
        let subject =
            claims.get("sub").filter(|sub| !sub.is_empty()).ok_or_else(unauthenticated)?;
        let mut caller = Self::new(subject, claims.get(claim).map_or("", String::as_str));
        caller.let_in = parts.extensions.get::<LetIn>().cloned();
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(id: &str) -> CompanyId {
        id.parse().unwrap()
    }

    fn code(caller: &Caller, permission: Permission, id: &str) -> &'static str {
        caller.may(permission, &company(id)).map_or_else(|problem| problem.code(), |()| "ok")
    }

    #[test]
    fn each_role_may_do_what_the_matrix_says_and_no_more() {
        use Permission::{Administer, Deliver, Read, ReadStatus};
        let rows = [
            ("company-a:viewer", ["ok", "ok", "role-not-allowed", "role-not-allowed"]),
            ("company-a:admin", ["ok", "ok", "ok", "ok"]),
            ("*:service", ["role-not-allowed", "ok", "role-not-allowed", "ok"]),
            ("*:operator", ["ok", "ok", "role-not-allowed", "role-not-allowed"]),
            ("company-b:admin", ["company-not-found"; 4]),
            ("", ["company-not-found"; 4]),
            ("*:admin", ["company-not-found"; 4]),
            ("company-a:owner", ["company-not-found"; 4]),
        ];
        for (claim, expected) in rows {
            let caller = Caller::new("u", claim);
            let got = [Read, ReadStatus, Administer, Deliver]
                .map(|permission| code(&caller, permission, "company-a"));
            assert_eq!(got, expected, "{claim}");
        }
    }

    #[test]
    fn several_companies_in_one_token_each_keep_their_role() {
        let caller = Caller::new("u", "company-a:viewer company-b:admin");
        assert_eq!(code(&caller, Permission::Administer, "company-a"), "role-not-allowed");
        assert_eq!(code(&caller, Permission::Administer, "company-b"), "ok");
    }

    #[test]
    fn a_prefix_of_a_company_id_is_another_company() {
        let caller = Caller::new("u", "company-a1:admin");
        assert_eq!(code(&caller, Permission::Read, "company-a"), "company-not-found");
    }
}
