"""What every test needs: the way from Intuit's hosts to the sandbox, a connection, a count.

The clients keep their own code paths. Scheme and host of Intuit's addresses are changed at the
last moment, where `requests` sends; any other host but the sandbox fails the test.
"""

import atexit
import functools
import itertools
import os
import unittest
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from quickbooks import QuickBooks
from quickbooks.objects.base import Ref

SANDBOX = os.environ["SANDBOX_URL"]
ADMIN = os.environ["SANDBOX_ADMIN_URL"]
CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-secret"
REDIRECT_URI = "http://localhost:9/callback"

# Rocky Ridge Builders of the sandbox's seed, and some of its people and things.
REALM = "9341453000000001"
COMPANY_NAME = "Rocky Ridge Builders"
EMPLOYEE, VENDOR, CUSTOMER, SERVICE = "55", "41", "1", "3"

_numbers = itertools.count(1)
_assertions = itertools.count()


def unique(label):
    """A name that no other test uses."""
    return f"{label} {next(_numbers)}"


def _send_to_sandbox():
    own_send = requests.adapters.HTTPAdapter.send

    def send(adapter, request, **options):
        address = urlsplit(request.url)
        if address.hostname.endswith(".intuit.com"):
            request.url = SANDBOX + address._replace(scheme="", netloc="").geturl()
        elif not request.url.startswith((SANDBOX, ADMIN)):
            raise AssertionError(f"A client called {request.url}.")
        return own_send(adapter, request, **options)

    requests.adapters.HTTPAdapter.send = send


_send_to_sandbox()


def admin(method, path, body=None):
    """A call of the sandbox's admin API; answers its JSON."""
    answer = requests.request(method, ADMIN + path, json=body, timeout=10)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def consent(authorize_url, decision="connect", realm=REALM):
    """What the person and the browser do: opens the page, decides, is sent back. Answers the
    page's text and the fields of the callback."""
    page = requests.get(authorize_url, timeout=10)
    fields = dict(parse_qsl(urlsplit(authorize_url).query))
    answer = requests.post(
        authorize_url.partition("?")[0],
        data=fields | {"realm": realm, "decision": decision},
        allow_redirects=False,
        timeout=10,
    )
    callback = parse_qs(urlsplit(answer.headers["location"]).query)
    return page.text, {name: values[0] for name, values in callback.items()}


def auth_client():
    """Intuit's OAuth client, as an app makes it. It reads the discovery document at once."""
    return AuthClient(CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, "sandbox")


def authorized(scopes=(Scopes.ACCOUNTING,)):
    """Intuit's OAuth client with the tokens of a fresh consent."""
    client = auth_client()
    _, callback = consent(client.get_authorization_url(list(scopes)))
    client.get_bearer_token(callback["code"], realm_id=callback["realmId"])
    return client


def connect(**options):
    """python-quickbooks on a fresh connection."""
    auth = authorized()
    return QuickBooks(
        auth_client=auth,
        refresh_token=auth.refresh_token,
        company_id=auth.realm_id,
        minorversion=75,
        **options,
    )


def reference(value):
    """A reference by id alone, as an app that knows no names sends it."""
    made = Ref()
    made.value = value
    return made


def _counted(method):
    @functools.wraps(method)
    def counted(self, *arguments, **options):
        # unittest's assertions use each other; only the one that the test wrote counts.
        outermost, self.asserting = not self.asserting, True
        try:
            return method(self, *arguments, **options)
        finally:
            if outermost:
                self.asserting = False
                next(_assertions)

    return counted


class Case(unittest.TestCase):
    """A test case with a connection, `self.qb`, whose assertions are counted."""

    asserting = False
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.qb = connect()


for _name in dir(unittest.TestCase):
    if _name.startswith("assert"):
        setattr(Case, _name, _counted(getattr(unittest.TestCase, _name)))


@atexit.register
def _report():
    path = os.environ.get("ASSERTIONS_FILE")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(next(_assertions)))
