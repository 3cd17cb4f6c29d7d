'use strict';

// Invoices, payments, estimates, tax codes: totals, balances, links, and what a sale goes through.

const { before, describe, it } = require('node:test');
const {
  CUSTOMER, EMPLOYEE, SERVICE, assert, call, connect, refusal, unique,
} = require('./sandbox');

let qbo;
const connected = () => before(async () => {
  qbo = await connect();
});

const salesLine = (Amount, detail = {}, more = {}) => ({
  Amount,
  Description: 'Framing',
  DetailType: 'SalesItemLineDetail',
  SalesItemLineDetail: { ItemRef: { value: SERVICE }, ...detail },
  ...more,
});
const sale = (more) => ({ CustomerRef: { value: CUSTOMER }, Line: [salesLine(100)], ...more });
const invoice = (more) => call(qbo, 'createInvoice', sale(more));
const estimate = (more) => call(qbo, 'createEstimate', sale(more));
const payment = (TotalAmt, paid, more) => call(qbo, 'createPayment', {
  CustomerRef: { value: CUSTOMER },
  TotalAmt,
  ...(paid && { Line: [{ Amount: TotalAmt, LinkedTxn: [{ TxnId: paid.Id, TxnType: 'Invoice' }] }] }),
  ...more,
});
const ids = (entries) => entries.map((one) => one.Id);

describe('Invoice', () => {
  connected();

  it('a created invoice reads back', async () => {
    const customer = await call(qbo, 'getCustomer', CUSTOMER);
    const made = await invoice({ CustomerMemo: { value: 'Thank you' } });
    const read = await call(qbo, 'getInvoice', made.Id);
    assert.equal(read.CustomerRef.name, customer.DisplayName);
    assert.equal(read.CustomerMemo.value, 'Thank you');
    assert.equal(read.Line[0].Description, 'Framing');
    assert.equal(read.Line[0].SalesItemLineDetail.ItemRef.value, SERVICE);
    assert.ok(read.Line[0].Id);
    assert.ok(read.DocNumber);
  });

  it('total, balance and the subtotal line are computed', async () => {
    const Line = [salesLine(90.5, { UnitPrice: 45.25, Qty: 2 }), salesLine(9.5)];
    const made = await invoice({ Line });
    assert.equal(made.TotalAmt, 100);
    assert.equal(made.Balance, 100);
    assert.equal(made.Line[2].DetailType, 'SubTotalLineDetail');
    assert.equal(made.Line[2].Amount, 100);
  });

  it('a sparse update keeps the lines that it does not send', async () => {
    const { Id, SyncToken } = await invoice();
    const saved = await call(qbo, 'updateInvoice', { Id, SyncToken, PrivateNote: 'Noted' });
    assert.equal(saved.SyncToken, '1');
    assert.equal(saved.PrivateNote, 'Noted');
    assert.equal(saved.TotalAmt, 100);
    assert.equal(saved.Line.length, 2);
  });

  it('lines that are sent replace the old ones', async () => {
    const { Id, SyncToken } = await invoice();
    const saved = await call(qbo, 'updateInvoice', { Id, SyncToken, Line: [salesLine(40)] });
    assert.equal(saved.TotalAmt, 40);
    assert.equal(saved.Balance, 40);
  });

  it('what was read can be saved as it is', async () => {
    const { Id } = await invoice();
    const saved = await call(qbo, 'updateInvoice', await call(qbo, 'getInvoice', Id));
    assert.equal(saved.TotalAmt, 100);
    assert.equal(saved.Line.length, 2);
  });

  it('an old SyncToken is a stale object', async () => {
    const { Id, SyncToken } = await invoice();
    await call(qbo, 'updateInvoice', { Id, SyncToken, PrivateNote: 'First' });
    const second = call(qbo, 'updateInvoice', { Id, SyncToken, PrivateNote: 'Second' });
    assert.equal((await refusal(second)).code, '5010');
  });

  it('is deleted by its Id, after a read', async () => {
    const { Id } = await invoice();
    const answer = await call(qbo, 'deleteInvoice', Id);
    assert.equal(answer.Invoice.status, 'Deleted');
    assert.equal((await refusal(call(qbo, 'getInvoice', Id))).code, '610');
    const { QueryResponse } = await call(qbo, 'findInvoices', { Id });
    assert.deepEqual(QueryResponse, {});
  });

  it('is voided by its Id: it stays, with nothing owed', async () => {
    const { Id } = await invoice();
    const answer = await call(qbo, 'voidInvoice', Id);
    assert.equal(answer.Invoice.TotalAmt, 0);
    const read = await call(qbo, 'getInvoice', Id);
    assert.deepEqual([read.TotalAmt, read.Balance], [0, 0]);
    assert.match(read.PrivateNote, /Voided/);
  });

  it('is voided as a whole entity', async () => {
    const answer = await call(qbo, 'voidInvoice', await invoice());
    assert.equal(answer.Invoice.Balance, 0);
  });

  it('a number that is taken is refused, unless duplicates are allowed', async () => {
    const DocNumber = unique('D');
    await invoice({ DocNumber });
    assert.equal((await refusal(invoice({ DocNumber }))).code, '6140');
    const second = await invoice({ DocNumber, allowDuplicateDocNum: true });
    assert.equal(second.DocNumber, DocNumber);
  });

  it('queries find by customer and balance, and count', async () => {
    const customer = await call(qbo, 'createCustomer', { DisplayName: unique('Buyer') });
    const CustomerRef = { value: customer.Id };
    const [open, paid] = [await invoice({ CustomerRef }), await invoice({ CustomerRef })];
    await payment(100, paid, { CustomerRef });
    const owed = await call(qbo, 'findInvoices', [
      { field: 'CustomerRef', value: customer.Id },
      { field: 'Balance', value: '0', operator: '>' },
    ]);
    assert.deepEqual(ids(owed.QueryResponse.Invoice), [open.Id]);
    const counted = await call(qbo, 'findInvoices', { CustomerRef: customer.Id, count: true });
    assert.equal(counted.QueryResponse.totalCount, 2);
    assert.equal((await call(qbo, 'getCustomer', customer.Id)).Balance, 100);
  });

  it('a requestId sent twice creates once', async () => {
    const requestId = unique('invoice');
    const [first, second] = [await invoice({ requestId }), await invoice({ requestId })];
    assert.equal(second.Id, first.Id);
  });

  it('an activity that was invoiced has been billed', async () => {
    const activity = await call(qbo, 'createTimeActivity', {
      NameOf: 'Employee',
      EmployeeRef: { value: EMPLOYEE },
      CustomerRef: { value: CUSTOMER },
      ItemRef: { value: SERVICE },
      BillableStatus: 'Billable',
      HourlyRate: 50,
      Hours: 2,
    });
    const LinkedTxn = [{ TxnId: activity.Id, TxnType: 'TimeActivity' }];
    const made = await invoice({ Line: [salesLine(100, { UnitPrice: 50, Qty: 2 }, { LinkedTxn })] });
    const read = await call(qbo, 'getTimeActivity', activity.Id);
    assert.equal(read.BillableStatus, 'HasBeenBilled');
    assert.equal(made.Line[0].LinkedTxn[0].TxnId, activity.Id);
    const changed = call(qbo, 'updateTimeActivity', { ...read, Hours: 3 });
    assert.equal((await refusal(changed)).status, 400);
    await call(qbo, 'deleteInvoice', made.Id);
    const again = await call(qbo, 'getTimeActivity', activity.Id);
    assert.equal(again.BillableStatus, 'Billable');
  });

  it('sending marks it as sent', async () => {
    const { Id } = await invoice();
    const sent = await call(qbo, 'sendInvoicePdf', Id, 'billing@example.com');
    assert.equal(sent.EmailStatus, 'EmailSent');
    assert.equal(sent.BillEmail.Address, 'billing@example.com');
    assert.equal(sent.DeliveryInfo.DeliveryType, 'Email');
  });

  it('is sent to the address that it holds', async () => {
    const { Id } = await invoice({ BillEmail: { Address: 'held@example.com' } });
    const sent = await call(qbo, 'sendInvoicePdf', Id);
    assert.equal(sent.EmailStatus, 'EmailSent');
    assert.equal(sent.BillEmail.Address, 'held@example.com');
  });

  it('can be downloaded as PDF', async () => {
    const pdf = await call(qbo, 'getInvoicePdf', (await invoice()).Id);
    assert.equal(Buffer.from(pdf).toString('latin1', 0, 4), '%PDF');
  });
});

describe('Payment', () => {
  connected();

  it('a payment reads back', async () => {
    const { Id } = await payment(140, null, { PaymentRefNum: 'Check 77' });
    const read = await call(qbo, 'getPayment', Id);
    assert.equal(read.TotalAmt, 140);
    assert.equal(read.UnappliedAmt, 140);
    assert.equal(read.PaymentRefNum, 'Check 77');
  });

  it('lowers the invoice\'s balance, and both are linked', async () => {
    const paid = await invoice();
    const made = await payment(60, paid);
    const read = await call(qbo, 'getInvoice', paid.Id);
    assert.equal(read.Balance, 40);
    assert.deepEqual(
      read.LinkedTxn.map(({ TxnType, TxnId }) => [TxnType, TxnId]), [['Payment', made.Id]],
    );
    assert.equal(made.Line[0].LinkedTxn[0].TxnId, paid.Id);
    assert.equal(made.UnappliedAmt, 0);
  });

  it('a sparse update keeps its links', async () => {
    const paid = await invoice();
    const { Id, SyncToken } = await payment(60, paid);
    const saved = await call(qbo, 'updatePayment', { Id, SyncToken, PrivateNote: 'Noted' });
    assert.equal(saved.PrivateNote, 'Noted');
    assert.equal((await call(qbo, 'getInvoice', paid.Id)).Balance, 40);
  });

  it('deleted, it opens the invoice again', async () => {
    const paid = await invoice();
    const { Id } = await payment(100, paid);
    assert.equal((await call(qbo, 'getInvoice', paid.Id)).Balance, 0);
    assert.equal((await call(qbo, 'deletePayment', Id)).Payment.status, 'Deleted');
    assert.equal((await call(qbo, 'getInvoice', paid.Id)).Balance, 100);
  });

  it('voided, it opens the invoice again and stays', async () => {
    const paid = await invoice();
    const made = await payment(100, paid);
    const voided = await call(qbo, 'voidPayment', { Id: made.Id, SyncToken: made.SyncToken });
    assert.equal(voided.TotalAmt, 0);
    assert.match((await call(qbo, 'getPayment', made.Id)).PrivateNote, /Voided/);
    assert.equal((await call(qbo, 'getInvoice', paid.Id)).Balance, 100);
  });

  it('queries find and count it', async () => {
    const { Id } = await payment(10);
    const { QueryResponse } = await call(qbo, 'findPayments', { Id });
    assert.equal(QueryResponse.Payment[0].TotalAmt, 10);
    const counted = await call(qbo, 'findPayments', { Id, count: true });
    assert.equal(counted.QueryResponse.totalCount, 1);
  });
});

describe('Estimate', () => {
  connected();

  it('a discount comes after the subtotal and lowers the total', async () => {
    const discount = {
      DetailType: 'DiscountLineDetail',
      DiscountLineDetail: { PercentBased: true, DiscountPercent: 10 },
    };
    const made = await estimate({ Line: [salesLine(35, { UnitPrice: 35, Qty: 1 }), discount] });
    const read = await call(qbo, 'getEstimate', made.Id);
    assert.deepEqual(
      read.Line.map((line) => line.DetailType),
      ['SalesItemLineDetail', 'SubTotalLineDetail', 'DiscountLineDetail'],
    );
    assert.equal(read.Line[2].Amount, 3.5);
    assert.equal(read.TotalAmt, 31.5);
  });

  it('is pending until it is accepted', async () => {
    const { Id, SyncToken, TxnStatus } = await estimate();
    assert.equal(TxnStatus, 'Pending');
    const accepted = { Id, SyncToken, TxnStatus: 'Accepted', AcceptedBy: 'Ana Ruiz' };
    const saved = await call(qbo, 'updateEstimate', accepted);
    assert.equal(saved.TxnStatus, 'Accepted');
    assert.equal(saved.AcceptedBy, 'Ana Ruiz');
    assert.equal(saved.TotalAmt, 100);
  });

  it('an invoice made from it closes it', async () => {
    const { Id } = await estimate();
    const made = await invoice({ LinkedTxn: [{ TxnId: Id, TxnType: 'Estimate' }] });
    const read = await call(qbo, 'getEstimate', Id);
    assert.equal(read.TxnStatus, 'Closed');
    assert.deepEqual(
      read.LinkedTxn.map(({ TxnType, TxnId }) => [TxnType, TxnId]), [['Invoice', made.Id]],
    );
  });

  it('is deleted', async () => {
    const { Id } = await estimate();
    assert.equal((await call(qbo, 'deleteEstimate', Id)).Estimate.status, 'Deleted');
    assert.equal((await refusal(call(qbo, 'getEstimate', Id))).code, '610');
  });

  it('queries find and count it', async () => {
    const { Id, DocNumber } = await estimate();
    const { QueryResponse } = await call(qbo, 'findEstimates', { DocNumber });
    assert.deepEqual(ids(QueryResponse.Estimate), [Id]);
    const counted = await call(qbo, 'findEstimates', { Id, count: true });
    assert.equal(counted.QueryResponse.totalCount, 1);
  });

  it('is sent, and downloaded as PDF', async () => {
    const { Id } = await estimate();
    const sent = await call(qbo, 'sendEstimatePdf', Id, 'ana@example.com');
    assert.equal(sent.EmailStatus, 'EmailSent');
    const pdf = await call(qbo, 'getEstimatePdf', Id);
    assert.equal(Buffer.from(pdf).toString('latin1', 0, 4), '%PDF');
  });
});

describe('TaxCode', () => {
  connected();

  it('a US company has TAX and NON', async () => {
    const { QueryResponse } = await call(qbo, 'findTaxCodes', {});
    const found = ids(QueryResponse.TaxCode);
    assert.ok(found.includes('TAX') && found.includes('NON'));
    const counted = await call(qbo, 'findTaxCodes', { count: true });
    assert.equal(counted.QueryResponse.totalCount, found.length);
  });

  it('one reads by its Id', async () => {
    const code = await call(qbo, 'getTaxCode', 'TAX');
    assert.equal(code.Id, 'TAX');
    assert.equal(code.Taxable, true);
  });

  it('cannot be written', async () => {
    const code = await call(qbo, 'getTaxCode', 'TAX');
    const refused = await refusal(call(qbo, 'updateTaxCode', { ...code, Description: 'Mine' }));
    assert.equal(refused.status, 400);
  });
});
