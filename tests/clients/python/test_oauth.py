"""PyPI intuit-oauth: discovery, consent, tokens, userinfo, revocation."""

import json

from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks
from quickbooks.exceptions import AuthorizationException, QuickbooksException
from quickbooks.objects import Employee

from sandbox import (
    COMPANY_NAME,
    REALM,
    SANDBOX,
    Case,
    admin,
    auth_client,
    authorized,
    connect,
    consent,
)


class Discovery(Case):
    def test_the_document_names_every_endpoint_that_the_client_uses(self):
        client = auth_client()
        self.assertEqual(client.auth_endpoint, f"{SANDBOX}/connect/oauth2")
        self.assertEqual(client.token_endpoint, f"{SANDBOX}/oauth2/v1/tokens/bearer")
        self.assertEqual(client.revoke_endpoint, f"{SANDBOX}/v2/oauth2/tokens/revoke")
        self.assertEqual(client.user_info_url, f"{SANDBOX}/v1/openid_connect/userinfo")
        self.assertEqual(client.jwks_uri, f"{SANDBOX}/op/v1/jwks")

    def test_the_issuer_is_the_real_ones_name(self):
        self.assertEqual(auth_client().issuer_uri, "https://oauth.platform.intuit.com/op/v1")


class Consent(Case):
    def test_the_page_shows_the_companies_and_the_callback_carries_code_realm_and_state(self):
        client = auth_client()
        page, callback = consent(client.get_authorization_url([Scopes.ACCOUNTING]))
        self.assertIn(COMPANY_NAME, page)
        self.assertEqual(callback["realmId"], REALM)
        self.assertEqual(callback["state"], client.state_token)
        self.assertTrue(callback["code"])

    def test_a_person_who_refuses_comes_back_with_access_denied(self):
        url = auth_client().get_authorization_url([Scopes.ACCOUNTING])
        _, callback = consent(url, decision="deny")
        self.assertEqual(callback["error"], "access_denied")
        self.assertNotIn("code", callback)


class Tokens(Case):
    def test_a_code_becomes_tokens_with_their_lives(self):
        client = authorized()
        self.assertTrue(client.access_token)
        self.assertTrue(client.refresh_token)
        self.assertEqual(client.expires_in, 3600)
        self.assertEqual(client.x_refresh_token_expires_in, 8640000)

    def test_without_openid_there_is_no_id_token(self):
        self.assertIsNone(authorized().id_token)

    def test_with_openid_there_is_an_id_token_that_the_client_finds_valid(self):
        # The client keeps an id_token only if issuer, audience, expiry and signature are right.
        client = authorized([Scopes.ACCOUNTING, Scopes.OPENID])
        self.assertIsNotNone(client.id_token)

    def test_a_second_exchange_of_a_code_is_refused_and_kills_the_first_ones_tokens(self):
        client = auth_client()
        _, callback = consent(client.get_authorization_url([Scopes.ACCOUNTING]))
        client.get_bearer_token(callback["code"], realm_id=callback["realmId"])
        with self.assertRaises(AuthClientError) as refused:
            auth_client().get_bearer_token(callback["code"])
        self.assertEqual(refused.exception.status_code, 400)
        self.assertEqual(json.loads(refused.exception.content)["error"], "invalid_grant")
        with self.assertRaises(AuthClientError):
            client.refresh()

    def test_a_refresh_within_a_day_keeps_the_refresh_token_and_changes_the_access_token(self):
        client = authorized()
        access, refresh = client.access_token, client.refresh_token
        client.refresh()
        self.assertEqual(client.refresh_token, refresh)
        self.assertNotEqual(client.access_token, access)

    def test_a_refresh_after_a_day_rotates_and_the_old_value_is_dead(self):
        client = authorized()
        old = client.refresh_token
        admin("POST", "/clock/advance", {"seconds": 25 * 3600})
        client.refresh()
        self.assertNotEqual(client.refresh_token, old)
        with self.assertRaises(AuthClientError) as refused:
            client.refresh(refresh_token=old)
        self.assertEqual(json.loads(refused.exception.content)["error"], "invalid_grant")
        self.assertTrue(refused.exception.intuit_tid)
        client.refresh()
        self.assertTrue(client.access_token)

    def test_a_wrong_secret_is_invalid_client(self):
        client = auth_client()
        client.client_secret = "wrong"
        with self.assertRaises(AuthClientError) as refused:
            client.refresh(refresh_token="any")
        self.assertEqual(refused.exception.status_code, 401)
        self.assertEqual(json.loads(refused.exception.content)["error"], "invalid_client")

    def test_quickbooks_client_refreshes_by_itself_when_it_has_only_a_refresh_token(self):
        refresh_token = authorized().refresh_token
        auth = auth_client()
        qb = QuickBooks(
            auth_client=auth, refresh_token=refresh_token, company_id=REALM, minorversion=75
        )
        self.assertTrue(auth.access_token)
        self.assertGreater(Employee.count(qb=qb), 0)

    def test_an_expired_access_token_is_401_and_works_again_after_a_refresh(self):
        qb = connect()
        admin("POST", "/tokens/expire", {"realm": REALM})
        with self.assertRaises(AuthorizationException) as refused:
            Employee.count(qb=qb)
        self.assertEqual(refused.exception.error_code, 401)
        self.assertIn("AuthenticationFailed", refused.exception.detail)
        qb.auth_client.refresh()
        again = QuickBooks(
            auth_client=qb.auth_client,
            refresh_token=qb.auth_client.refresh_token,
            company_id=REALM,
            minorversion=75,
        )
        self.assertGreater(Employee.count(qb=again), 0)


class Userinfo(Case):
    def test_the_person_who_connected_is_told(self):
        client = authorized([Scopes.ACCOUNTING, Scopes.OPENID, Scopes.EMAIL, Scopes.PROFILE])
        person = client.get_user_info().json()
        self.assertTrue(person["sub"])
        self.assertIn("@", person["email"])
        self.assertTrue(person["emailVerified"])


class Revocation(Case):
    def test_revoking_the_refresh_token_ends_the_connection(self):
        client = authorized()
        self.assertTrue(client.revoke())
        with self.assertRaises(AuthClientError) as refused:
            client.refresh()
        self.assertEqual(refused.exception.status_code, 400)

    def test_revoking_the_access_token_ends_the_connection_too(self):
        client = authorized()
        self.assertTrue(client.revoke(token=client.access_token))
        with self.assertRaises(AuthClientError):
            client.refresh()

    def test_a_disconnect_from_quickbooks_side_is_403(self):
        qb = connect()
        admin("POST", f"/companies/{REALM}/disconnect")
        with self.assertRaises(QuickbooksException) as refused:
            Employee.count(qb=qb)
        self.assertIn("ApplicationAuthorizationFailed", refused.exception.message)
