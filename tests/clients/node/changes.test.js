'use strict';

// Change data capture.

const { before, describe, it } = require('node:test');
const { CUSTOMER, SERVICE, admin, assert, call, connect, refusal, unique } = require('./sandbox');

describe('Change data capture', () => {
  let [qbo, now] = [];
  before(async () => {
    // What other tests did lies an hour back.
    now = new Date((await admin('POST', '/clock/advance', { seconds: 3600 })).now);
    qbo = await connect();
  });

  const ago = (minutes) => new Date(now - minutes * 60_000);
  // The changed entities by kind.
  const changes = async (kinds, since) => {
    const { CDCResponse } = await call(qbo, 'changeDataCapture', kinds, since);
    return Object.assign({}, ...CDCResponse[0].QueryResponse);
  };
  const customer = () => call(qbo, 'createCustomer', { DisplayName: unique('Captured') });
  const invoice = () => call(qbo, 'createInvoice', {
    CustomerRef: { value: CUSTOMER },
    Line: [{
      Amount: 10,
      DetailType: 'SalesItemLineDetail',
      SalesItemLineDetail: { ItemRef: { value: SERVICE } },
    }],
  });

  it('what changed is told by kind, in full', async () => {
    const [changed, sold] = [await customer(), await invoice()];
    const found = await changes(['Customer', 'Invoice'], ago(5));
    const captured = found.Customer.find((one) => one.Id === changed.Id);
    assert.equal(captured.DisplayName, changed.DisplayName);
    assert.ok(found.Invoice.some((one) => one.Id === sold.Id));
  });

  it('kinds may be a text, and the moment one with an offset', async () => {
    const changed = await customer();
    const found = await changes('Customer', ago(5).toISOString().replace('Z', '-00:00'));
    assert.ok(found.Customer.some((one) => one.Id === changed.Id));
  });

  it('the answer has a time to go on from', async () => {
    await customer();
    const answer = await call(qbo, 'changeDataCapture', ['Customer'], ago(5));
    assert.ok(Math.abs(new Date(answer.time) - now) < 60_000);
    assert.equal(answer.CDCResponse.length, 1);
  });

  it('a deleted one is told by its status', async () => {
    const { Id } = await invoice();
    await call(qbo, 'deleteInvoice', Id);
    const captured = (await changes(['Invoice'], ago(5))).Invoice.find((one) => one.Id === Id);
    assert.equal(captured.status, 'Deleted');
    assert.ok(captured.MetaData.LastUpdatedTime);
    assert.equal(captured.TotalAmt, undefined);
  });

  it('a kind without a change is left out', async () => {
    await customer();
    const found = await changes(['Class', 'Customer'], ago(5));
    assert.equal(found.Class, undefined);
    assert.ok(found.Customer.length > 0);
  });

  it('time activities are not supported', async () => {
    const refused = await refusal(call(qbo, 'changeDataCapture', ['TimeActivity'], ago(5)));
    assert.equal(refused.status, 400);
  });

  it('more than thirty days are refused', async () => {
    const refused = await refusal(
      call(qbo, 'changeDataCapture', ['Customer'], ago(31 * 24 * 60)),
    );
    assert.equal(refused.status, 400);
  });
});
