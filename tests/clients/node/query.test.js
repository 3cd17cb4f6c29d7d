'use strict';

// Queries and counts as node-quickbooks writes them: by GET, with its own escapes.

const { before, describe, it } = require('node:test');
const { assert, call, connect, refusal, unique } = require('./sandbox');

describe('Query', () => {
  let qbo;
  before(async () => {
    qbo = await connect();
  });

  const employees = async (criteria) => {
    const { QueryResponse } = await call(qbo, 'findEmployees', criteria);
    return QueryResponse.Employee || [];
  };
  const names = (entries) => entries.map((one) => one.DisplayName);
  const alphabetic = (texts) => [...texts].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));

  it('without criteria everything active comes, the last change first', async () => {
    const made = await call(qbo, 'createEmployee', {
      GivenName: 'Newest', FamilyName: unique('Employee'),
    });
    const answer = await new Promise((resolve, reject) => {
      qbo.findEmployees((error, data) => (error ? reject(error) : resolve(data)));
    });
    assert.equal(answer.QueryResponse.Employee[0].Id, made.Id);
    assert.equal(answer.QueryResponse.startPosition, 1);
    assert.equal(answer.QueryResponse.maxResults, answer.QueryResponse.Employee.length);
    assert.ok(answer.time);
  });

  it('limit and offset page', async () => {
    const first = await employees({ asc: 'DisplayName', limit: 10 });
    const second = await employees({ asc: 'DisplayName', limit: 10, offset: 11 });
    assert.equal(first.length, 10);
    const both = names([...first, ...second]);
    assert.deepEqual(both, alphabetic(both));
    assert.equal(new Set(both).size, 20);
  });

  it('fetchAll goes on until the last page', async () => {
    const { QueryResponse } = await call(qbo, 'findEmployees', { count: true });
    const all = await employees({ fetchAll: true, limit: 10 });
    assert.equal(all.length, QueryResponse.totalCount);
    assert.equal(new Set(all.map((one) => one.Id)).size, all.length);
  });

  it('a descending order holds', async () => {
    const found = names(await employees({ desc: 'DisplayName', limit: 1000 }));
    assert.deepEqual(found, alphabetic(found).reverse());
  });

  it('an array becomes IN', async () => {
    const found = await employees({ Id: ['55', '56'] });
    assert.deepEqual(found.map((one) => one.Id).sort(), ['55', '56']);
  });

  it('operators are taken as they are', async () => {
    const found = await employees([
      { field: 'DisplayName', value: 'Aaron%', operator: 'LIKE' },
      { field: 'Active', value: [true, false], operator: 'IN' },
    ]);
    assert.ok(found.length > 0);
    assert.ok(found.every((one) => one.DisplayName.startsWith('Aaron')));
  });

  it('an apostrophe in a value is found', async () => {
    assert.deepEqual(names(await employees({ DisplayName: 'Aaron O\'Brien' })), ['Aaron O\'Brien']);
  });

  it('a where clause may be written by hand', async () => {
    const found = await employees('where DisplayName = \'Aaron O\\\'Brien\' maxresults 1');
    assert.deepEqual(names(found), ['Aaron O\'Brien']);
  });

  it('a change is found by its time', async () => {
    const made = await call(qbo, 'createEmployee', {
      GivenName: 'Changed', FamilyName: unique('Employee'),
    });
    const value = made.MetaData.LastUpdatedTime;
    const found = await employees([
      { field: 'MetaData.LastUpdatedTime', value, operator: '>=' },
      { field: 'asc', value: 'MetaData.LastUpdatedTime' },
    ]);
    assert.ok(found.some((one) => one.Id === made.Id));
  });

  it('nothing found has no array', async () => {
    const { QueryResponse } = await call(qbo, 'findEmployees', { DisplayName: 'Nobody at all' });
    assert.deepEqual(QueryResponse, {});
  });

  it('a count of nothing is 0', async () => {
    const criteria = { DisplayName: 'Nobody at all', count: true };
    const { QueryResponse } = await call(qbo, 'findEmployees', criteria);
    assert.equal(QueryResponse.totalCount, 0);
  });

  it('a property that is not there is refused', async () => {
    const refused = await refusal(call(qbo, 'findEmployees', { Nickname: 'x' }));
    assert.equal(refused.status, 400);
    assert.equal(refused.code, '4001');
  });

  it('Id does not sort', async () => {
    const refused = await refusal(call(qbo, 'findEmployees', { asc: 'Id' }));
    assert.equal(refused.code, '4001');
  });
});
