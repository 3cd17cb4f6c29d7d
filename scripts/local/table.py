"""The demo's result as a person reads it."""

import unicodedata

from local import seed


def _hours(row, result):
    if "hours" in row:
        return f"{row['hours']}:{row['minutes']:02}"
    return str(result.card.get("hours", ""))


def _cells(name, row, result, people):
    card = result.card
    took = "" if result.took is None else f"{result.took:.1f} s"
    return (
        name,
        people["workers"].get(card["workerId"], card["workerId"]),
        people["projects"].get(card["projectId"], card["projectId"]),
        _hours(row, result),
        result.quickbooks_id or {"failed": "failed", "beforeStart": "before start"}.get(result.status, ""),
        took,
    )


def _columns(text):
    """Columns of a terminal that a text takes: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _print(rows):
    widths = [max(_columns(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = zip(row, widths, strict=True)
        print("  ".join(cell + " " * (width - _columns(cell)) for cell, width in cells).rstrip())
        if number == 0:
            print("  ".join("─" * width for width in widths))


def show(results, expected):
    """Prints a line per timecard, then what a manager has to look at, with reason and remedy."""
    people = seed.demo_file("people.json")
    rows = [("timecard", "worker", "project", "hours", "QuickBooks", "took")]
    rows += [_cells(name, expected[name], result, people) for name, result in results.items()]
    _print(rows)
    counts = {}
    for result in results.values():
        counts[result.status] = counts.get(result.status, 0) + 1
    print(f"\n{counts.get('synced', 0)} in QuickBooks, {counts.get('failed', 0)} need somebody, "
          f"{counts.get('beforeStart', 0)} before the start of the sync")  # fmt: skip
    for name, result in results.items():
        for error in result.errors:
            worker = people["workers"].get(result.card["workerId"], result.card["workerId"])
            print(f"  {name} ({worker}): {error['message']} {error['fix']}")
