'use strict';

// CompanyInfo and Preferences.

const { before, describe, it } = require('node:test');
const { COMPANY_NAME, REALM, assert, call, connect, refusal, unique } = require('./sandbox');

let qbo;
const connected = () => before(async () => {
  qbo = await connect();
});

describe('CompanyInfo', () => {
  connected();

  it('is read by the realm', async () => {
    const company = await call(qbo, 'getCompanyInfo', REALM);
    assert.equal(company.CompanyName, COMPANY_NAME);
    assert.equal(company.Country, 'US');
    assert.equal(company.CompanyAddr.City, 'Golden');
    assert.ok(company.Email.Address);
  });

  it('a query answers the one company', async () => {
    const { QueryResponse } = await call(qbo, 'findCompanyInfos', {});
    assert.equal(QueryResponse.CompanyInfo.length, 1);
    assert.equal(QueryResponse.CompanyInfo[0].CompanyName, COMPANY_NAME);
  });

  it('a sparse update changes what it sends and keeps the rest', async () => {
    const { Id, SyncToken } = await call(qbo, 'getCompanyInfo', REALM);
    const LegalName = unique('Rocky Ridge Builders');
    const saved = await call(qbo, 'updateCompanyInfo', { Id, SyncToken, LegalName });
    assert.equal(saved.LegalName, LegalName);
    assert.equal(saved.CompanyName, COMPANY_NAME);
    assert.equal(Number(saved.SyncToken), Number(SyncToken) + 1);
    assert.equal((await call(qbo, 'getCompanyInfo', REALM)).LegalName, LegalName);
    const stale = call(qbo, 'updateCompanyInfo', { Id, SyncToken, LegalName: 'Stale' });
    assert.equal((await refusal(stale)).code, '5010');
  });
});

describe('Preferences', () => {
  connected();

  it('the parts are there', async () => {
    const preferences = await call(qbo, 'getPreferences');
    assert.equal(preferences.Id, '1');
    assert.equal(preferences.AccountingInfoPrefs.ClassTrackingPerTxn, true);
    assert.equal(preferences.TimeTrackingPrefs.WorkWeekStartDate, 'Monday');
    assert.equal(preferences.VendorAndPurchasesPrefs.BillableExpenseTracking, true);
    assert.ok(preferences.OtherPrefs.NameValue.some((pair) => pair.Name === 'ProjectsEnabled'));
  });

  it('a query answers them', async () => {
    const { QueryResponse } = await call(qbo, 'findPreferenceses', {});
    assert.equal(QueryResponse.Preferences.length, 1);
  });

  it('a sparse update changes one part and keeps the others', async () => {
    const { Id, SyncToken, AccountingInfoPrefs } = await call(qbo, 'getPreferences');
    const saved = await call(qbo, 'updatePreferences', {
      Id, SyncToken, TimeTrackingPrefs: { MarkTimeEntriesBillable: true },
    });
    assert.equal(saved.TimeTrackingPrefs.MarkTimeEntriesBillable, true);
    const read = await call(qbo, 'getPreferences');
    assert.equal(read.TimeTrackingPrefs.MarkTimeEntriesBillable, true);
    assert.equal(read.TimeTrackingPrefs.WorkWeekStartDate, 'Monday');
    assert.deepEqual(read.AccountingInfoPrefs, AccountingInfoPrefs);
    read.TimeTrackingPrefs.MarkTimeEntriesBillable = false;
    const again = await call(qbo, 'updatePreferences', read);
    assert.equal(again.TimeTrackingPrefs.MarkTimeEntriesBillable, false);
  });
});
