'use strict';

// The lists: people, items, classes, departments, accounts, terms.
//
// Neither QuickBooks nor the client deletes an entry of a list; it is made inactive.

const { before, describe, it } = require('node:test');
const { CUSTOMER, assert, call, connect, refusal, unique } = require('./sandbox');

let qbo;

// What holds for each list. `make` says what a new entry needs, `change` what is changed of it.
function listRules({ entity, plural, nameField = 'Name', make, change, suffix = true }) {
  const name = (entry) => entry[nameField];
  const create = (more) => call(qbo, `create${entity}`, { ...make(unique(entity)), ...more });
  const get = (id) => call(qbo, `get${entity}`, id);
  const update = (fields) => call(qbo, `update${entity}`, fields);
  const find = async (criteria) => {
    const { QueryResponse } = await call(qbo, `find${plural}`, criteria);
    return QueryResponse[entity] || [];
  };
  const handle = ({ Id, SyncToken }) => ({ Id, SyncToken });

  before(async () => {
    qbo = await connect();
  });

  it('a created entry has an Id and reads back', async () => {
    const made = await create();
    const read = await get(made.Id);
    assert.match(made.Id, /^\d+$/);
    assert.equal(name(read), name(made));
    assert.equal(read.SyncToken, '0');
    assert.equal(read.domain, 'QBO');
    assert.ok(read.MetaData.CreateTime);
  });

  it('a sparse update changes what it sends and keeps the rest', async () => {
    const made = await create();
    const changed = change(unique('Changed'));
    const saved = await update({ ...handle(made), ...changed });
    const read = await get(made.Id);
    assert.equal(saved.SyncToken, '1');
    for (const [field, value] of Object.entries(changed)) assert.equal(read[field], value);
    if (!(nameField in changed)) assert.equal(name(read), name(made));
  });

  it('what was read can be saved as it is', async () => {
    const read = await get((await create()).Id);
    const saved = await update(read);
    assert.equal(saved.SyncToken, '1');
    assert.equal(name(saved), name(read));
  });

  it('an old SyncToken is a stale object', async () => {
    const made = await create();
    await update({ ...handle(made), ...change(unique('Changed')) });
    const refused = await refusal(update({ ...handle(made), ...change(unique('Changed')) }));
    assert.equal(refused.status, 400);
    assert.equal(refused.code, '5010');
  });

  it('a query finds it by name', async () => {
    const made = await create();
    const found = await find({ [nameField]: name(made) });
    assert.deepEqual(found.map((one) => one.Id), [made.Id]);
  });

  it('the count is the number of entries', async () => {
    await create();
    const { QueryResponse } = await call(qbo, `find${plural}`, { count: true });
    assert.equal(QueryResponse.totalCount, (await find({ limit: 1000 })).length);
  });

  it('an inactive entry is hidden from queries unless asked for', async () => {
    const made = await create();
    const saved = await update({ ...handle(made), Active: false });
    assert.equal(saved.Active, false);
    if (suffix) assert.equal(name(saved), `${name(made)} (deleted)`);
    assert.deepEqual(await find({ [nameField]: name(saved) }), []);
    const found = await find({ [nameField]: name(saved), Active: false });
    assert.deepEqual(found.map((one) => one.Id), [made.Id]);
  });

  it('a taken name is refused', async () => {
    const made = await create();
    const refused = await refusal(call(qbo, `create${entity}`, make(name(made))));
    assert.equal(refused.code, '6240');
    assert.match(refused.Detail, new RegExp(made.Id));
  });

  it('an Id of nothing is not found', async () => {
    const refused = await refusal(get('987654321'));
    assert.equal(refused.status, 400);
    assert.equal(refused.code, '610');
    assert.ok(refused.Message);
  });
}

describe('Employee', () => {
  listRules({
    entity: 'Employee',
    plural: 'Employees',
    nameField: 'DisplayName',
    make: (name) => ({ GivenName: name.split(' ')[0], FamilyName: name.split(' ')[1] }),
    change: (text) => ({ EmployeeNumber: text }),
  });

  it('the DisplayName is made of the parts', async () => {
    const made = await call(qbo, 'createEmployee', { GivenName: 'Ana', FamilyName: 'Ruiz' });
    assert.equal(made.DisplayName, 'Ana Ruiz');
    assert.equal(made.PrintOnCheckName, 'Ana Ruiz');
  });
});

describe('Vendor', () => {
  listRules({
    entity: 'Vendor',
    plural: 'Vendors',
    nameField: 'DisplayName',
    make: (DisplayName) => ({ DisplayName }),
    change: (AcctNum) => ({ AcctNum }),
  });

  it('a name is taken across vendors and customers', async () => {
    const { DisplayName } = await call(qbo, 'createVendor', { DisplayName: unique('Vendor') });
    const refused = await refusal(call(qbo, 'createCustomer', { DisplayName }));
    assert.equal(refused.code, '6240');
  });
});

describe('Customer', () => {
  listRules({
    entity: 'Customer',
    plural: 'Customers',
    nameField: 'DisplayName',
    make: (DisplayName) => ({ DisplayName }),
    change: (Notes) => ({ Notes }),
  });

  it('a sub-customer has its parent\'s name in its full name', async () => {
    const parent = await call(qbo, 'getCustomer', CUSTOMER);
    const made = await call(qbo, 'createCustomer', {
      DisplayName: unique('Kitchen'), Job: true, ParentRef: { value: CUSTOMER },
    });
    assert.equal(made.FullyQualifiedName, `${parent.DisplayName}:${made.DisplayName}`);
    assert.equal(made.ParentRef.value, CUSTOMER);
    assert.equal(made.Job, true);
  });

  it('an apostrophe, an accent, an ampersand and a plus in a name are found again', async () => {
    const DisplayName = unique('Zoë O\'Hara & Sons + Co #100%');
    const made = await call(qbo, 'createCustomer', { DisplayName });
    const { QueryResponse } = await call(qbo, 'findCustomers', { DisplayName });
    assert.deepEqual(QueryResponse.Customer.map((one) => one.Id), [made.Id]);
  });

  it('a requestId sent twice creates once', async () => {
    const requestId = unique('customer');
    const fields = { DisplayName: unique('Once'), requestId };
    const first = await call(qbo, 'createCustomer', { ...fields });
    const second = await call(qbo, 'createCustomer', { ...fields });
    assert.equal(second.Id, first.Id);
  });
});

describe('Item', () => {
  listRules({
    entity: 'Item',
    plural: 'Items',
    make: (Name) => ({ Name, Type: 'Service', IncomeAccountRef: { value: '1' } }),
    change: () => ({ UnitPrice: 12.5 }),
  });

  it('accounts may be told not to be updated on transactions', async () => {
    const made = await call(qbo, 'createItem', {
      Name: unique('Item'), Type: 'Service', IncomeAccountRef: { value: '1' },
    });
    const { Id, SyncToken } = made;
    const saved = await call(qbo, 'updateItem', {
      Id, SyncToken, Description: 'New', doNotUpdateAccountOnTxns: true,
    });
    assert.equal(saved.Description, 'New');
  });
});

describe('Class', () => {
  listRules({
    entity: 'Class',
    plural: 'Classes',
    make: (Name) => ({ Name }),
    change: (Name) => ({ Name }),
  });
});

describe('Department', () => {
  listRules({
    entity: 'Department',
    plural: 'Departments',
    make: (Name) => ({ Name }),
    change: (Name) => ({ Name }),
  });
});

describe('Account', () => {
  listRules({
    entity: 'Account',
    plural: 'Accounts',
    make: (Name) => ({ Name, AccountType: 'Expense' }),
    change: (Description) => ({ Description }),
    suffix: false,
  });

  it('accounts are found by type', async () => {
    const { QueryResponse } = await call(qbo, 'findAccounts', { AccountType: 'Expense' });
    assert.ok(QueryResponse.Account.length > 0);
    assert.ok(QueryResponse.Account.every((one) => one.AccountType === 'Expense'));
  });
});

describe('Term', () => {
  listRules({
    entity: 'Term',
    plural: 'Terms',
    make: (Name) => ({ Name, DueDays: 10 }),
    change: () => ({ DueDays: 60 }),
    suffix: false,
  });
});
