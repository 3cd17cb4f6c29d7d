"""TimeActivity: the rules that time tracking lives by."""

from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException, ValidationException
from quickbooks.objects import Employee, TimeActivity

from sandbox import CUSTOMER, EMPLOYEE, SERVICE, VENDOR, Case, reference, unique


def activity(**fields):
    """An employee's activity of seven and a half hours, with `fields` over it."""
    made = TimeActivity()
    made.NameOf = "Employee"
    made.EmployeeRef = reference(EMPLOYEE)
    made.TxnDate = "2026-11-18"
    made.Hours, made.Minutes = 7, 30
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class TimeActivities(Case):
    def test_a_created_activity_reads_back(self):
        made = activity(Description="Framing, north wall").save(qb=self.qb)
        read = TimeActivity.get(made.Id, qb=self.qb)
        self.assertEqual(read.NameOf, "Employee")
        self.assertEqual(read.EmployeeRef.value, EMPLOYEE)
        self.assertEqual(read.TxnDate, "2026-11-18")
        self.assertEqual((read.Hours, read.Minutes), (7, 30))
        self.assertEqual(read.Description, "Framing, north wall")
        self.assertEqual(read.SyncToken, "0")

    def test_references_come_back_with_names(self):
        employee = Employee.get(EMPLOYEE, qb=self.qb)
        made = activity(EmployeeRef=employee.to_ref()).save(qb=self.qb)
        self.assertEqual(made.EmployeeRef.name, employee.DisplayName)

    def test_a_vendor_works_too(self):
        made = activity(NameOf="Vendor", EmployeeRef=None, VendorRef=reference(VENDOR))
        made = made.save(qb=self.qb)
        self.assertEqual(made.NameOf, "Vendor")
        self.assertEqual(made.VendorRef.value, VENDOR)

    def test_a_billable_activity_carries_customer_item_and_rate(self):
        made = activity(
            BillableStatus="Billable",
            CustomerRef=reference(CUSTOMER),
            ItemRef=reference(SERVICE),
            HourlyRate=75.5,
        ).save(qb=self.qb)
        self.assertEqual(made.BillableStatus, "Billable")
        self.assertEqual(made.CustomerRef.value, CUSTOMER)
        self.assertEqual(made.ItemRef.value, SERVICE)
        self.assertEqual(made.HourlyRate, 75.5)

    def test_start_and_end_of_another_day_do_not_set_the_date(self):
        made = activity(
            TxnDate=None,
            Hours=None,
            Minutes=None,
            StartTime="2016-07-22T10:00:00-07:00",
            EndTime="2016-07-22T11:00:00-07:00",
            CostRate=50.0,
        ).save(qb=self.qb)
        self.assertNotEqual(made.TxnDate, "2016-07-22")
        self.assertEqual(made.CostRate, 50.0)
        self.assertIsNone(made.Hours)

    def test_an_update_changes_it(self):
        made = activity().save(qb=self.qb)
        made.Hours, made.Description = 6, "Corrected"
        saved = made.save(qb=self.qb)
        self.assertEqual(saved.SyncToken, "1")
        read = TimeActivity.get(made.Id, qb=self.qb)
        self.assertEqual((read.Hours, read.Minutes, read.Description), (6, 30, "Corrected"))

    def test_a_full_update_clears_what_is_left_out(self):
        made = activity(Description="To be cleared").save(qb=self.qb)
        made.Description = None
        self.assertIsNone(made.save(qb=self.qb).Description)

    def test_an_old_sync_token_is_a_stale_object(self):
        made = activity().save(qb=self.qb)
        made.save(qb=self.qb)
        with self.assertRaises(QuickbooksException) as refused:
            made.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 5010)

    def test_a_deleted_activity_is_gone(self):
        made = activity().save(qb=self.qb)
        answer = made.delete(qb=self.qb)
        self.assertEqual(answer["TimeActivity"]["status"], "Deleted")
        self.assertEqual(answer["TimeActivity"]["Id"], made.Id)
        with self.assertRaises(ObjectNotFoundException):
            TimeActivity.get(made.Id, qb=self.qb)
        self.assertEqual(TimeActivity.filter(Id=made.Id, qb=self.qb), [])

    def test_queries_filter_by_date_and_person(self):
        made = activity(TxnDate="2025-02-03").save(qb=self.qb)
        activity(TxnDate="2025-02-04").save(qb=self.qb)
        found = TimeActivity.filter(TxnDate="2025-02-03", EmployeeRef=EMPLOYEE, qb=self.qb)
        self.assertEqual([one.Id for one in found], [made.Id])
        between = "TxnDate >= '2025-02-01' AND TxnDate <= '2025-02-28'"
        self.assertEqual(TimeActivity.count(between, qb=self.qb), 2)

    def test_a_request_id_sent_twice_creates_once(self):
        request_id = unique("activity")
        first = activity().save(qb=self.qb, request_id=request_id)
        second = activity().save(qb=self.qb, request_id=request_id)
        self.assertEqual(first.Id, second.Id)
        self.assertEqual(second.SyncToken, "0")

    def test_an_employee_who_does_not_exist_is_an_invalid_reference(self):
        with self.assertRaises(ValidationException) as refused:
            activity(EmployeeRef=reference("987654321")).save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 2500)

    def test_hours_must_be_sent(self):
        with self.assertRaises(ValidationException) as refused:
            activity(Hours=None, Minutes=None).save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 2020)

    def test_a_vendors_id_as_employee_comes_back_as_other(self):
        made = activity(EmployeeRef=reference(VENDOR)).save(qb=self.qb)
        self.assertEqual(made.NameOf, "Other")
        self.assertIsNone(made.EmployeeRef)
