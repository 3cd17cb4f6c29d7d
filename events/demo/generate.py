#!/usr/bin/env python3
"""Writes the demo's data: two weeks of a builder's timecards, and what QuickBooks must hold in the end.

    generate.py            writes the files beside it
    generate.py --check    only says whether they are up to date (exit 1 if not)

The outputs are committed; the same script always writes the same bytes. `expected.json` is reckoned here from the
finished timecards, apart from the product's own code, so that one can be held against the other.
"""

import json
import random
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).resolve().parent
SEED = HERE.parent.parent / "tests/sandbox/seed/company-a.json"

COMPANY = "company-a"
ZONE = "America/Denver"
SYNC_FROM = date(2026, 10, 26)
WORK_DAYS = [SYNC_FROM + timedelta(days=d) for d in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]

# Worker: name in the host app, employee in QuickBooks, rate per hour.
WORKERS = {
    "w-01": ("Aaron O'Brien", "55", "75"),
    "w-02": ("José Ñandú", "56", "72"),
    "w-03": ("Zoë Carter", "57", "68"),
    "w-04": ("Bobby Tate", "58", "70.50"),
    "w-05": ("George Washington Jr.", "59", "66"),
    "w-06": ("Nguyễn Thị Hoa", "60", "64"),
    "w-07": ("D'Angelo Ruiz", "61", "64"),
    "w-08": ("María García-López", "62", "78.25"),
    "w-09": ("Chris Holloway", "63", "80"),
    "w-10": ("Sam Underwood", "64", "62"),
    "w-11": ("Wei Li 李偉", "65", "74"),
    "w-12": ("Tom \"Tex\" Mullins", "66", "60"),
    "w-13": ("Mike Smith (roofing)", "67", "60"),
    "w-14": ("Mike Smith (concrete)", "68", "61"),
    "w-15": ("Søren Ødegård", "69", "69"),
    "w-16": ("Fatima al-Zahra", "70", "71.75"),
    "w-17": ("Renée de la Cruz", "71", "73"),
    "w-18": ("Siobhán Ní Dhomhnaill", "72", "67"),
    "w-19": ("Björn Müller-Groß", "73", "67"),
    "w-20": ("Luca D'Amico", "74", "65"),
    "w-21": ("Ana Peña", "75", "63"),
    "w-22": ("Kwame Asante", "76", "66.66"),
    "w-23": ("Ola Nordmann", "77", "66"),
    "w-24": ("Teresa McAllister", "78", "85"),
    "w-25": ("Hector Salas (new)", None, "58"),  # started this week; nobody has mapped him yet
}

# Project: name in the host app, customer, sub-customer or project in QuickBooks.
PROJECTS = {
    "p-101": ("Aspen Ridge clubhouse roof", "21"),
    "p-102": ("Aspen Ridge pool house", "22"),
    "p-103": ("Basin & Range, suite 200", "23"),
    "p-104": ("Cañon City elementary gym", "24"),
    "p-105": ("Front Range loading dock 4", "25"),
    "p-106": ("Granite Peak taproom, phase 2", "26"),
    "p-107": ("Highline ER wing, level 3", "27"),
    "p-108": ("O'Malley's kitchen", "28"),
    "p-109": ("Delgado garage & loft", "29"),
    "p-110": ("Highline MRI shielding", "30"),
    "p-111": ("Juniper Creek storefront 12", "31"),
    "p-112": ("Ivy Court apartments", "9"),  # made inactive in QuickBooks when the owner sold
}

# Cost code: name in the host app, service item in QuickBooks.
COST_CODES = {
    "01-310": ("Supervision", "7"),
    "01-740": ("Travel", "6"),
    "02-410": ("Demolition", "8"),
    "03-300": ("Concrete", "4"),
    "06-100": ("Rough carpentry", "3"),
    "07-310": ("Roofing", "12"),
    "09-250": ("Drywall and paint", "9"),
    "26-050": ("Electrical rough-in", "5"),
}

# Crews: who, on which projects (one per week), doing what, from when, for how many minutes, with what break.
CREWS = [
    (["w-01", "w-13", "w-03", "w-05"], ["p-101", "p-102"], "07-310", "07:00", 510, 30),
    (["w-02", "w-14", "w-06", "w-12"], ["p-104", "p-104"], "03-300", "06:30", 540, 30),
    (["w-04", "w-07", "w-21"], ["p-106", "p-111"], "06-100", "07:30", 525, 45),
    (["w-08", "w-10", "w-15"], ["p-107", "p-110"], "26-050", "06:00", 600, 60),
    (["w-16", "w-17", "w-18"], ["p-103", "p-103"], "09-250", "08:00", 495, 30),
    (["w-19", "w-22", "w-23"], ["p-109", "p-108"], "02-410", "07:15", 480, 0),
    (["w-24"], ["p-107", "p-110"], "01-310", "07:00", 630, 60),
]
NIGHT_CREW = ["w-09", "w-11", "w-20"]  # the dock is busy by day

NOTES = [
    'Owner said "looks great", wants the trim in white',
    "Can't reach the north eave, lift's down again",
    "Poured footing 3 & 4 🧱 cure blankets on",
    "☕ at 10, ⚡ panel B is live — tagged out",
    "Line 1: hung 22 sheets\nLine 2: taped half\nLine 3: short on 5/8\"",
    "Señor Delgado's gate code: 4471#",
    "Rain from 2 pm 🌧️ covered up & moved inside",
    "50% of demo done; haul-off <tomorrow>",
    "José’s saw — blade “done for”, swapped",
    "Crew of 4 👷🏽‍♀️👷🏻 poured slab, 100% level \\o/",
    "=SUM(A1:A9) is what the tablet pasted here",
]

cards = []  # {"via", "timecard", "why"?}, in the order in which they were made
dice = random.Random(2026)


def chance(percent):
    return dice.random() * 100 < percent


def pick(options):
    return options[int(dice.random() * len(options))]


def local(day, clock, minutes=0, seconds=0, zone=ZONE):
    """The instant `minutes` and `seconds` of elapsed time after a local clock time."""
    start = datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone))
    moved = start.astimezone(UTC) + timedelta(minutes=minutes, seconds=seconds)
    return moved.astimezone(ZoneInfo(zone))


def stamp(moment):
    return moment.isoformat().replace("+00:00", "Z")


def net_minutes(card):
    """Elapsed time less the break, in whole minutes, rounded half up."""
    elapsed = datetime.fromisoformat(card["clockOut"]) - datetime.fromisoformat(card["clockIn"])
    minutes = Decimal(int(elapsed.total_seconds())) / 60 - card["breakMinutes"]
    return int(minutes.quantize(Decimal(1), ROUND_HALF_UP))


def add(worker, project, code, start, end, pause=0, billable=True, why=None, via=None, **more):
    number = len({entry["timecard"]["timecardId"] for entry in cards}) + 1
    card = {
        "companyId": COMPANY,
        "timecardId": f"tc-{number:04}",
        "version": 1,
        "workerId": worker,
        "projectId": project,
        "costCodeId": code,
        "clockIn": stamp(start),
        "clockOut": stamp(end),
        "breakMinutes": pause,
        "billable": billable,
    }
    if code is None:
        del card["costCodeId"]
    if billable:
        rate = Decimal(WORKERS[worker][2])
        card["rate"] = int(rate) if rate == int(rate) else float(rate)
    card.update(more)
    return send(card, why, via)


def send(card, why=None, via=None):
    entry = {"via": via or ("post" if len(cards) % 3 == 0 else "bus"), "timecard": card}
    if why:
        entry["why"] = why
    cards.append(entry)
    return card


def hours(card, form):
    """The net hours with two decimals, as some time clocks send them: a number, or text."""
    figure = (Decimal(net_minutes(card)) / 60).quantize(Decimal("0.01"), ROUND_HALF_UP)
    card["hours"] = form(figure)


def late_approval():
    day = SYNC_FROM - timedelta(days=3)
    add("w-05", "p-101", "07-310", local(day, "07:00"), local(day, "15:30"), 30, why="work day before syncFrom")


def crew_day(day, week):
    for members, projects, code, clock, length, pause in CREWS:
        for worker in members:
            if chance(7):
                continue  # off sick, or on leave
            start = local(day, clock, int(dice.random() * 15) - 7)
            end = start + timedelta(minutes=length + 5 * int(dice.random() * 10) - 15)
            why = None
            if chance(9):  # clocked at the gate, to the second
                start += timedelta(seconds=int(dice.random() * 60))
                end += timedelta(seconds=int(dice.random() * 60))
                why = "clock times with seconds"
            project, work = projects[week], code
            if chance(4):
                work = None  # forgot the cost code
            more = {"notes": pick(NOTES)} if chance(22) else {}
            card = add(worker, project, work, start, end, pause, why=why, **more)
            if chance(15):
                hours(card, pick([float, str]))


def night_shift(day):
    for worker in NIGHT_CREW:
        if chance(10):
            continue
        start = local(day, "21:30", int(dice.random() * 20))
        add(worker, "p-105", "03-300", start, start + timedelta(minutes=510), 30, why="over midnight")


def clock_change():
    """In the night to 2026-11-01 the clocks go back from 2:00 to 1:00."""
    day, after = date(2026, 10, 31), date(2026, 11, 1)
    for worker, pause in (("w-09", 30), ("w-11", 45)):
        card = add(worker, "p-105", "03-300", local(day, "22:00"), local(after, "06:00"), pause,
                   why="night of the clock change: 22:00 to 06:00 is 9 hours")
    hours(card, float)
    add("w-20", "p-105", "03-300", local(after, "00:30"), local(after, "05:00"), 0,
        why="night of the clock change, begun after midnight", notes="Clock on the wall says 4½ h, it was 5½ 🕑")
    second_half_past_one = datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo(ZONE))
    add("w-19", "p-105", "03-300", second_half_past_one, local(after, "07:00"), 15,
        why="begun in the hour that came twice")


def travel(day):
    """Out in the morning and home in the evening: two alike, which only their ids tell apart."""
    for worker in ("w-02", "w-14"):
        for clock in ("05:30", "16:15"):
            add(worker, "p-104", "01-740", local(day, clock), local(day, clock, 45), billable=False,
                why="non-billable travel")


def unmapped_worker():
    for day in WORK_DAYS[7:]:
        add("w-25", "p-111", "06-100", local(day, "07:30"), local(day, "16:00"), 30, why="worker without a mapping")


def inactive_customer():
    for worker in ("w-21", "w-24"):
        day = WORK_DAYS[5]
        add(worker, "p-112", "09-250", local(day, "18:00"), local(day, "19:30"), why="customer inactive in QuickBooks",
            notes="Warranty call, Ivy Ct. unit 4 — tenant's \"leak\"")


def sent_twice():
    day = WORK_DAYS[3]
    card = add("w-12", "p-106", "06-100", local(day, "16:30"), local(day, "18:30"), via="bus", why="sent twice")
    send(dict(card), "the same timecard again", via="post")


def edited_after_approval():
    day = WORK_DAYS[6]
    card = add("w-10", "p-111", "26-050", local(day, "17:00"), local(day, "19:00"), via="post",
               why="edited after approval", notes="stayed for the inspector")
    changed = dict(card, version=2, clockOut=stamp(local(day, "20:15")), breakMinutes=15,
                   notes="stayed for the inspector, he came at 8 😤")
    hours(changed, float)
    send(changed, "version 2 of the one before, with other hours", via="post")


def own_zone():
    day = date(2026, 10, 29)
    start, end = (local(day, clock, zone="America/Chicago") for clock in ("00:20", "04:50"))
    add("w-08", "p-107", "26-050", start, end, why="own zone: still the 28th in Denver", timeZone="America/Chicago",
        notes="Generator pick-up in Omaha, loaded at night")


def half_minutes():
    day = WORK_DAYS[8]
    add("w-16", "p-103", "09-250", local(day, "17:00"), local(day, "18:29", seconds=30),
        why="89.5 minutes: rounded half up to 90")
    add("w-17", "p-103", "09-250", local(day, "17:00"), local(day, "18:29", seconds=29),
        why="89 minutes and 29 seconds: 89")
    start, end = (local(day, clock).astimezone(UTC) for clock in ("17:00", "18:30"))
    add("w-18", "p-103", "09-250", start, end, why="times in UTC")


def make():
    late_approval()
    for index, day in enumerate(WORK_DAYS):
        crew_day(day, index // 5)
        if day.weekday() < 4:
            night_shift(day)
        if day.weekday() == 0:
            travel(day)
        if day == WORK_DAYS[3]:
            sent_twice()
            own_zone()
        if day == WORK_DAYS[4]:
            clock_change()
        if day == WORK_DAYS[5]:
            inactive_customer()
        if day == WORK_DAYS[6]:
            edited_after_approval()
        if day == WORK_DAYS[8]:
            half_minutes()
    unmapped_worker()


def expected(card, customers):
    """What must have become of a timecard."""
    _, employee, _ = WORKERS[card["workerId"]]
    _, customer = PROJECTS[card["projectId"]]
    zone = ZoneInfo(card.get("timeZone", ZONE))
    day = datetime.fromisoformat(card["clockIn"]).astimezone(zone).date()
    outcome = {"timecardId": card["timecardId"]}
    if day < SYNC_FROM:
        return outcome | {"outcome": "beforeStart"}
    if employee is None:
        return outcome | {"outcome": "failed", "field": "workerId", "reason": "not-mapped"}
    if not customers[customer]:
        return outcome | {"outcome": "failed", "field": "projectId", "reason": "inactive"}
    outcome |= {"outcome": "synced", "employeeId": employee, "customerId": customer}
    if "costCodeId" in card:
        outcome["itemId"] = COST_CODES[card["costCodeId"]][1]
    outcome |= {"txnDate": day.isoformat()}
    outcome["hours"], outcome["minutes"] = divmod(net_minutes(card), 60)
    outcome["billableStatus"] = "Billable" if card["billable"] else "NotBillable"
    if card["billable"]:
        outcome["hourlyRate"] = card["rate"]
    return outcome


def check_against_seed(seed):
    """Every id mapped to is in the sandbox's company, and of the kind and state that the demo tells of."""
    active = {kind: {row["Id"]: row["Active"] for row in seed[kind]} for kind in ("Employee", "Customer", "Item")}
    kinds = {row["Id"]: row["Type"] for row in seed["Item"]}
    assert all(active["Employee"][employee] for _, employee, _ in WORKERS.values() if employee)
    assert [name for name, (_, customer) in PROJECTS.items() if not active["Customer"][customer]] == ["p-112"]
    assert all(active["Item"][item] and kinds[item] == "Service" for _, item in COST_CODES.values())
    return active["Customer"]


def outputs():
    customers = check_against_seed(json.loads(SEED.read_text("utf-8")))
    make()
    latest = {}
    for entry in cards:
        latest[entry["timecard"]["timecardId"]] = entry["timecard"]
    mapping = {
        "employeeMapping": [
            {"crewflowWorkerId": worker, "qboEmployeeId": employee}
            for worker, (_, employee, _) in WORKERS.items() if employee
        ],
        "customerMapping": [
            {"crewflowProjectId": project, "qboCustomerId": customer} for project, (_, customer) in PROJECTS.items()
        ],
        "costCodeMapping": [
            {"crewflowCostCodeId": code, "qboServiceItemId": item} for code, (_, item) in COST_CODES.items()
        ],
        "costCodeTarget": "serviceItem",
    }
    settings = {
        "companyId": COMPANY,
        "liveSync": True,
        "timeZone": ZONE,
        "syncFrom": SYNC_FROM.isoformat(),
        "recipients": ["office@rockyridge.example"],
    }
    people = {
        "workers": {worker: name for worker, (name, _, _) in WORKERS.items()},
        "projects": {project: name for project, (name, _) in PROJECTS.items()},
        "costCodes": {code: name for code, (name, _) in COST_CODES.items()},
    }
    return {
        "timecards.json": one_per_line(cards),
        "expected.json": one_per_line([expected(card, customers) for card in latest.values()]),
        "mapping.json": text({"companyId": COMPANY, "mapping": mapping}, indent=2),
        "settings.json": text(settings, indent=2),
        "people.json": text(people, indent=2),
    }


def text(value, **style):
    return json.dumps(value, ensure_ascii=False, **style) + "\n"


def one_per_line(rows):
    return "[\n" + ",\n".join(text(row).rstrip() for row in rows) + "\n]\n"


def main():
    stale = []
    for name, content in outputs().items():
        path = HERE / name
        if not path.exists() or path.read_text("utf-8") != content:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(content, "utf-8")
    if "--check" in sys.argv and stale:
        sys.exit(f"not up to date, run {Path(__file__).name}: {', '.join(stale)}")


if __name__ == "__main__":
    main()
