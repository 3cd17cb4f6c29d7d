// Walks through the reconnect page in Chromium, over the DevTools protocol on pipes. Its one argument
// is JSON: addresses of the pages and of the sandbox's admin side, companies and realm.

import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const given = JSON.parse(process.argv[2]);
const pictures = process.env.SCREENSHOTS;
if (pictures) mkdirSync(pictures, { recursive: true });

const profile = mkdtempSync(join(tmpdir(), 'reconnect-'));
const browser = spawn(
  process.env.CHROMIUM ?? '/usr/bin/chromium',
  ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'],
  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
);

// ---- The protocol: JSON messages that end with a zero byte. ------------------------------------------

const waiting = new Map();
const heard = [];
let session;
let last = 0;
let rest = '';
browser.stdio[4].setEncoding('utf8').on('data', (chunk) => {
  const messages = (rest + chunk).split('\0');
  rest = messages.pop();
  for (const message of messages.map((text) => JSON.parse(text))) {
    if (message.id) {
      const { resolve, reject } = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    } else listen(message);
  }
});

function send(method, params = {}) {
  const id = ++last;
  browser.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

/** Answers of the API that are made up here, by the end of their path. */
let made = null;
function listen({ method, params }) {
  if (method === 'Fetch.requestPaused') {
    const { requestId, request } = params;
    const answer = made && new URL(request.url).pathname.endsWith(made.path) ? made : null;
    if (!answer) return void send('Fetch.continueRequest', { requestId }).catch(() => {});
    const responseHeaders = Object.entries({ 'content-type': 'application/json', ...answer.headers }).map(([name, value]) => ({ name, value }));
    const body = Buffer.from(JSON.stringify(answer.body ?? {})).toString('base64');
    void send('Fetch.fulfillRequest', { requestId, responseCode: answer.status, responseHeaders, body });
  }
  if (method === 'Runtime.exceptionThrown') heard.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
  if (method === 'Log.entryAdded' && params.entry.source === 'security') heard.push(params.entry.text);
}

// ---- A person's hands and eyes. ---------------------------------------------------------------------

async function evaluate(expression) {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function until(what, expression) {
  const end = Date.now() + 20_000;
  let seen;
  while (Date.now() < end) {
    try {
      seen = await evaluate(expression);
      if (seen) return seen;
    } catch {
      // The page is changing.
    }
    await new Promise((rested) => setTimeout(rested, 100));
  }
  throw new Error(`waited in vain for ${what}; the page says:\n${await evaluate('document.body.innerText')}`);
}

const go = (url) => send('Page.navigate', { url: String(url) });
const titled = (title) => until(`"${title}"`, `document.querySelector('h1')?.innerText === ${JSON.stringify(title)} && !document.querySelector('[aria-busy]')`);
const says = (words) => until(`"${words}"`, `document.body.innerText.includes(${JSON.stringify(words)})`);
const press = (label) =>
  until(`the button ${label}`, `(() => { const found = [...document.querySelectorAll('button, a')].find((one) => one.innerText.startsWith(${JSON.stringify(label)}) && !one.disabled); found?.click(); return !!found; })()`);

async function width(pixels) {
  await send('Emulation.setDeviceMetricsOverride', { width: pixels, height: 800, deviceScaleFactor: 1, mobile: pixels < 600 });
  const wide = await evaluate('document.documentElement.scrollWidth > innerWidth');
  if (wide) throw new Error(`the page is wider than ${pixels} pixels`);
}

/** A picture on a desk and one on a phone; the page must fit both. */
async function picture(name) {
  const text = await evaluate('document.body.innerText');
  for (const slip of ['[object', 'undefined', 'null', 'NaN', 'Invalid Date']) {
    if (text.includes(slip)) throw new Error(`${name} says ${slip}:\n${text}`);
  }
  for (const [where, pixels] of [['desk', 900], ['phone', 360]]) {
    await width(pixels);
    const { data } = await send('Page.captureScreenshot', { format: 'png' });
    if (pictures) writeFileSync(join(pictures, `${name}-${where}.png`), data, 'base64');
  }
  await width(900);
}

/** On the issuer's page: becomes this person. */
async function become(name, companies) {
  await says('Sign in as');
  await evaluate(`location.assign(location.href + ${JSON.stringify(`&auto=${encodeURIComponent(name)}&companies=${encodeURIComponent(companies)}`)})`);
}

/** On Intuit's page: gives access to the realm. */
async function grant() {
  await until("Intuit's page", "location.pathname === '/connect/oauth2'");
  await evaluate(`location.assign(location.href + '&auto=${given.realm}')`);
}

async function admin(path, body = {}) {
  const answer = await fetch(given.admin + path, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
}

// ---- The walk. --------------------------------------------------------------------------------------

async function walk() {
  const { targetInfos } = await send('Target.getTargets');
  const { targetId } = targetInfos.find(({ type }) => type === 'page');
  session = (await send('Target.attachToTarget', { targetId, flatten: true })).sessionId;
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
  await send('Fetch.enable', { patterns: [{ urlPattern: '*/status?*' }, { urlPattern: '*/connect' }] });
  const page = (query) => `${given.reconnect}${query}`;
  const company = page(`?companyId=${given.company}`);
  const name = "Mary O'Hara";

  // Nobody is signed in, and says no at first.
  await go(company);
  await titled('Your QuickBooks connection');
  await picture('sign-in');
  await press('Sign in');
  await says('Sign in as');
  await press('Cancel');
  await says('Signing in did not work');

  // Connect, and confirm.
  await press('Sign in');
  await become(name, `${given.company}:admin`);
  await titled('Not connected to QuickBooks');
  if (await evaluate('location.href') !== company) throw new Error('the code is still in the address');
  if (await evaluate('document.activeElement.tagName') !== 'H1') throw new Error('the heading has no focus');
  await picture('not-connected');
  await press('Connect to QuickBooks');
  await grant();
  await titled('One step is left');
  await picture('outcome');
  await press('Go on and confirm');
  await titled('Is this your company?');
  await picture('confirm');
  await press('Yes, this is our company');
  await titled('Connected to QuickBooks');
  await says('Done.');
  await picture('connected');

  // Somebody disconnects in QuickBooks; our next call finds out.
  await admin(`/companies/${given.realm}/disconnect`);
  await go(given.disconnected + `?realmId=${given.realm}`);
  await titled('Disconnected in QuickBooks');
  await picture('disconnected');
  await go(company);
  await until('any state', "!document.querySelector('[aria-busy]') && sessionStorage['quickbooks-session']");
  await evaluate(`fetch('test-connection', { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: 'Bearer ' + JSON.parse(sessionStorage['quickbooks-session']).token }, body: JSON.stringify({ companyId: '${given.company}' }) }).then((answer) => answer.status)`);
  await go(company);
  await titled('QuickBooks needs you to connect again');
  await picture('reconnect');

  // What can go wrong with a button.
  for (const [status, words, more] of [
    [403, 'Only an admin of your company can do this', { body: { code: 'role-not-allowed', detail: 'x' } }],
    [409, 'The words of the API.', { body: { detail: 'The words of the API.' } }],
    [429, 'Wait 30 seconds', { headers: { 'retry-after': '30' } }],
    [503, 'Nothing was lost. Try again in a minute.', { body: { detail: 'x' } }],
  ]) {
    made = { path: '/connect', status, ...more };
    await press('Reconnect to QuickBooks');
    await says(words);
  }
  await picture('error');
  made = null;
  await send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await press('Reconnect to QuickBooks');
  await says('Check your internet connection');
  await send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });

  // And with the state itself.
  for (const [status, title, words] of [
    [404, 'The connection cannot be shown', 'Your account gives no access to this company'],
    [500, 'The connection cannot be shown', 'Our side did not answer'],
    [401, 'Your QuickBooks connection', 'Your sign-in has run out'],
  ]) {
    made = { path: '/status', status };
    await go(company);
    await titled(title);
    await says(words);
    if (status === 404) await picture('no-access');
  }

  // A hard expiry is near; somebody else waits for a confirmation.
  const live = { companyId: given.company, connected: true, status: 'connected', companyName: "Zoë's Roofing & Söhne <b>", connectedBy: 'bob@example.com', connectedAt: '2021-12-10T08:00:00Z' };
  made = null;
  await press('Sign in');
  await become(name, `${given.company}:admin`);
  await titled('QuickBooks needs you to connect again');
  const soon = new Date(Date.now() + 6 * 86_400_000).toISOString();
  made = { path: '/status', status: 200, body: { ...live, tokenHealth: { hardExpiresAt: soon }, waitingForConfirmation: { askedBy: 'bob@example.com', companyName: 'Other books', until: soon } } };
  await go(company);
  await titled('Connected to QuickBooks');
  await says("Zoë's Roofing & Söhne <b>");
  await says('QuickBooks ends every connection after five years');
  await says('bob@example.com has just given access to Other books');
  await picture('hard-expiry');
  made = null;

  // A viewer sees, and is told whom to ask. Then several companies.
  await press('Use another account');
  await become('Vic', `${given.company}:viewer`);
  await titled('QuickBooks needs you to connect again');
  await says('An admin of your company can connect it');
  await picture('viewer');
  await evaluate('sessionStorage.clear()');
  await go(page(''));
  await press('Sign in');
  await become('Both', `${given.company}:admin ${given.other}:viewer *:operator`);
  await titled('Which company?');
  await says('Needs to be connected again');
  await picture('companies');
  await go(page(`?realmId=${given.realm}`));
  await titled('QuickBooks needs you to connect again');
  await evaluate('sessionStorage.clear()');
  await go(page(''));
  await press('Sign in');
  await become('Nobody', 'nothing');
  await titled('No company found');

  // Connect again to the end, with the keyboard alone.
  await press('Sign in with another account');
  await become(name, `${given.company}:admin`);
  await titled('QuickBooks needs you to connect again');
  await key('Tab');
  await until('the focus', "document.activeElement.innerText === 'Reconnect to QuickBooks'");
  await key('Enter');
  await grant();
  await titled('One step is left');
  await press('Go on and confirm');
  await titled('Is this your company?');
  await key('Tab');
  await key('Enter');
  await titled('Connected to QuickBooks');
  if (heard.length) throw new Error(`the browser complained:\n${heard.join('\n')}`);
}

async function key(name) {
  const code = name === 'Tab' ? 9 : 13;
  const text = name === 'Enter' ? '\r' : undefined;
  await send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', key: name, code: name, windowsVirtualKeyCode: code, text });
  await send('Input.dispatchKeyEvent', { type: 'keyUp', key: name, code: name, windowsVirtualKeyCode: code });
}

walk()
  .catch((error) => {
    console.error(error.stack);
    process.exitCode = 1;
  })
  .finally(async () => {
    browser.kill();
    await new Promise((ended) => browser.once('exit', ended));
    rmSync(profile, { recursive: true, force: true });
  });
