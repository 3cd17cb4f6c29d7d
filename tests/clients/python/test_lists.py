"""The lists: people, items, classes, departments, accounts, terms.

Neither QuickBooks nor the client deletes an entry of a list; it is made inactive.
"""

from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException
from quickbooks.objects import (
    Account,
    Class,
    Customer,
    Department,
    Employee,
    Item,
    Term,
    Vendor,
)
from quickbooks.objects.base import Address, EmailAddress, PhoneNumber

from sandbox import CUSTOMER, Case, reference, unique


class ListRules:
    """What holds for each list. A subclass says how an entry is made and what is changed of it."""

    cls = None
    name_field = "Name"
    changed_field, changed_value = None, None

    def fill(self, entry, name):
        """Sets what a new entry needs."""
        entry.Name = name

    def create(self):
        """A new entry, as the answer to its creation showed it."""
        entry = self.cls()
        self.fill(entry, unique(self.cls.qbo_object_name))
        return entry.save(qb=self.qb)

    def name(self, entry):
        """Its name."""
        return getattr(entry, self.name_field)

    def find(self, entry, **more):
        """Entries of its name."""
        return self.cls.filter(qb=self.qb, **{self.name_field: self.name(entry)}, **more)

    def test_a_created_entry_has_an_id_and_reads_back(self):
        made = self.create()
        read = self.cls.get(made.Id, qb=self.qb)
        self.assertTrue(made.Id.isdigit())
        self.assertEqual(self.name(read), self.name(made))
        self.assertEqual(read.SyncToken, "0")
        self.assertTrue(read.Active)

    def test_an_update_changes_the_field_and_counts_the_sync_token_up(self):
        entry = self.create()
        setattr(entry, self.changed_field, self.changed_value)
        saved = entry.save(qb=self.qb)
        self.assertEqual(saved.SyncToken, "1")
        read = self.cls.get(entry.Id, qb=self.qb)
        self.assertEqual(getattr(read, self.changed_field), self.changed_value)
        self.assertEqual(self.name(read), self.name(entry))

    def test_an_old_sync_token_is_a_stale_object(self):
        entry = self.create()
        entry.save(qb=self.qb)
        with self.assertRaises(QuickbooksException) as refused:
            entry.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 5010)

    def test_a_query_finds_it_by_name(self):
        entry = self.create()
        self.assertEqual([found.Id for found in self.find(entry)], [entry.Id])

    def test_count_and_all_agree(self):
        self.create()
        count = self.cls.count(qb=self.qb)
        self.assertEqual(len(self.cls.all(max_results=1000, qb=self.qb)), count)

    def test_an_inactive_entry_is_hidden_from_queries_unless_asked_for(self):
        entry = self.create()
        entry.Active = False
        saved = entry.save(qb=self.qb)
        self.assertFalse(saved.Active)
        self.assertEqual(self.find(saved), [])
        self.assertEqual([found.Id for found in self.find(saved, Active=False)], [entry.Id])

    def test_a_taken_name_is_refused(self):
        taken = self.name(self.create())
        second = self.cls()
        self.fill(second, taken)
        with self.assertRaises(QuickbooksException) as refused:
            second.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 6240)

    def test_an_id_of_nothing_is_not_found(self):
        with self.assertRaises(ObjectNotFoundException) as refused:
            self.cls.get("987654321", qb=self.qb)
        self.assertEqual(refused.exception.error_code, 610)


class Deactivation:
    """What holds for the lists whose inactive entries carry a suffix."""

    def test_an_inactive_entry_gets_the_deleted_suffix(self):
        entry = self.create()
        name, entry.Active = self.name(entry), False
        self.assertEqual(self.name(entry.save(qb=self.qb)), f"{name} (deleted)")


class Employees(ListRules, Deactivation, Case):
    cls, name_field = Employee, "DisplayName"
    changed_field, changed_value = "EmployeeNumber", "E-77"

    def fill(self, entry, name):
        entry.GivenName, entry.FamilyName = name.split(" ")

    def test_the_display_name_is_made_of_the_parts(self):
        employee = self.create()
        self.assertEqual(employee.DisplayName, f"{employee.GivenName} {employee.FamilyName}")

    def test_address_phone_and_date_read_back(self):
        employee = Employee()
        self.fill(employee, unique("Employee"))
        employee.HiredDate = "2020-07-22"
        employee.PrimaryAddr = Address()
        employee.PrimaryAddr.Line1 = "45 N. Elm Street"
        employee.PrimaryAddr.City = "Middlefield"
        employee.PrimaryAddr.PostalCode = "93242"
        employee.PrimaryPhone = PhoneNumber()
        employee.PrimaryPhone.FreeFormNumber = "4085251234"
        read = Employee.get(employee.save(qb=self.qb).Id, qb=self.qb)
        self.assertEqual(read.HiredDate, "2020-07-22")
        self.assertEqual(read.PrimaryAddr.Line1, "45 N. Elm Street")
        self.assertEqual(read.PrimaryAddr.PostalCode, "93242")
        self.assertEqual(read.PrimaryPhone.FreeFormNumber, "4085251234")


class Vendors(ListRules, Deactivation, Case):
    cls, name_field = Vendor, "DisplayName"
    changed_field, changed_value = "AcctNum", "V-12"

    def fill(self, entry, name):
        entry.DisplayName = name

    def test_a_name_is_taken_across_vendors_and_customers(self):
        customer = Customer()
        customer.DisplayName = self.create().DisplayName
        with self.assertRaises(QuickbooksException) as refused:
            customer.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 6240)


class Customers(ListRules, Deactivation, Case):
    cls, name_field = Customer, "DisplayName"
    changed_field, changed_value = "Notes", "Gate code 4411"

    def fill(self, entry, name):
        entry.DisplayName = name

    def test_a_sub_customer_has_its_parents_name_in_its_full_name(self):
        job = Customer()
        job.DisplayName = unique("Kitchen")
        job.Job, job.ParentRef = True, reference(CUSTOMER)
        job = job.save(qb=self.qb)
        parent = Customer.get(CUSTOMER, qb=self.qb)
        self.assertTrue(job.Job)
        self.assertEqual(job.ParentRef.value, CUSTOMER)
        self.assertEqual(job.FullyQualifiedName, f"{parent.DisplayName}:{job.DisplayName}")
        self.assertEqual(job.Level, 1)

    def test_an_email_address_reads_back(self):
        customer = Customer()
        customer.DisplayName = unique("Customer")
        customer.PrimaryEmailAddr = EmailAddress()
        customer.PrimaryEmailAddr.Address = "billing@example.com"
        customer = customer.save(qb=self.qb)
        self.assertEqual(customer.PrimaryEmailAddr.Address, "billing@example.com")

    def test_an_apostrophe_and_an_accent_in_a_name_are_found_again(self):
        customer = Customer()
        customer.DisplayName = unique("Zoë O'Hara \N{HAMMER}")
        customer = customer.save(qb=self.qb)
        self.assertEqual([found.Id for found in self.find(customer)], [customer.Id])


class Items(ListRules, Deactivation, Case):
    cls = Item
    changed_field, changed_value = "UnitPrice", 12.5

    def fill(self, entry, name):
        entry.Name, entry.Type = name, "Service"
        entry.IncomeAccountRef = reference("1")

    def test_all_asks_for_the_sku_and_gets_it(self):
        item = Item()
        self.fill(item, unique("Item"))
        item.Sku = "SKU-1"
        item = item.save(qb=self.qb)
        found = {item.Id: item for item in Item.all(max_results=1000, qb=self.qb)}
        self.assertEqual(found[item.Id].Sku, "SKU-1")
        self.assertEqual(found[item.Id].Type, "Service")


class Classes(ListRules, Deactivation, Case):
    cls = Class
    changed_field, changed_value = "Name", "Renamed class"

    def test_an_update_changes_the_field_and_counts_the_sync_token_up(self):
        # A class has nothing but its name to change.
        entry = self.create()
        entry.Name = unique("Renamed class")
        saved = entry.save(qb=self.qb)
        self.assertEqual(saved.SyncToken, "1")
        self.assertEqual(saved.FullyQualifiedName, entry.Name)


class Departments(Classes):
    cls = Department


class Accounts(ListRules, Case):
    cls = Account
    changed_field, changed_value = "Description", "Petty cash"

    def fill(self, entry, name):
        # The type and the classification follow from the subtype.
        entry.Name, entry.AccountSubType = name, "CashOnHand"

    def test_type_and_classification_follow_from_the_subtype(self):
        account = self.create()
        self.assertEqual(account.AccountType, "Bank")
        self.assertEqual(account.Classification, "Asset")

    def test_accounts_are_found_by_type(self):
        incomes = Account.where("AccountType = 'Income'", max_results=10, qb=self.qb)
        self.assertTrue(incomes)
        self.assertEqual({account.AccountType for account in incomes}, {"Income"})


class Terms(ListRules, Case):
    cls = Term
    changed_field, changed_value = "DueDays", 60

    def fill(self, entry, name):
        entry.Name, entry.DueDays = name, 10
