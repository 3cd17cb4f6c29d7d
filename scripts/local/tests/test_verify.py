"""The judge of `scripts/dev --once` must notice everything that can be wrong."""

import copy
import unittest

from local import verify
from local.demo import Result

EXPECTED = {
    "tc-1": {
        "timecardId": "tc-1", "outcome": "synced", "employeeId": "55", "customerId": "21",
        "itemId": "12", "txnDate": "2026-10-26", "hours": 8, "minutes": 10,
        "billableStatus": "Billable", "hourlyRate": 70.5,
    },
    "tc-2": {
        "timecardId": "tc-2", "outcome": "synced", "employeeId": "56", "customerId": "24",
        "txnDate": "2026-10-26", "hours": 0, "minutes": 45, "billableStatus": "NotBillable",
    },
    "tc-3": {"timecardId": "tc-3", "outcome": "failed", "field": "workerId", "reason": "not-mapped"},
    "tc-4": {"timecardId": "tc-4", "outcome": "beforeStart"},
}  # fmt: skip

BEFORE = {"1": {"Id": "1", "SyncToken": "0", "TxnDate": "2026-01-01"}}
AFTER = BEFORE | {
    "7": {
        "Id": "7", "EmployeeRef": {"value": "55"}, "CustomerRef": {"value": "21"},
        "ItemRef": {"value": "12"}, "TxnDate": "2026-10-26", "Hours": 8, "Minutes": 10,
        "BillableStatus": "Billable", "HourlyRate": 70.50,
    },
    "8": {
        "Id": "8", "EmployeeRef": {"value": "56"}, "CustomerRef": {"value": "24"},
        "ItemRef": {"value": "2"}, "TxnDate": "2026-10-26", "Hours": 0, "Minutes": 45,
        "BillableStatus": "NotBillable", "HourlyRate": 0,
    },
}  # fmt: skip


def results():
    """What a product that did everything right reports."""
    made = {name: Result({"timecardId": name}) for name in EXPECTED}
    made["tc-1"].status, made["tc-1"].quickbooks_id = "synced", "7"
    made["tc-2"].status, made["tc-2"].quickbooks_id = "synced", "8"
    made["tc-3"].status = "failed"
    made["tc-3"].errors = [{"field": "workerId", "code": "not-mapped", "message": "", "fix": ""}]
    made["tc-4"].status = "beforeStart"
    return made


class Compare(unittest.TestCase):
    """`verify.compare`, a finding for each thing wrong."""

    def findings(self, after=AFTER, reported=None):
        return verify.compare(BEFORE, after, EXPECTED, reported or results(), "2")

    def test_all_right_is_no_finding(self):
        self.assertEqual(self.findings(), [])

    def test_a_timecard_twice_in_quickbooks_is_found(self):
        self.assertTrue(self.findings(AFTER | {"9": AFTER["7"] | {"Id": "9"}}))

    def test_a_missing_timecard_is_found(self):
        self.assertTrue(self.findings({name: row for name, row in AFTER.items() if name != "8"}))

    def test_each_wrong_field_is_found(self):
        wrong = {
            "EmployeeRef": {"value": "57"}, "CustomerRef": {"value": "22"}, "ItemRef": None,
            "ClassRef": {"value": "1"}, "TxnDate": "2026-10-27", "Hours": 7, "Minutes": 11,
            "BillableStatus": "NotBillable", "HourlyRate": 71,
        }  # fmt: skip
        for field, value in wrong.items():
            after = copy.deepcopy(AFTER)
            after["7"][field] = value
            self.assertTrue(self.findings(after), field)

    def test_another_item_than_the_default_is_found_where_no_cost_code_was_given(self):
        after = copy.deepcopy(AFTER)
        after["8"]["ItemRef"] = {"value": "3"}
        self.assertTrue(self.findings(after))

    def test_a_change_to_what_was_there_before_is_found(self):
        self.assertTrue(self.findings(AFTER | {"1": BEFORE["1"] | {"SyncToken": "1"}}))

    def test_two_timecards_that_report_one_id_are_found(self):
        reported = results()
        reported["tc-2"].quickbooks_id = "7"
        self.assertTrue(self.findings(reported=reported))

    def test_a_failure_without_its_reason_is_found(self):
        reported = results()
        reported["tc-3"].errors = []
        self.assertTrue(self.findings(reported=reported))

    def test_a_timecard_before_the_start_that_was_synced_is_found(self):
        reported = results()
        reported["tc-4"].status = "synced"
        self.assertTrue(self.findings(reported=reported))


if __name__ == "__main__":
    unittest.main()
