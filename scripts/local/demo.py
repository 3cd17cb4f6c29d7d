"""The main job: two weeks of timecards go in, and what becomes of each is waited for."""

import time
from datetime import datetime

from local import host, seed
from local.environment import Failed

PATIENCE = 600  # seconds without any news before the wait is given up


class Result:
    """What became of one timecard."""

    def __init__(self, card):
        self.card = card
        self.status = None
        self.quickbooks_id = None
        self.errors = []
        self.took = None


def _last_versions(entries):
    cards = {}
    for entry in entries:
        card = entry["timecard"]
        if card["version"] >= cards.get(card["timecardId"], card)["version"]:
            cards[card["timecardId"]] = card
    return cards


def _note(result, kind, detail, sent):
    """Keeps the news of the newest version; older news may still come in."""
    if kind not in ("timecard.synced", "timecard.failed"):
        return
    if detail.get("version") not in (None, result.card["version"]):
        return
    result.status = kind.removeprefix("timecard.")
    result.quickbooks_id = detail.get("quickBooksId")
    result.errors = detail.get("errors", [])
    if at := detail.get("syncedAt") or detail.get("at"):
        result.took = max(0.0, datetime.fromisoformat(at).timestamp() - sent)


def run(bus, processes, announce):
    """Sends the demo's timecards and waits for news of each that must bring news."""
    entries = seed.demo_file("timecards.json")
    expected = {row["timecardId"]: row for row in seed.demo_file("expected.json")}
    results = {name: Result(card) for name, card in _last_versions(entries).items()}
    listener = host.Listener(bus)
    sent = host.send(bus, entries)
    waited = {name for name, row in expected.items() if row["outcome"] != "beforeStart"}
    open_cards, heard, shown = set(waited), time.monotonic(), -1
    while open_cards:
        processes.check()
        events = listener.receive()
        for event in events:
            detail = event["detail"]
            name = detail.get("timecardId")
            if name in results:
                _note(results[name], event["detail-type"], detail, sent[name])
                if results[name].status:
                    open_cards.discard(name)
        if events:
            heard = time.monotonic()
        elif time.monotonic() - heard > PATIENCE:
            raise Failed(f"No news of {len(open_cards)} timecards, such as {min(open_cards)}.")
        done = len(waited) - len(open_cards)
        if done // 25 != shown:
            shown = done // 25
            announce(f"  {done} of {len(waited)} timecards")
    for result in results.values():
        if not result.status:
            result.status = _settled_status(result.card)
    return results, expected


def _settled_status(card):
    """The status of a timecard that brings no news, once it is no longer on its way."""
    until = time.monotonic() + 30
    while (status := host.status_of(card)) in ("pending", "sending"):
        if time.monotonic() > until:
            break
        time.sleep(0.5)
    return status
