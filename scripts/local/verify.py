"""Asks QuickBooks itself, not the product, whether every timecard is there exactly once and right."""

from collections import Counter
from decimal import Decimal

from local import web
from local.environment import SANDBOX_ADMIN_URL, Failed

FIELDS = ("employeeId", "customerId", "itemId", "classId", "txnDate", "hours", "minutes",
          "billableStatus", "hourlyRate")  # fmt: skip


def _entities(realm, entity):
    """All of one kind that QuickBooks holds for a company."""
    answer = web.request("GET", f"{SANDBOX_ADMIN_URL}/companies/{realm}/{entity}")
    if answer.status != 200:
        raise Failed(f"The sandbox answered {answer.status} when asked for {entity}.")
    return answer.json()[entity]


def time_activities(realm):
    """All TimeActivities of a company, by Id, as QuickBooks stores them."""
    rows = _entities(realm, "TimeActivity")
    return {row["Id"]: row for row in rows if row.get("status") != "Deleted"}


def default_item(realm):
    """The service item that QuickBooks fills in where a TimeActivity names none: "Hours"."""
    return next(row["Id"] for row in _entities(realm, "Item") if row["Name"] == "Hours")


def _reference(row, name):
    return (row.get(name) or {}).get("value")


def _money(value):
    return None if value is None else f"{Decimal(str(value)).normalize():f}"


def _stored(row):
    """What a TimeActivity says, in the words of `expected.json`."""
    return (
        _reference(row, "EmployeeRef"),
        _reference(row, "CustomerRef"),
        _reference(row, "ItemRef"),
        _reference(row, "ClassRef"),
        row.get("TxnDate"),
        row.get("Hours", 0),
        row.get("Minutes", 0),
        row.get("BillableStatus"),
        _money(row.get("HourlyRate")) if row.get("BillableStatus") == "Billable" else None,
    )


def _wanted(row, item):
    row = {"itemId": item} | row | {"hourlyRate": _money(row.get("hourlyRate"))}
    return tuple(row.get(name) for name in FIELDS)


def _spell(values):
    return ", ".join(
        f"{name} {value}" for name, value in zip(FIELDS, values, strict=True) if value is not None
    )


def compare(before, after, expected, results, item):
    """Everything that is not as it should be, a sentence each; empty when all is well.

    First without believing the product in anything: what QuickBooks gained must be what the
    timecards say, no more and no less. Then each id that the product reported must be the right
    one, and each failure must have a reason on the field that is at fault. `item` is what
    QuickBooks fills in for a timecard without a cost code.
    """
    gained = {name: row for name, row in after.items() if name not in before}
    there = Counter(_stored(row) for row in gained.values())
    synced = {name: row for name, row in expected.items() if row["outcome"] == "synced"}
    due = Counter(_wanted(row, item) for row in synced.values())
    wrong = [f"missing in QuickBooks ({count}): {_spell(values)}"
             for values, count in (due - there).items()]  # fmt: skip
    wrong += [f"should not be in QuickBooks ({count}): {_spell(values)}"
              for values, count in (there - due).items()]  # fmt: skip
    wrong += [f"changed in QuickBooks: TimeActivity {name}, which was there before"
              for name, row in before.items() if after.get(name) != row]  # fmt: skip
    seen = {}
    for name, row in expected.items():
        result = results[name]
        if row["outcome"] == "synced":
            stored = gained.get(result.quickbooks_id)
            if stored is None:
                wrong.append(f"{name}: no TimeActivity {result.quickbooks_id} in QuickBooks")
            elif _stored(stored) != _wanted(row, item):
                wrong.append(f"{name}: TimeActivity {result.quickbooks_id} is {_spell(_stored(stored))}")
            elif (other := seen.setdefault(result.quickbooks_id, name)) != name:
                wrong.append(f"{name}: TimeActivity {result.quickbooks_id} is that of {other}")
        elif row["outcome"] == "failed":
            fields = {error["field"] for error in result.errors}
            if result.status != "failed" or row["field"] not in fields:
                wrong.append(f"{name}: should fail for its {row['field']}, got {result.status} {fields}")
        elif result.status != row["outcome"]:
            wrong.append(f"{name}: should be {row['outcome']}, is {result.status}")
    return wrong
