"""CompanyInfo and Preferences."""

from quickbooks.exceptions import QuickbooksException
from quickbooks.objects import CompanyInfo, Preferences

from sandbox import COMPANY_NAME, REALM, Case, unique


class Company(Case):
    def test_the_company_is_read_by_its_realm(self):
        company = CompanyInfo.get(REALM, qb=self.qb)
        self.assertEqual(company.CompanyName, COMPANY_NAME)
        self.assertEqual(company.Country, "US")
        self.assertEqual(company.CompanyAddr.City, "Golden")
        self.assertTrue(company.Email.Address)

    def test_a_query_answers_the_one_company(self):
        self.assertEqual([one.CompanyName for one in CompanyInfo.all(qb=self.qb)], [COMPANY_NAME])

    def test_an_update_changes_it(self):
        company = CompanyInfo.get(REALM, qb=self.qb)
        before, company.LegalName = company.SyncToken, unique("Rocky Ridge Builders")
        saved = company.save(qb=self.qb)
        self.assertEqual(saved.LegalName, company.LegalName)
        self.assertEqual(int(saved.SyncToken), int(before) + 1)
        read = CompanyInfo.get(REALM, qb=self.qb)
        self.assertEqual((read.LegalName, read.CompanyName), (company.LegalName, COMPANY_NAME))

    def test_an_old_sync_token_is_a_stale_object(self):
        company = CompanyInfo.get(REALM, qb=self.qb)
        company.save(qb=self.qb)
        with self.assertRaises(QuickbooksException) as refused:
            company.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 5010)


class CompanyPreferences(Case):
    def test_the_parts_are_there(self):
        preferences = Preferences.get(qb=self.qb)
        self.assertEqual(preferences.Id, "1")
        self.assertEqual(preferences.AccountingInfoPrefs.TaxYearMonth, "January")
        self.assertTrue(preferences.AccountingInfoPrefs.ClassTrackingPerTxn)
        self.assertTrue(preferences.ProductAndServicesPrefs.ForPurchase)
        self.assertTrue(preferences.VendorAndPurchasesPrefs.BillableExpenseTracking)
        self.assertEqual(preferences.TimeTrackingPrefs.WorkWeekStartDate, "Monday")
        self.assertEqual(preferences.CurrencyPrefs.HomeCurrency.value, "USD")
        self.assertIn("ProjectsEnabled", [pair.Name for pair in preferences.OtherPrefs.NameValue])

    def test_an_update_is_kept(self):
        preferences = Preferences.get(qb=self.qb)
        subject = unique("Estimate from Rocky Ridge")
        preferences.EmailMessagesPrefs.EstimateMessage.Subject = subject
        preferences.TimeTrackingPrefs.MarkTimeEntriesBillable = True
        preferences.save(qb=self.qb)
        read = Preferences.get(qb=self.qb)
        self.assertEqual(read.EmailMessagesPrefs.EstimateMessage.Subject, subject)
        self.assertTrue(read.TimeTrackingPrefs.MarkTimeEntriesBillable)
        self.assertEqual(int(read.SyncToken), int(preferences.SyncToken) + 1)
        read.TimeTrackingPrefs.MarkTimeEntriesBillable = False
        self.assertFalse(read.save(qb=self.qb).TimeTrackingPrefs.MarkTimeEntriesBillable)
