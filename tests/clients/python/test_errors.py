"""What the client makes of refusals and of a QuickBooks that is not well."""

import requests
from quickbooks.exceptions import QuickbooksException, SevereException, ValidationException
from quickbooks.objects import Customer, Vendor

from sandbox import REALM, Case, admin, connect, unique


class Errors(Case):
    def tearDown(self):
        admin("DELETE", "/faults")

    def test_a_fault_carries_code_message_and_detail(self):
        vendor = Vendor()
        vendor.DisplayName = "With:colon"
        with self.assertRaises(ValidationException) as refused:
            vendor.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 2040)
        self.assertTrue(refused.exception.message)
        self.assertTrue(refused.exception.detail)

    def test_a_throttled_call_says_so(self):
        admin("POST", "/faults", {"status": 429, "faultShape": "gateway", "realm": REALM})
        with self.assertRaises(QuickbooksException) as refused:
            Customer.count(qb=self.qb)
        self.assertIn("429", refused.exception.message)

    def test_a_system_failure_is_severe(self):
        admin("POST", "/faults", {"status": 500, "faultCode": "10000", "realm": REALM})
        with self.assertRaises(SevereException) as refused:
            Customer.count(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 10000)

    def test_an_answer_that_is_no_json_is_an_error(self):
        admin("POST", "/faults", {"status": 504, "rawBody": "stream timeout", "realm": REALM})
        with self.assertRaises(QuickbooksException) as refused:
            Customer.count(qb=self.qb)
        self.assertIn("stream timeout", refused.exception.message)

    def test_a_create_whose_answer_was_lost_is_found_by_its_request_id(self):
        name, request_id = unique("Lost"), unique("lost")
        customer = Customer()
        customer.DisplayName = name
        admin("POST", "/faults", {"path": "/customer", "realm": REALM, "cut": "after"})
        with self.assertRaises(requests.ConnectionError):
            customer.save(qb=self.qb, request_id=request_id)
        made = customer.save(qb=self.qb, request_id=request_id)
        found = Customer.filter(DisplayName=name, qb=self.qb)
        self.assertEqual([one.Id for one in found], [made.Id])

    def test_another_companys_realm_is_forbidden(self):
        qb = connect()
        qb.company_id = "9341453000000002"
        with self.assertRaises(QuickbooksException) as refused:
            Customer.count(qb=qb)
        self.assertIn("403", refused.exception.message)
