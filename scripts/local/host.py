"""The host app's side of the bus: sends timecards, and listens for what became of them."""

import json
import time

from local import web
from local.environment import STACK_NAME, client

SOURCE = "host-app"
PRODUCT_SOURCE = "quickbooks-connector"
RULE = f"{STACK_NAME}-host"
EVENTS_PER_CALL = 10  # EventBridge's limit for PutEvents
TIMECARDS_PER_CALL = 50  # a host app sends what it has; the product takes up to 500


class Listener:
    """A queue of the host app's own, behind a rule on the bus."""

    def __init__(self, bus):
        self.sqs, events = client("sqs"), client("events")
        self.queue = self.sqs.create_queue(QueueName=RULE)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        pattern = json.dumps({"source": [PRODUCT_SOURCE]})
        rule = events.put_rule(Name=RULE, EventBusName=bus, EventPattern=pattern)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule["RuleArn"]}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        events.put_targets(Rule=RULE, EventBusName=bus, Targets=[{"Id": "host", "Arn": arn}])

    def receive(self):
        """The events that came in, at most ten, after at most a second."""
        answer = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        messages = answer.get("Messages", [])
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self.sqs.delete_message_batch(QueueUrl=self.queue, Entries=entries)
        return [json.loads(message["Body"]) for message in messages]


def _publish(bus, cards):
    entries = [
        {
            "EventBusName": bus,
            "Source": SOURCE,
            "DetailType": "timecard.approved",
            "Detail": json.dumps(card, ensure_ascii=False),
        }
        for card in cards
    ]
    answer = client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 0, answer


def _post(cards):
    body = cards[0] if len(cards) == 1 else {"timecards": cards}
    answer = web.api("service", "POST", "/timecards", body)
    assert answer["refused"] == 0, answer


def status_of(card):
    """Where a timecard is: sent again as it is, it changes nothing and is answered with its status."""
    return web.api("service", "POST", "/timecards", {"timecards": [card]})["results"][0]["status"]


def send(bus, entries):
    """Sends each timecard the way that its entry says; returns when each was sent last.

    Both ways keep the order. A timecard is never twice in one call: the second one is an edit.
    """
    sent = {}
    limits = {"bus": EVENTS_PER_CALL, "post": TIMECARDS_PER_CALL}
    calls = {"bus": lambda cards: _publish(bus, cards), "post": _post}
    waiting = {"bus": [], "post": []}

    def flush(way):
        if waiting[way]:
            calls[way](waiting[way])
            waiting[way] = []

    for entry in entries:
        way, card = entry["via"], entry["timecard"]
        if any(other["timecardId"] == card["timecardId"] for other in waiting[way]):
            flush(way)
        waiting[way].append(card)
        sent[card["timecardId"]] = time.time()
        if len(waiting[way]) == limits[way]:
            flush(way)
    for way in waiting:
        flush(way)
    return sent
