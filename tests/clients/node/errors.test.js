'use strict';

// What node-quickbooks makes of refusals and of a QuickBooks that is not well.

const { afterEach, before, describe, it } = require('node:test');
const { CUSTOMER, REALM, admin, assert, call, connect, refusal, unique } = require('./sandbox');

describe('Errors', () => {
  let qbo;
  before(async () => {
    qbo = await connect();
  });
  afterEach(() => admin('DELETE', '/faults'));

  const get = () => call(qbo, 'getCustomer', CUSTOMER);

  it('a fault carries code, message, detail and element', async () => {
    const refused = await refusal(call(qbo, 'createVendor', { DisplayName: 'With:colon' }));
    assert.equal(refused.status, 400);
    assert.equal(refused.code, '2040');
    assert.ok(refused.Message);
    assert.ok(refused.Detail);
    assert.ok(refused.data.time);
  });

  it('a throttle is 429 in the gateway\'s shape', async () => {
    await admin('POST', '/faults', { realm: REALM, status: 429, faultShape: 'gateway' });
    const refused = await refusal(get());
    assert.equal(refused.status, 429);
    assert.ok(refused.data.fault);
    assert.equal((await get()).Id, CUSTOMER);
  });

  it('a system failure is 500', async () => {
    await admin('POST', '/faults', { realm: REALM, status: 500, faultCode: '10000' });
    const refused = await refusal(get());
    assert.equal(refused.status, 500);
    assert.equal(refused.code, '10000');
  });

  it('an answer that is no JSON is handed on as text', async () => {
    await admin('POST', '/faults', { realm: REALM, status: 504, rawBody: 'stream timeout' });
    const refused = await refusal(get());
    assert.equal(refused.status, 504);
    assert.equal(refused.data, 'stream timeout');
  });

  it('a create whose answer was lost is found by its requestId', async () => {
    const fields = { DisplayName: unique('Lost'), requestId: unique('lost') };
    await admin('POST', '/faults', { path: '/customer', realm: REALM, cut: 'after' });
    await assert.rejects(call(qbo, 'createCustomer', { ...fields }), { code: 'ECONNRESET' });
    const made = await call(qbo, 'createCustomer', { ...fields });
    const { QueryResponse } = await call(qbo, 'findCustomers', { DisplayName: made.DisplayName });
    assert.deepEqual(QueryResponse.Customer.map((one) => one.Id), [made.Id]);
  });

  it('another company\'s realm is forbidden', async () => {
    const other = await connect();
    other.realmId = '9341453000000002';
    const refused = await refusal(call(other, 'getCustomer', CUSTOMER));
    assert.equal(refused.status, 403);
    assert.equal(refused.code, '3100');
  });
});
