'use strict';

// TimeActivity: the rules that time tracking lives by.

const { before, describe, it } = require('node:test');
const {
  CUSTOMER, EMPLOYEE, SERVICE, VENDOR, assert, call, connect, refusal, unique,
} = require('./sandbox');

describe('TimeActivity', () => {
  let qbo;
  before(async () => {
    qbo = await connect();
  });

  const activity = (more) => ({
    NameOf: 'Employee',
    EmployeeRef: { value: EMPLOYEE },
    TxnDate: '2026-11-18',
    Hours: 7,
    Minutes: 30,
    ...more,
  });
  const create = (more) => call(qbo, 'createTimeActivity', activity(more));
  const get = (id) => call(qbo, 'getTimeActivity', id);

  it('a created activity reads back', async () => {
    const made = await create({ Description: 'Framing, north wall' });
    const read = await get(made.Id);
    assert.equal(read.NameOf, 'Employee');
    assert.equal(read.EmployeeRef.value, EMPLOYEE);
    assert.ok(read.EmployeeRef.name);
    assert.equal(read.TxnDate, '2026-11-18');
    assert.deepEqual([read.Hours, read.Minutes], [7, 30]);
    assert.equal(read.Description, 'Framing, north wall');
  });

  it('a billable activity carries customer, item and rate', async () => {
    const made = await create({
      BillableStatus: 'Billable',
      CustomerRef: { value: CUSTOMER },
      ItemRef: { value: SERVICE },
      HourlyRate: 75.5,
    });
    assert.equal(made.BillableStatus, 'Billable');
    assert.equal(made.HourlyRate, 75.5);
    assert.equal(made.CustomerRef.value, CUSTOMER);
  });

  it('a sparse update keeps what it does not send', async () => {
    const made = await create({ Description: 'Kept' });
    const { Id, SyncToken } = made;
    const saved = await call(qbo, 'updateTimeActivity', { Id, SyncToken, Hours: 6 });
    assert.equal(saved.SyncToken, '1');
    assert.equal(saved.Hours, 6);
    assert.equal(saved.Description, 'Kept');
  });

  it('a full update clears what it does not send', async () => {
    const { Id, SyncToken } = await create({ Description: 'Cleared' });
    const saved = await call(
      qbo, 'updateTimeActivity', activity({ Id, SyncToken, sparse: false }),
    );
    assert.equal(saved.Description, undefined);
  });

  it('an old SyncToken is a stale object', async () => {
    const { Id, SyncToken } = await create();
    await call(qbo, 'updateTimeActivity', { Id, SyncToken, Hours: 6 });
    const refused = await refusal(call(qbo, 'updateTimeActivity', { Id, SyncToken, Hours: 5 }));
    assert.equal(refused.code, '5010');
  });

  it('is deleted by its Id, after a read', async () => {
    const made = await create();
    const answer = await call(qbo, 'deleteTimeActivity', made.Id);
    assert.equal(answer.TimeActivity.status, 'Deleted');
    assert.equal(answer.TimeActivity.Id, made.Id);
    assert.equal((await refusal(get(made.Id))).code, '610');
  });

  it('is deleted as a whole entity', async () => {
    const answer = await call(qbo, 'deleteTimeActivity', await create());
    assert.equal(answer.TimeActivity.status, 'Deleted');
  });

  it('queries filter by date and person, and count', async () => {
    const made = await create({ TxnDate: '2025-02-03' });
    await create({ TxnDate: '2025-02-04' });
    const criteria = { TxnDate: '2025-02-03', EmployeeRef: EMPLOYEE };
    const { QueryResponse } = await call(qbo, 'findTimeActivities', criteria);
    assert.deepEqual(QueryResponse.TimeActivity.map((one) => one.Id), [made.Id]);
    const between = await call(qbo, 'findTimeActivities', [
      { field: 'TxnDate', value: '2025-02-01', operator: '>=' },
      { field: 'TxnDate', value: '2025-02-28', operator: '<=' },
      { count: true },
    ]);
    assert.equal(between.QueryResponse.totalCount, 2);
  });

  it('a requestId sent twice creates once', async () => {
    const requestId = unique('activity');
    const first = await create({ requestId });
    const second = await create({ requestId });
    assert.equal(second.Id, first.Id);
    assert.equal(second.MetaData.CreateTime, first.MetaData.CreateTime);
  });

  it('an employee who does not exist is an invalid reference', async () => {
    const refused = await refusal(create({ EmployeeRef: { value: '987654321' } }));
    assert.equal(refused.code, '2500');
  });

  it('a vendor\'s Id as employee comes back as Other', async () => {
    const made = await create({ EmployeeRef: { value: VENDOR } });
    assert.equal(made.NameOf, 'Other');
    assert.equal(made.EmployeeRef, undefined);
  });

  it('an unknown field is refused', async () => {
    const refused = await refusal(create({ Hoours: 3 }));
    assert.equal(refused.status, 400);
    assert.equal(refused.code, '2010');
    assert.equal(refused.element, 'Hoours');
  });
});
