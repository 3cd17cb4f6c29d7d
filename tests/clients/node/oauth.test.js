'use strict';

// npm intuit-oauth, and the OAuth part of node-quickbooks.

const { describe, it } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const {
  CLIENT, COMPANY_NAME, OAuthClient, QuickBooks, REALM, SANDBOX,
  admin, assert, authorized, call, connect, consent, oauthClient, refusal,
} = require('./sandbox');

const { Accounting, OpenId, Email, Profile } = OAuthClient.scopes;

describe('intuit-oauth: consent', () => {
  it('shows the companies, and the callback carries code, realm and state', async () => {
    const uri = oauthClient().authorizeUri({ scope: [Accounting], state: 'abc' });
    const { page, callback } = await consent(uri);
    const fields = new URL(callback).searchParams;
    assert.ok(page.includes(COMPANY_NAME));
    assert.equal(fields.get('realmId'), REALM);
    assert.equal(fields.get('state'), 'abc');
    assert.ok(fields.get('code'));
  });

  it('sends a person who refuses back with access_denied', async () => {
    const uri = oauthClient().authorizeUri({ scope: [Accounting], state: 'abc' });
    const { callback } = await consent(uri, { decision: 'deny' });
    assert.equal(new URL(callback).searchParams.get('error'), 'access_denied');
  });
});

describe('intuit-oauth: tokens', () => {
  it('a code becomes tokens with their lives', async () => {
    const client = await authorized();
    const token = client.getToken();
    assert.equal(token.token_type, 'bearer');
    assert.equal(token.expires_in, 3600);
    assert.equal(token.x_refresh_token_expires_in, 8640000);
    assert.equal(token.realmId, REALM);
    assert.ok(client.isAccessTokenValid());
    assert.ok(client.token.isRefreshTokenValid());
  });

  it('the hard expiry comes only to those who ask for it', async () => {
    const asked = await authorized([Accounting], { includeRefreshTokenHardExpiresIn: true });
    assert.equal(asked.getToken().x_refresh_token_hard_expires_in, 157680000);
    assert.equal((await authorized()).getToken().x_refresh_token_hard_expires_in, 0);
  });

  it('with openid there is an id_token that the client finds valid', async () => {
    const client = await authorized([Accounting, OpenId]);
    assert.ok(client.getToken().id_token);
    assert.equal(await client.validateIdToken(), true);
  });

  it('without openid there is no id_token', async () => {
    assert.equal((await authorized()).getToken().id_token, '');
  });

  it('a second exchange of a code is refused and kills what the first one issued', async () => {
    const client = oauthClient();
    const { callback } = await consent(client.authorizeUri({ scope: Accounting, state: 'x' }));
    await client.createToken(callback);
    await assert.rejects(oauthClient().createToken(callback), { error: 'invalid_grant' });
    await assert.rejects(client.refresh(), { error: 'invalid_grant' });
  });

  it('a refresh within a day keeps the refresh token and changes the access token', async () => {
    const client = await authorized();
    const before = { ...client.getToken() };
    const response = await client.refresh();
    assert.equal(response.status(), 200);
    assert.ok(response.isJson());
    assert.ok(response.getIntuitTid());
    assert.equal(client.getToken().refresh_token, before.refresh_token);
    assert.notEqual(client.getToken().access_token, before.access_token);
  });

  it('a refresh after a day rotates, and the old value is dead', async () => {
    const client = await authorized();
    const old = client.getToken().refresh_token;
    await admin('POST', '/clock/advance', { seconds: 25 * 3600 });
    await client.refresh();
    assert.notEqual(client.getToken().refresh_token, old);
    const refused = oauthClient().refreshUsingToken(old);
    await assert.rejects(refused, (error) => {
      assert.equal(error.error, 'invalid_grant');
      assert.ok(error.error_description);
      assert.ok(error.intuit_tid);
      return true;
    });
    await client.refresh();
    assert.ok(client.isAccessTokenValid());
  });

  it('a wrong secret is invalid_client', async () => {
    const client = oauthClient({ clientSecret: 'wrong' });
    await assert.rejects(client.refreshUsingToken('any'), { error: 'invalid_client' });
  });

  it('the client tries again after a 503', async () => {
    const client = await authorized();
    await admin('POST', '/faults', { path: '/tokens/bearer', status: 503 });
    OAuthClient.retryConfig.retryDelay = 10;
    const response = await client.refresh();
    assert.equal(response.status(), 200);
    await admin('DELETE', '/faults');
  });
});

describe('intuit-oauth: calls with a token', () => {
  const path = `v3/company/${REALM}/companyinfo/${REALM}?minorversion=75`;

  it('userinfo tells who connected', async () => {
    const client = await authorized([Accounting, OpenId, Email, Profile]);
    const person = (await client.getUserInfo()).getJson();
    assert.ok(person.sub);
    assert.match(person.email, /@/);
    assert.equal(person.emailVerified, true);
  });

  it('makeApiCall reads an entity', async () => {
    const client = await authorized();
    const { json } = await client.makeApiCall({ url: client.getEnvironmentURI() + path });
    assert.equal(json.CompanyInfo.CompanyName, COMPANY_NAME);
  });

  it('makeApiCall tells a fault by its code', async () => {
    const client = await authorized();
    const url = `v3/company/${REALM}/employee/987654321`;
    await assert.rejects(client.makeApiCall({ url }), (error) => {
      assert.equal(error.code, '610');
      assert.equal(error.faultType, 'ValidationFault');
      assert.ok(error.intuitTid);
      return true;
    });
  });

  it('makeApiCall tells an expired token by 401 and works again after a refresh', async () => {
    const client = await authorized();
    await admin('POST', '/tokens/expire', { realm: REALM });
    await assert.rejects(client.makeApiCall({ url: path }), { code: '401' });
    await client.refresh();
    assert.equal((await client.makeApiCall({ url: path })).status, 200);
  });

  it('makeApiCall tells a throttle', async () => {
    const client = await authorized();
    await admin('POST', '/faults', { realm: REALM, status: 429, faultShape: 'gateway' });
    await assert.rejects(client.makeApiCall({ url: path }), { code: 'RATE_LIMIT_EXCEEDED' });
  });
});

describe('intuit-oauth: revocation', () => {
  it('revoking the refresh token ends the connection', async () => {
    const client = await authorized();
    const token = client.getToken().refresh_token;
    const response = await client.revoke({ refresh_token: token });
    assert.equal(response.status(), 200);
    await assert.rejects(oauthClient().refreshUsingToken(token), { error: 'invalid_grant' });
  });

  it('revoking the access token ends it too', async () => {
    const client = await authorized();
    const { access_token: access, refresh_token: refresh } = client.getToken();
    await client.revoke({ access_token: access });
    await assert.rejects(oauthClient().refreshUsingToken(refresh), { error: 'invalid_grant' });
  });
});

describe('node-quickbooks: OAuth', () => {
  it('the discovery document gives it every endpoint', async () => {
    QuickBooks.setOauthVersion('2.0', true);
    // It has no callback.
    for (let wait = 0; wait < 200 && !QuickBooks.USER_INFO_URL; wait += 1) await sleep(10);
    assert.equal(QuickBooks.AUTHORIZATION_URL, `${SANDBOX}/connect/oauth2`);
    assert.equal(QuickBooks.TOKEN_URL, `${SANDBOX}/oauth2/v1/tokens/bearer`);
    assert.equal(QuickBooks.REVOKE_URL, `${SANDBOX}/v2/oauth2/tokens/revoke`);
    assert.equal(QuickBooks.USER_INFO_URL, `${SANDBOX}/v1/openid_connect/userinfo`);
  });

  it('refreshes', async () => {
    const qbo = await connect();
    const before = qbo.token;
    const answer = await call(qbo, 'refreshAccessToken');
    assert.equal(answer.expires_in, 3600);
    assert.notEqual(qbo.token, before);
    assert.equal((await call(qbo, 'getEmployee', '55')).Id, '55');
  });

  it('an expired token is 401 with the gateway\'s fault', async () => {
    const qbo = await connect();
    await admin('POST', '/tokens/expire', { realm: REALM });
    const refused = await refusal(call(qbo, 'getEmployee', '55'));
    assert.equal(refused.status, 401);
    assert.equal(refused.code, '3200');
    assert.equal(refused.data.fault.type, 'AUTHENTICATION');
    await call(qbo, 'refreshAccessToken');
    assert.equal((await call(qbo, 'getEmployee', '55')).Id, '55');
  });

  it('revokes', async () => {
    const qbo = await connect();
    const old = qbo.refreshToken;
    await call(qbo, 'revokeAccess', true);
    assert.equal(qbo.token, null);
    qbo.refreshToken = old;
    const refused = await refusal(call(qbo, 'refreshAccessToken'));
    assert.equal(refused.data.error, 'invalid_grant');
  });

  it('userinfo', async () => {
    const client = await authorized([Accounting, OpenId, Email]);
    const qbo = new QuickBooks(
      CLIENT.clientId, CLIENT.clientSecret, client.getToken().access_token, false, REALM, true,
      false, null, '2.0', client.getToken().refresh_token,
    );
    assert.match((await call(qbo, 'getUserInfo')).email, /@/);
  });

  it('a disconnect from QuickBooks\' side is 403', async () => {
    const qbo = await connect();
    await admin('POST', `/companies/${REALM}/disconnect`);
    const refused = await refusal(call(qbo, 'getEmployee', '55'));
    assert.equal(refused.status, 403);
    assert.equal(refused.code, '3100');
  });
});
