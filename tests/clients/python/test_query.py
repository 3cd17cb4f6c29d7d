"""Queries and counts as python-quickbooks writes them: by POST, with its own spellings."""

from quickbooks.exceptions import ValidationException
from quickbooks.objects import Customer, Employee, Item

from sandbox import Case, connect, unique


class Queries(Case):
    def test_all_answers_a_hundred_at_most_and_pages_go_on(self):
        first = Employee.all(max_results=10, qb=self.qb)
        second = Employee.all(start_position=11, max_results=10, qb=self.qb)
        self.assertEqual((len(first), len(second)), (10, 10))
        self.assertFalse({one.Id for one in first} & {one.Id for one in second})

    def test_an_order_holds(self):
        names = [one.DisplayName for one in Employee.where(order_by="DisplayName", qb=self.qb)]
        self.assertEqual(names, sorted(names, key=str.lower))
        downwards = Employee.where(order_by="DisplayName DESC", max_results=3, qb=self.qb)
        self.assertEqual([one.DisplayName for one in downwards], names[:-4:-1])

    def test_all_writes_order_by_in_two_words(self):
        names = [one.Name for one in Item.all(order_by="Name", qb=self.qb)]
        self.assertEqual(names, sorted(names, key=str.lower))

    def test_choose_finds_by_a_list_of_ids(self):
        some = [one.Id for one in Customer.all(max_results=3, qb=self.qb)]
        found = Customer.choose(some, qb=self.qb)
        self.assertEqual({one.Id for one in found}, set(some))

    def test_choose_escapes_apostrophes(self):
        found = Employee.choose(["Aaron O'Brien"], field="DisplayName", qb=self.qb)
        self.assertEqual([one.FamilyName for one in found], ["O'Brien"])

    def test_like_finds_by_a_pattern(self):
        found = Employee.where("DisplayName LIKE 'Aaron%'", qb=self.qb)
        self.assertTrue(found)
        self.assertTrue(all(one.DisplayName.startswith("Aaron") for one in found))

    def test_a_where_clause_counts(self):
        self.assertEqual(Employee.count("DisplayName = 'Nobody at all'", qb=self.qb), 0)
        everyone = Employee.count("Active IN (true, false)", qb=self.qb)
        self.assertGreater(everyone, Employee.count(qb=self.qb))

    def test_nothing_found_is_an_empty_list(self):
        self.assertEqual(Customer.filter(DisplayName="Nobody at all", qb=self.qb), [])

    def test_a_change_is_found_by_its_time(self):
        customer = Customer()
        customer.DisplayName = unique("Changed")
        customer = customer.save(qb=self.qb)
        at = customer.MetaData["LastUpdatedTime"]
        found = Customer.where(f"MetaData.LastUpdatedTime >= '{at}'", qb=self.qb)
        self.assertIn(customer.Id, [one.Id for one in found])

    def test_what_changed_last_comes_first_without_an_order(self):
        customer = Customer()
        customer.DisplayName = unique("Last")
        customer = customer.save(qb=self.qb)
        self.assertEqual(Customer.all(max_results=1, qb=self.qb)[0].Id, customer.Id)

    def test_a_statement_that_does_not_parse_is_4000(self):
        with self.assertRaises(ValidationException) as refused:
            Customer.where("DisplayName = 'a' OR DisplayName = 'b'", qb=self.qb)
        self.assertEqual(refused.exception.error_code, 4000)

    def test_more_than_a_thousand_results_are_refused(self):
        with self.assertRaises(ValidationException) as refused:
            Customer.all(max_results=1001, qb=self.qb)
        self.assertEqual(refused.exception.error_code, 4001)

    def test_decimals_keep_their_cents(self):
        qb = connect(use_decimal=True)
        item = Item.filter(Name="Carpentry", qb=qb)[0]
        item.UnitPrice = 75.35
        self.assertEqual(str(item.save(qb=qb).UnitPrice), "75.35")
