"""The functions' own logs, kept when the emulated CloudWatch goes."""

from datetime import datetime, timezone

from botocore.exceptions import BotoCoreError, ClientError

from local.environment import LOCAL

PATH = LOCAL / "functions.log"


def _time(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="milliseconds")


def save(client):
    """Writes what every function has logged to `.local/functions.log`, in order of time.

    Nothing depends on it: an emulator that is gone already has no logs to give.
    """
    try:
        logs, events = client("logs"), []
        for group in logs.describe_log_groups()["logGroups"]:
            pages = logs.get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group["logGroupName"]):
                events += page["events"]
    except (BotoCoreError, ClientError):
        return
    events.sort(key=lambda event: event["timestamp"])
    lines = (
        f"{_time(event['timestamp'])} {event['logStreamName'][-8:]} {event['message'].rstrip()}\n"
        for event in events
    )
    PATH.write_text("".join(lines), "utf-8")
