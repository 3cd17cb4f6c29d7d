"""Batches: the client makes its own item ids, cuts long lists, and sorts answers into two lists."""

from quickbooks.batch import batch_create, batch_delete, batch_update
from quickbooks.objects import Customer, Employee, Invoice, TimeActivity

from sandbox import CUSTOMER, EMPLOYEE, REALM, Case, admin, reference, unique
from test_sales import sale


def customer(name):
    """A customer that is not stored."""
    made = Customer()
    made.DisplayName = name
    return made


def activity(hours):
    """An activity that is not stored."""
    made = TimeActivity()
    made.NameOf, made.EmployeeRef = "Employee", reference(EMPLOYEE)
    made.TxnDate, made.Hours, made.Minutes = "2024-05-06", hours, 0
    return made


class Batches(Case):
    def test_items_are_created_and_answered_in_full(self):
        names = [unique("Batch"), unique("Batch")]
        answer = batch_create([customer(name) for name in names], qb=self.qb)
        self.assertEqual(answer.faults, [])
        self.assertEqual({one.DisplayName for one in answer.successes}, set(names))
        for made in answer.successes:
            self.assertEqual(Customer.get(made.Id, qb=self.qb).DisplayName, made.DisplayName)

    def test_a_fault_of_one_item_leaves_the_others_alone(self):
        taken = Customer.get(CUSTOMER, qb=self.qb).DisplayName
        fine = unique("Batch")
        answer = batch_create([customer(taken), customer(fine)], qb=self.qb)
        self.assertEqual([one.DisplayName for one in answer.successes], [fine])
        self.assertEqual(len(answer.faults), 1)
        fault = answer.faults[0]
        self.assertEqual(fault.original_object.DisplayName, taken)
        self.assertEqual(fault.Error[0].code, "6240")
        self.assertEqual(fault.type, "ValidationFault")
        self.assertTrue(fault.Error[0].Message)

    def test_items_are_updated(self):
        made = batch_create([activity(1), activity(2)], qb=self.qb).successes
        for one in made:
            one.Description = "Updated in a batch"
        answer = batch_update(made, qb=self.qb)
        self.assertEqual([one.SyncToken for one in answer.successes], ["1", "1"])
        read = TimeActivity.get(made[0].Id, qb=self.qb)
        self.assertEqual(read.Description, "Updated in a batch")

    def test_a_stale_item_is_5010_and_the_other_one_is_saved(self):
        made = batch_create([activity(1), activity(2)], qb=self.qb).successes
        made[0].save(qb=self.qb)
        answer = batch_update(made, qb=self.qb)
        self.assertEqual([one.Id for one in answer.successes], [made[1].Id])
        self.assertEqual([fault.Error[0].code for fault in answer.faults], ["5010"])

    def test_items_are_deleted(self):
        made = batch_create([activity(1), activity(2)], qb=self.qb).successes
        answer = batch_delete(made, qb=self.qb)
        self.assertEqual([one.status for one in answer.successes], ["Deleted", "Deleted"])
        ids = [one.Id for one in made]
        self.assertEqual(TimeActivity.choose(ids, qb=self.qb), [])

    def test_invoices_go_through_a_batch_too(self):
        answer = batch_create([sale(Invoice), sale(Invoice)], qb=self.qb)
        self.assertEqual([one.TotalAmt for one in answer.successes], [100, 100])
        gone = batch_delete(answer.successes, qb=self.qb)
        self.assertEqual(gone.faults, [])

    def test_a_list_of_35_goes_out_as_two_batches(self):
        batches = self.batches()
        answer = batch_create([activity(hours % 20 + 1) for hours in range(35)], qb=self.qb)
        self.assertEqual((len(answer.successes), len(answer.faults)), (35, 0))
        self.assertEqual(len({one.Id for one in answer.successes}), 35)
        self.assertEqual(self.batches() - batches, 2)

    def test_an_employee_is_deactivated_in_a_batch(self):
        employee = Employee()
        employee.GivenName, employee.FamilyName = unique("Batch").split(" ")
        employee = employee.save(qb=self.qb)
        employee.Active = False
        answer = batch_update([employee], qb=self.qb)
        self.assertTrue(answer.successes[0].DisplayName.endswith(" (deleted)"))

    def batches(self):
        """How many batches the sandbox has met."""
        requests = admin("GET", f"/requests?realm={REALM}")
        entries = requests if isinstance(requests, list) else requests["requests"]
        return sum(entry["path"].endswith("/batch") for entry in entries)
