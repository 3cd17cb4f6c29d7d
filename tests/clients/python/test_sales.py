"""Invoices, payments, estimates, tax codes: totals, balances, links, and what a sale goes through."""

from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException
from quickbooks.objects import Customer, Estimate, Invoice, Payment, TaxCode, TimeActivity
from quickbooks.objects.base import CustomerMemo, LinkedTxn
from quickbooks.objects.detailline import (
    DetailLine,
    DiscountLineDetail,
    SalesItemLine,
    SalesItemLineDetail,
)
from quickbooks.objects.payment import PaymentLine

from sandbox import CUSTOMER, EMPLOYEE, SERVICE, Case, reference, unique


def sales_line(amount, **detail):
    """A line of the service, with `detail` in its details."""
    line = SalesItemLine()
    line.Description = "Framing"
    line.Amount = amount
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = reference(SERVICE)
    for name, value in detail.items():
        setattr(line.SalesItemLineDetail, name, value)
    return line


def discount_line(percent):
    """A line that takes a share of the sum off."""
    line = DetailLine()
    line.DetailType = "DiscountLineDetail"
    line.DiscountLineDetail = DiscountLineDetail()
    line.DiscountLineDetail.PercentBased = True
    line.DiscountLineDetail.DiscountPercent = percent
    return line


def sale(cls, *lines, customer=CUSTOMER):
    """A new invoice or estimate."""
    made = cls()
    made.CustomerRef = reference(customer)
    made.Line = list(lines) or [sales_line(100)]
    return made


class SalesCase(Case):
    """Sales to customers of their own."""

    def new_customer(self):
        """A customer without a history."""
        customer = Customer()
        customer.DisplayName = unique("Buyer")
        return customer.save(qb=self.qb)

    def invoice(self, *lines, customer=CUSTOMER):
        """An invoice that is stored; of 100 without `lines`."""
        return sale(Invoice, *lines, customer=customer).save(qb=self.qb)

    def pay(self, invoice, amount):
        """A payment of an invoice."""
        payment = Payment()
        payment.CustomerRef = reference(invoice.CustomerRef.value)
        payment.TotalAmt = amount
        line = PaymentLine()
        line.Amount = amount
        line.LinkedTxn.append(invoice.to_linked_txn())
        payment.Line.append(line)
        return payment.save(qb=self.qb)

    def read(self, made):
        """What is stored of it now."""
        return type(made).get(made.Id, qb=self.qb)


class Invoices(SalesCase):
    def test_a_created_invoice_reads_back(self):
        customer = Customer.get(CUSTOMER, qb=self.qb)
        invoice = sale(Invoice)
        invoice.CustomerRef = customer.to_ref()
        invoice.CustomerMemo = CustomerMemo()
        invoice.CustomerMemo.value = "Thank you"
        read = self.read(invoice.save(qb=self.qb))
        self.assertEqual(read.CustomerRef.name, customer.DisplayName)
        self.assertEqual(read.CustomerMemo.value, "Thank you")
        self.assertEqual(read.Line[0].Description, "Framing")
        self.assertEqual(read.Line[0].Amount, 100)
        self.assertEqual(read.Line[0].SalesItemLineDetail.ItemRef.value, SERVICE)
        self.assertEqual(read.SyncToken, "0")

    def test_total_and_balance_are_computed(self):
        invoice = self.invoice(sales_line(90.5, UnitPrice=45.25, Qty=2), sales_line(9.5))
        self.assertEqual(invoice.TotalAmt, 100)
        self.assertEqual(invoice.Balance, 100)

    def test_a_subtotal_line_is_added(self):
        invoice = self.invoice()
        self.assertEqual(
            [line.DetailType for line in invoice.Line],
            ["SalesItemLineDetail", "SubTotalLineDetail"],
        )
        self.assertEqual(invoice.Line[1].Amount, 100)

    def test_an_invoice_gets_a_number_and_todays_date(self):
        invoice = self.invoice()
        self.assertTrue(invoice.DocNumber)
        self.assertRegex(invoice.TxnDate, r"^\d{4}-\d\d-\d\d$")
        self.assertGreaterEqual(invoice.DueDate, invoice.TxnDate)

    def test_an_update_replaces_the_lines(self):
        invoice = self.invoice()
        invoice.Line = [sales_line(40)]
        invoice.PrivateNote = "Corrected"
        saved = invoice.save(qb=self.qb)
        self.assertEqual(saved.SyncToken, "1")
        self.assertEqual((saved.TotalAmt, saved.Balance), (40, 40))
        self.assertEqual(self.read(invoice).PrivateNote, "Corrected")

    def test_what_was_read_can_be_saved_as_it_is(self):
        invoice = self.read(self.invoice())
        saved = invoice.save(qb=self.qb)
        self.assertEqual((saved.TotalAmt, len(saved.Line)), (100, 2))

    def test_an_old_sync_token_is_a_stale_object(self):
        invoice = self.invoice()
        invoice.save(qb=self.qb)
        with self.assertRaises(QuickbooksException) as refused:
            invoice.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 5010)

    def test_a_deleted_invoice_is_gone(self):
        invoice = self.invoice()
        answer = invoice.delete(qb=self.qb)
        self.assertEqual(answer["Invoice"]["status"], "Deleted")
        self.assertEqual(Invoice.filter(Id=invoice.Id, qb=self.qb), [])
        with self.assertRaises(ObjectNotFoundException):
            self.read(invoice)

    def test_a_void_invoice_stays_with_nothing_owed(self):
        invoice = self.invoice()
        invoice.void(qb=self.qb)
        read = self.read(invoice)
        self.assertEqual((read.TotalAmt, read.Balance), (0, 0))
        self.assertIn("Voided", read.PrivateNote)

    def test_queries_find_by_customer_balance_and_number(self):
        customer = self.new_customer()
        open_one, paid = (self.invoice(customer=customer.Id) for _ in range(2))
        self.pay(paid, 100)
        found = Invoice.filter(CustomerRef=customer.Id, qb=self.qb)
        self.assertEqual({one.Id for one in found}, {open_one.Id, paid.Id})
        owed = Invoice.where(f"CustomerRef = '{customer.Id}' AND Balance > '0'", qb=self.qb)
        self.assertEqual([one.Id for one in owed], [open_one.Id])
        self.assertEqual(Invoice.count(f"CustomerRef = '{customer.Id}'", qb=self.qb), 2)
        numbered = Invoice.filter(DocNumber=paid.DocNumber, qb=self.qb)
        self.assertEqual([one.Id for one in numbered], [paid.Id])

    def test_a_request_id_sent_twice_creates_once(self):
        request_id = unique("invoice")
        first, second = (sale(Invoice).save(qb=self.qb, request_id=request_id) for _ in range(2))
        self.assertEqual(first.Id, second.Id)

    def test_the_customer_owes_what_is_open(self):
        customer = self.new_customer()
        self.invoice(customer=customer.Id)
        self.assertEqual(Customer.get(customer.Id, qb=self.qb).Balance, 100)

    def test_an_invoiced_activity_has_been_billed(self):
        activity = TimeActivity()
        activity.NameOf, activity.EmployeeRef = "Employee", reference(EMPLOYEE)
        activity.CustomerRef, activity.ItemRef = reference(CUSTOMER), reference(SERVICE)
        activity.BillableStatus, activity.HourlyRate = "Billable", 50
        activity.Hours = 2
        activity = activity.save(qb=self.qb)
        line = sales_line(100, UnitPrice=50, Qty=2)
        line.LinkedTxn.append(activity.to_linked_txn())
        invoice = self.invoice(line)
        self.assertEqual(self.read(activity).BillableStatus, "HasBeenBilled")
        self.assertEqual(self.read(invoice).Line[0].LinkedTxn[0].TxnId, activity.Id)
        with self.assertRaises(QuickbooksException):
            self.read(activity).save(qb=self.qb)

    def test_an_invoice_without_a_customer_is_refused(self):
        invoice = sale(Invoice)
        invoice.CustomerRef = None
        with self.assertRaises(QuickbooksException) as refused:
            invoice.save(qb=self.qb)
        self.assertEqual(refused.exception.error_code, 2020)

    def test_sending_marks_it_as_sent(self):
        invoice = self.invoice()
        answer = invoice.send(qb=self.qb, send_to="billing+one@example.com")
        self.assertEqual(answer["Invoice"]["EmailStatus"], "EmailSent")
        read = self.read(invoice)
        self.assertTrue(read.email_sent)
        self.assertEqual(read.BillEmail.Address, "billing+one@example.com")
        self.assertEqual(read.DeliveryInfo.DeliveryType, "Email")

    def test_it_can_be_downloaded_as_pdf(self):
        self.assertEqual(self.invoice().download_pdf(qb=self.qb)[:4], b"%PDF")


class Payments(SalesCase):
    def test_a_payment_reads_back(self):
        payment = Payment()
        payment.CustomerRef = reference(CUSTOMER)
        payment.TotalAmt = 140.0
        payment.PaymentRefNum = "Check 77"
        read = self.read(payment.save(qb=self.qb))
        self.assertEqual(read.TotalAmt, 140)
        self.assertEqual(read.UnappliedAmt, 140)
        self.assertEqual(read.PaymentRefNum, "Check 77")
        self.assertEqual(read.CustomerRef.value, CUSTOMER)

    def test_a_payment_lowers_the_invoices_balance_and_both_are_linked(self):
        invoice = self.invoice()
        payment = self.pay(invoice, 60)
        read = self.read(invoice)
        self.assertEqual((read.TotalAmt, read.Balance), (100, 40))
        self.assertEqual(
            [(link.TxnType, link.TxnId) for link in read.LinkedTxn], [("Payment", payment.Id)]
        )
        link = self.read(payment).Line[0].LinkedTxn[0]
        self.assertEqual((link.TxnType, link.TxnId), ("Invoice", invoice.Id))
        self.assertEqual(payment.UnappliedAmt, 0)

    def test_an_update_changes_it(self):
        payment = self.pay(self.invoice(), 60)
        payment.PrivateNote = "Second thoughts"
        saved = payment.save(qb=self.qb)
        self.assertEqual(saved.SyncToken, "1")
        self.assertEqual(self.read(payment).PrivateNote, "Second thoughts")

    def test_a_deleted_payment_opens_the_invoice_again(self):
        invoice = self.invoice()
        payment = self.pay(invoice, 100)
        self.assertEqual(self.read(invoice).Balance, 0)
        answer = payment.delete(qb=self.qb)
        self.assertEqual(answer["Payment"]["status"], "Deleted")
        self.assertEqual(self.read(invoice).Balance, 100)

    def test_a_void_payment_opens_the_invoice_again_and_stays(self):
        invoice = self.invoice()
        payment = self.pay(invoice, 100)
        payment.void(qb=self.qb)
        read = self.read(payment)
        self.assertEqual(read.TotalAmt, 0)
        self.assertIn("Voided", read.PrivateNote)
        self.assertEqual(self.read(invoice).Balance, 100)

    def test_queries_find_and_count_them(self):
        customer = self.new_customer()
        payment = self.pay(self.invoice(customer=customer.Id), 10)
        found = Payment.filter(CustomerRef=customer.Id, qb=self.qb)
        self.assertEqual([one.Id for one in found], [payment.Id])
        self.assertEqual(Payment.count(f"CustomerRef = '{customer.Id}'", qb=self.qb), 1)


class Estimates(SalesCase):
    def estimate(self, *lines):
        """An estimate that is stored."""
        return sale(Estimate, *lines).save(qb=self.qb)

    def test_a_discount_comes_after_the_subtotal_and_lowers_the_total(self):
        line = sales_line(35, UnitPrice=35, Qty=1, TaxCodeRef=reference("NON"))
        read = self.read(self.estimate(line, discount_line(10)))
        self.assertEqual(
            [line.DetailType for line in read.Line],
            ["SalesItemLineDetail", "SubTotalLineDetail", "DiscountLineDetail"],
        )
        self.assertEqual(read.Line[2].Amount, 3.5)
        self.assertEqual(read.TotalAmt, 31.5)
        self.assertEqual(read.Line[0].SalesItemLineDetail.TaxCodeRef.value, "NON")

    def test_it_is_pending_until_it_is_accepted(self):
        estimate = self.estimate()
        self.assertEqual(estimate.TxnStatus, "Pending")
        estimate.TxnStatus, estimate.AcceptedBy = "Accepted", "Ana Ruiz"
        saved = estimate.save(qb=self.qb)
        self.assertEqual(saved.SyncToken, "1")
        self.assertEqual((saved.TxnStatus, saved.AcceptedBy), ("Accepted", "Ana Ruiz"))

    def test_an_invoice_made_from_it_closes_it(self):
        estimate = self.estimate()
        link = LinkedTxn()
        link.TxnId, link.TxnType, link.TxnLineId = estimate.Id, "Estimate", None
        invoice = sale(Invoice)
        invoice.LinkedTxn = [link]
        invoice = invoice.save(qb=self.qb)
        read = self.read(estimate)
        self.assertEqual(read.TxnStatus, "Closed")
        self.assertIn(("Invoice", invoice.Id), [(one.TxnType, one.TxnId) for one in read.LinkedTxn])

    def test_a_deleted_estimate_is_gone(self):
        estimate = self.estimate()
        self.assertEqual(estimate.delete(qb=self.qb)["Estimate"]["status"], "Deleted")
        with self.assertRaises(ObjectNotFoundException):
            self.read(estimate)

    def test_queries_find_and_count_them(self):
        estimate = self.estimate()
        found = Estimate.filter(DocNumber=estimate.DocNumber, qb=self.qb)
        self.assertEqual([one.Id for one in found], [estimate.Id])
        self.assertEqual(Estimate.count(f"Id = '{estimate.Id}'", qb=self.qb), 1)

    def test_sending_marks_it_as_sent(self):
        estimate = self.estimate()
        answer = estimate.send(qb=self.qb, send_to="ana@example.com")
        self.assertEqual(answer["Estimate"]["EmailStatus"], "EmailSent")

    def test_it_can_be_downloaded_as_pdf(self):
        self.assertEqual(self.estimate().download_pdf(qb=self.qb)[:4], b"%PDF")


class TaxCodes(Case):
    def test_a_us_company_has_tax_and_non(self):
        codes = {code.Id: code for code in TaxCode.all(qb=self.qb)}
        self.assertLessEqual({"TAX", "NON"}, set(codes))
        self.assertTrue(codes["TAX"].Taxable)
        self.assertFalse(codes["NON"].Taxable)

    def test_one_reads_by_its_id(self):
        self.assertEqual(TaxCode.get("NON", qb=self.qb).Id, "NON")

    def test_they_are_counted(self):
        self.assertEqual(TaxCode.count(qb=self.qb), len(TaxCode.all(qb=self.qb)))
