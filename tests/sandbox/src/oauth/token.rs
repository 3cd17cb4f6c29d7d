//! The token endpoint: code exchange and refresh.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;

use super::{
    Consent, Refusal, Registration, Tokens, id_token,
    policy::ACCESS_S,
    request::{Form, INVALID_CLIENT, INVALID_REQUEST, Refused, authenticate, is_form, no_store},
};
use crate::{app::App, counters::TokenCall, fault::json_response, faults::Subject, server::Note};

/// Opt-in for `x_refresh_token_hard_expires_in` in the answer.
const HARD_EXPIRY_HEADER: &str = "x-include-refresh-token-hard-expires-in";

/// What a call asks for.
pub(super) enum Wanted<'a> {
    Exchange { code: &'a str, redirect_uri: &'a str, verifier: Option<&'a str> },
    Refresh(&'a str),
}

impl<'a> Wanted<'a> {
    pub(super) fn read(headers: &HeaderMap, form: &'a Form) -> Result<Self, Refused> {
        let field = |name| form.get(name).ok_or(INVALID_REQUEST);
        if !is_form(headers) || form.repeats {
            return Err(INVALID_REQUEST);
        }
        match field("grant_type")? {
            "authorization_code" => Ok(Self::Exchange {
                code: field("code")?,
                redirect_uri: field("redirect_uri")?,
                verifier: form.get("code_verifier"),
            }),
            "refresh_token" => Ok(Self::Refresh(field("refresh_token")?)),
            _ => Err(Refused("unsupported_grant_type", None)),
        }
    }
}

/// `POST /oauth2/v1/tokens/bearer`.
pub(super) async fn bearer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let caller = authenticate(&app.oauth, &headers, &form);
    let wanted = Wanted::read(&headers, &form);
    let (operation, credential) = match &wanted {
        Ok(Wanted::Exchange { code, .. }) => ("exchange", *code),
        Ok(Wanted::Refresh(token)) => ("refresh", *token),
        Err(_) => ("", ""),
    };
    let realm = app.oauth.realm_of(credential);
    let zone = app.zone(realm.as_ref());
    let plan = app.faults.plan(&Subject {
        method: "POST",
        path_and_query: super::TOKEN_PATH,
        realm: realm.as_ref(),
        body: &body,
        batch_item: None,
    });
    // Held over the delays of a fault, so that two refreshes at once are seen as such.
    let refreshing = caller
        .as_ref()
        .filter(|_| operation == "refresh")
        .map(|caller| app.oauth.begin_refresh(&caller.client_id, credential));
    if refreshing.as_ref().is_some_and(|refreshing| refreshing.concurrent) {
        app.count(realm.as_ref(), |counters| counters.token(TokenCall::Concurrent));
    }

    let mut response = if let Some(response) = plan.before(app.now(), &zone).await {
        response
    } else {
        let hard = headers.get(HARD_EXPIRY_HEADER).is_some_and(|value| value == "true");
        let (response, call) = match answer(&app, caller.as_ref(), wanted, hard) {
            Ok(answered) => answered,
            Err(refused) => (refused.response(), TokenCall::Refused),
        };
        app.count(realm.as_ref(), |counters| counters.token(call));
        plan.after(response, app.now(), &zone).await
    };
    response.extensions_mut().insert(Note {
        realm,
        entity: "token".into(),
        operation: operation.into(),
        fault: plan.fault,
        ..Note::default()
    });
    response
}

fn answer(
    app: &App,
    caller: Option<&Registration>,
    wanted: Result<Wanted<'_>, Refused>,
    hard: bool,
) -> Result<(Response, TokenCall), Refused> {
    let caller = caller.ok_or(INVALID_CLIENT)?;
    let wanted = wanted?;
    if caller.blocked {
        return Err(Refused("unauthorized_client", None));
    }
    let now = app.now();
    match wanted {
        Wanted::Exchange { code, redirect_uri, verifier } => {
            let (tokens, consent) =
                app.oauth
                    .exchange(caller, code, redirect_uri, verifier, now)
                    .map_err(|reason| Refused("invalid_grant", exchange_text(reason)))?;
            Ok((success(app, &tokens, Some(&consent), hard), TokenCall::Exchange))
        }
        Wanted::Refresh(token) => {
            let tokens = app
                .oauth
                .refresh(&caller.client_id, token, now)
                .map_err(|reason| Refused("invalid_grant", Some(refresh_text(reason))))?;
            Ok((success(app, &tokens, None, hard), TokenCall::Refresh))
        }
    }
}

/// A real refused exchange mostly says no more than `invalid_grant`.
fn exchange_text(reason: Refusal) -> Option<&'static str> {
    (reason == Refusal::WrongAppOrType).then_some("Incorrect Token type or clientID")
}

/// The recorded texts of a refused refresh.
fn refresh_text(reason: Refusal) -> &'static str {
    match reason {
        Refusal::Expired => "Token invalid",
        Refusal::WrongAppOrType => "Incorrect Token type or clientID",
        _ => "Incorrect or invalid refresh token",
    }
}

fn success(app: &App, tokens: &Tokens, consent: Option<&Consent>, hard: bool) -> Response {
    let mut body = json!({
        "token_type": "bearer",
        "access_token": tokens.access,
        "expires_in": ACCESS_S,
        "refresh_token": tokens.refresh,
        "x_refresh_token_expires_in": tokens.refresh_expires_s,
    });
    if hard {
        body["x_refresh_token_hard_expires_in"] = json!(tokens.hard_expires_s);
    }
    if let Some(consent) = consent.filter(|consent| consent.is_openid()) {
        let Some(token) = id_token::sign(&app.issuer, consent) else {
            return no_store(json_response(StatusCode::INTERNAL_SERVER_ERROR, &json!({})));
        };
        body["id_token"] = json!(token);
    }
    no_store(json_response(StatusCode::OK, &body))
}
