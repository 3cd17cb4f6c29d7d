"""HTTP as a browser and as the host app's back end speak it to the local stack."""

import http.client
import json
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from local.environment import API_URL, ISSUER_URL, Failed

_tokens = {}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Browser:
    """Keeps cookies by host, as a person's browser does."""

    cookies: dict = field(default_factory=dict)

    def get(self, url):
        """One GET, redirects not followed."""
        host = urlsplit(url).netloc
        jar = self.cookies.setdefault(host, {})
        header = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = request("GET", url, {"cookie": header} if header else {})
        for cookie in answer.headers.get_all("set-cookie", []):
            name, _, value = cookie.split(";", 1)[0].partition("=")
            jar[name.strip()] = value.strip()
        return answer

    def follow(self, url, until, most=10):
        """Follows redirects until one leads to an address that `until` accepts, and returns it."""
        for _ in range(most):
            answer = self.get(url)
            if answer.status not in (302, 303, 307):
                raise Failed(f"{_bare(url)} answered {answer.status}: {answer.body[:500]!r}")
            url = urljoin(url, answer.headers["location"])
            if until(url):
                return url
        raise Failed(f"More than {most} redirects, the last to {_bare(url)}")


def _bare(url):
    """An address without its query, which may hold a code or a state."""
    return url.split("?", 1)[0]


def request(method, url, headers=None, body=None, timeout=60):
    """One call. Names under .localhost are this machine, whether or not the resolver knows it."""
    parts = urlsplit(url)
    name = "127.0.0.1" if parts.hostname.endswith("localhost") else parts.hostname
    connection = http.client.HTTPConnection(name, parts.port or 80, timeout=timeout)
    try:
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        connection.request(method, target, body, {"host": parts.netloc} | (headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def send_json(method, url, value=None, headers=None):
    """A call with a JSON body."""
    body = None if value is None else json.dumps(value).encode()
    return request(method, url, {"content-type": "application/json"} | (headers or {}), body)


def token(user):
    """A bearer token of one of the local issuer's people."""
    if user not in _tokens:
        answer = send_json("POST", f"{ISSUER_URL}/token", {"user": user})
        if answer.status != 200:
            raise Failed(f"The issuer gave {user} no token: {answer.status} {answer.body[:200]!r}")
        _tokens[user] = answer.json()["access_token"]
    return _tokens[user]


def api(user, method, path, value=None):
    """A call to the product's API, which must succeed; returns the JSON answered."""
    headers = {"authorization": f"Bearer {token(user)}"}
    answer = send_json(method, API_URL + path, value, headers)
    if answer.status >= 300:
        text = answer.body[:1000].decode("utf-8", "replace")
        raise Failed(f"{method} {path} answered {answer.status}: {text}")
    return answer.json()
