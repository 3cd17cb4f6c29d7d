'use strict';

// What every test needs: the way from Intuit's hosts to the sandbox, a connection, a count.
//
// The clients keep their own code paths. Scheme and host of Intuit's addresses are changed at the
// last moment, where axios sends; any other host but the sandbox fails the test.

const assertions = require('node:assert/strict');
const fs = require('node:fs');
const axios = require('axios');
const OAuthClient = require('intuit-oauth');
const QuickBooks = require('node-quickbooks');

const SANDBOX = process.env.SANDBOX_URL;
const ADMIN = process.env.SANDBOX_ADMIN_URL;
const CLIENT = { clientId: 'sandbox-client', clientSecret: 'sandbox-secret' };
const REDIRECT_URI = 'http://localhost:9/callback';

// Rocky Ridge Builders of the sandbox's seed, and some of its people and things.
const REALM = '9341453000000001';
const COMPANY_NAME = 'Rocky Ridge Builders';
const [EMPLOYEE, VENDOR, CUSTOMER, SERVICE] = ['55', '41', '1', '3'];

function toSandbox(address) {
  const url = new URL(address);
  if (url.hostname.endsWith('.intuit.com')) {
    return SANDBOX + address.slice(url.origin.length);
  }
  if (![SANDBOX, ADMIN].includes(url.origin)) {
    throw new Error(`A client called ${address}.`);
  }
  return address;
}

const ownAdapter = axios.getAdapter('http');
axios.defaults.adapter = (config) => ownAdapter(Object.assign(config, { url: toSandbox(config.url) }));

// Assertions, counted when they are made.
let count = 0;
const assert = new Proxy(assertions, {
  get(target, name) {
    const value = target[name];
    if (typeof value !== 'function' || name === 'AssertionError') return value;
    return (...values) => {
      count += 1;
      return value(...values);
    };
  },
  apply(target, self, values) {
    count += 1;
    return target(...values);
  },
});
process.on('exit', () => {
  if (process.env.ASSERTIONS_FILE) fs.writeFileSync(process.env.ASSERTIONS_FILE, String(count));
});

let numbers = 0;
// A name that no other test uses.
function unique(label) {
  numbers += 1;
  return `${label} ${numbers}`;
}

// A call of the sandbox's admin API; answers its JSON.
async function admin(method, path, body) {
  const answer = await fetch(ADMIN + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

// What the person and the browser do: opens the page, decides, is sent back. Answers the page's
// text and the address of the callback.
async function consent(authorizeUri, { decision = 'connect', realm = REALM } = {}) {
  const url = toSandbox(authorizeUri);
  const page = await (await fetch(url)).text();
  const form = new URL(url).searchParams;
  form.append('realm', realm);
  form.append('decision', decision);
  const answer = await fetch(url.split('?')[0], { method: 'POST', body: form, redirect: 'manual' });
  return { page, callback: answer.headers.get('location') };
}

// Intuit's OAuth client, as an app makes it.
function oauthClient(more) {
  return new OAuthClient({ ...CLIENT, environment: 'sandbox', redirectUri: REDIRECT_URI, ...more });
}

// Intuit's OAuth client with the tokens of a fresh consent.
async function authorized(scope = [OAuthClient.scopes.Accounting], more = {}) {
  const client = oauthClient(more);
  const { callback } = await consent(client.authorizeUri({ scope, state: 'from-the-test' }));
  await client.createToken(callback);
  return client;
}

// node-quickbooks on a fresh connection.
async function connect() {
  const { access_token: token, refresh_token: refresh, realmId } = (await authorized()).getToken();
  return new QuickBooks(
    CLIENT.clientId, CLIENT.clientSecret, token, false, realmId, true, false, null, '2.0', refresh,
  );
}

// A method of node-quickbooks, as a promise instead of a callback.
function call(qbo, method, ...values) {
  return new Promise((resolve, reject) => {
    qbo[method](...values, (error, data) => {
      if (!error) return resolve(data);
      // A test that fails should say what QuickBooks said.
      if (error.response) error.message += `: ${JSON.stringify(error.response.data)}`;
      return reject(error);
    });
  });
}

// The first error of the fault that a call is refused with.
async function refusal(promise) {
  let refused = null;
  await assert.rejects(promise, (error) => {
    refused = error;
    return true;
  });
  const { status, data } = refused.response || {};
  const fault = data && (data.Fault || data.fault);
  return { status, data, ...(fault && (fault.Error || fault.error)[0]) };
}

module.exports = {
  ADMIN, CLIENT, COMPANY_NAME, CUSTOMER, EMPLOYEE, REALM, SANDBOX, SERVICE, VENDOR,
  OAuthClient, QuickBooks,
  admin, assert, authorized, call, connect, consent, oauthClient, refusal, unique,
};
