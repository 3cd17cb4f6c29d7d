"""Connects the demo companies and sets one up, through the product's own API, as people would."""

import json
import time
from urllib.parse import parse_qs, urlsplit

from local import web
from local.environment import ROOT, SANDBOX_URL, Failed

DEMO = ROOT / "events" / "demo"
# Company, its QuickBooks realm, and who administers it.
COMPANIES = {
    "company-a": ("9341453000000001", "admin-a"),
    "company-b": ("9341453000000002", "admin-b"),
}
IMPORT_PATIENCE = 180  # seconds


def demo_file(name):
    """One of the demo's files."""
    return json.loads((DEMO / name).read_text("utf-8"))


def connect(company):
    """Connects a company: link, Intuit's consent page, callback, and the user's own confirmation."""
    realm, user = COMPANIES[company]
    link = web.api(user, "POST", "/connect", {"companyId": company})["url"]
    browser = web.Browser()
    consent = browser.follow(link, lambda url: url.startswith(f"{SANDBOX_URL}/connect/oauth2"))
    joint = "&" if urlsplit(consent).query else "?"
    callback = browser.follow(
        f"{consent}{joint}auto={realm}", lambda url: urlsplit(url).path.endswith("/callback")
    )
    answer = browser.get(callback)
    reason = parse_qs(urlsplit(answer.headers.get("location", "")).query).get("reason")
    if answer.status not in (200, 302, 303) or reason:
        raise Failed(f"The callback of {company} answered {answer.status}, reason {reason}.")
    confirmed = web.api(user, "POST", "/connect/confirm", {"companyId": company})
    if not confirmed.get("success") or confirmed.get("realmId") != realm:
        raise Failed(f"{company} is not connected to realm {realm}: {confirmed}")
    return confirmed["companyName"]


def import_directory(company):
    """Imports employees, customers, items and classes, and waits until they are in."""
    _, user = COMPANIES[company]
    wanted = {
        "companyId": company,
        "entities": ["employees", "customers", "items", "classes"],
        "direction": "in",
        "type": "full",
        "priority": "urgent",
    }
    job = web.api(user, "POST", "/sync-now", wanted)["jobId"]
    until = time.monotonic() + IMPORT_PATIENCE
    while time.monotonic() < until:
        status = web.api(user, "GET", f"/sync-status/{job}")
        if status["status"] == "completed":
            return
        if status["status"] == "failed":
            raise Failed(f"The import of {company} failed: {status['results']}")
        time.sleep(0.5)
    raise Failed(f"The import of {company} took longer than {IMPORT_PATIENCE} s: {status}")


def set_up(company):
    """Puts the demo's mapping and settings, which also switch live sync on."""
    _, user = COMPANIES[company]
    mapping = demo_file("mapping.json")
    web.api(user, "PUT", f"/mapping?companyId={company}", mapping)
    web.api(user, "PUT", f"/settings?companyId={company}", demo_file("settings.json"))
