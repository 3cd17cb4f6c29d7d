"""Change data capture."""

from datetime import datetime, timedelta

from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import QuickbooksException
from quickbooks.objects import Customer, Employee, Invoice, TimeActivity, Vendor

from sandbox import Case, admin, unique
from test_sales import sale

AN_HOUR = {"seconds": 3600}


def now():
    """The sandbox's present."""
    return datetime.fromisoformat(admin("GET", "/clock")["now"][:19] + "+00:00")


def utc(**ago):
    """A moment so long ago, as a text with its offset."""
    return (now() - timedelta(**ago)).isoformat()


class Changes(Case):
    @classmethod
    def setUpClass(cls):
        # What other tests did lies an hour back.
        admin("POST", "/clock/advance", AN_HOUR)
        super().setUpClass()

    def customer(self):
        """A new customer."""
        made = Customer()
        made.DisplayName = unique("Captured")
        return made.save(qb=self.qb)

    def test_what_changed_is_told_by_kind(self):
        customer, invoice = self.customer(), sale(Invoice).save(qb=self.qb)
        changes = change_data_capture([Customer, Invoice], utc(minutes=5), qb=self.qb)
        self.assertIn(customer.Id, [one.Id for one in changes.Customer])
        self.assertIn(invoice.Id, [one.Id for one in changes.Invoice])
        captured = next(one for one in changes.Customer if one.Id == customer.Id)
        self.assertEqual(captured.DisplayName, customer.DisplayName)
        self.assertTrue(changes.time)

    def test_a_datetime_without_an_offset_is_taken(self):
        customer = self.customer()
        two_days_ago = (now() - timedelta(days=2)).replace(tzinfo=None)
        changes = change_data_capture([Customer], two_days_ago, qb=self.qb)
        self.assertIn(customer.Id, [one.Id for one in changes.Customer])

    def test_a_deleted_one_is_told_by_its_status(self):
        invoice = sale(Invoice).save(qb=self.qb)
        invoice.delete(qb=self.qb)
        changes = change_data_capture([Invoice], utc(minutes=5), qb=self.qb)
        captured = next(one for one in changes.Invoice if one.Id == invoice.Id)
        self.assertEqual(captured.status, "Deleted")
        self.assertTrue(captured.MetaData.LastUpdatedTime)

    def test_an_inactive_one_is_told_in_full(self):
        customer = self.customer()
        customer.Active = False
        customer.save(qb=self.qb)
        changes = change_data_capture([Customer], utc(minutes=5), qb=self.qb)
        captured = next(one for one in changes.Customer if one.Id == customer.Id)
        self.assertFalse(captured.Active)

    def test_a_kind_without_a_change_is_left_out(self):
        self.customer()
        changes = change_data_capture([Vendor, Customer], utc(minutes=5), qb=self.qb)
        self.assertFalse(hasattr(changes, "Vendor"))
        self.assertGreater(len(changes.Customer), 0)

    def test_no_change_at_all_is_an_answer(self):
        changes = change_data_capture([Employee], utc(minutes=5), qb=self.qb)
        self.assertFalse(hasattr(changes, "Employee"))

    def test_time_activities_are_not_supported(self):
        with self.assertRaises(QuickbooksException) as refused:
            change_data_capture([TimeActivity], utc(minutes=5), qb=self.qb)
        self.assertGreater(refused.exception.error_code, 0)

    def test_more_than_thirty_days_are_refused(self):
        with self.assertRaises(QuickbooksException):
            change_data_capture([Customer], utc(days=31), qb=self.qb)
        self.assertIsNotNone(change_data_capture([Customer], utc(days=29), qb=self.qb))
