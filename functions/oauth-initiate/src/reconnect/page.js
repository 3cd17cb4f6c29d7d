// The page: signs in, asks how the connection is, and does the one thing that is to be done.

/** A failure in words for the person, and whether signing in again is what helps. */
class Trouble extends Error {
  constructor(words, status = 0, code = '') {
    super(words);
    Object.assign(this, { status, code });
  }
}

/** A call to the API, which has this page's origin. */
async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${person()?.token ?? ''}` };
  if (body) headers['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Trouble('This page cannot reach us. Check your internet connection, then try again.');
  }
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  throw new Trouble(words(answer, said), answer.status, said.code);
}

function words({ status, headers }, said) {
  switch (status) {
    case 401:
      return 'Your sign-in has run out. Sign in again.';
    case 403:
      return said.code === 'role-not-allowed' || !said.detail
        ? 'Only an admin of your company can do this. Send an admin the address of this page.'
        : said.detail;
    case 404:
      return 'Your account gives no access to this company. Sign in with the account that you use for this company, or ask its admin.';
    case 429: {
      const seconds = Number(headers.get('retry-after')) || 60;
      return `That was tried too often. Wait ${seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`}, then try again.`;
    }
    default:
      if (status >= 500 || !said.detail) return 'Our side did not answer as it should. Nothing was lost. Try again in a minute.';
      return said.detail;
  }
}

/** What is there of parts that may be lists, or nothing. */
const parts = (inside) => inside.flat(Infinity).filter((part) => part != null);

/** An element; texts only ever become text. */
function el(name, attributes, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'onclick') element.addEventListener('click', value);
    else element.setAttribute(key, value);
  }
  element.append(...parts(inside));
  return element;
}
const p = (...inside) => el('p', {}, ...inside);
const strong = (text) => el('strong', {}, text);

const view = document.getElementById('view');
const notice = document.getElementById('notice');

/** Shows a state. The heading gets the focus, so that a screen reader begins there. */
function show(title, ...inside) {
  const heading = el('h1', { tabindex: '-1' }, title);
  view.replaceChildren(heading, ...parts(inside));
  view.removeAttribute('aria-busy');
  document.title = `${title} - QuickBooks connection`;
  heading.focus({ preventScroll: true });
  const footer = document.getElementById('who');
  const who = person();
  footer.replaceChildren(
    ...(who ? [el('span', {}, `Signed in as ${who.subject || 'you'}`), another('Use another account')] : []),
  );
}

function say(text, bad = false) {
  notice.className = bad ? 'bad' : '';
  notice.setAttribute('role', bad ? 'alert' : 'status');
  notice.textContent = text;
}

/** A button that works once at a time, and says what went wrong. */
function button(label, work, attributes = {}) {
  return el('button', {
    type: 'button',
    ...attributes,
    onclick: async ({ currentTarget }) => {
      say('');
      currentTarget.disabled = true;
      try {
        await work();
      } catch (trouble) {
        failed(trouble);
      } finally {
        currentTarget.disabled = false;
      }
    },
  }, label);
}
const buttons = (...inside) => el('div', { class: 'buttons' }, ...inside);
const another = (label) =>
  button(label, async () => {
    signOut();
    await signIn(location.search, true);
  }, { class: 'link' });

function failed(trouble) {
  if (trouble.status === 401) {
    signOut();
    askToSignIn();
  }
  const known = trouble instanceof Trouble;
  say(known ? trouble.message : 'Something went wrong on this page. Load it again.', true);
  if (!known) console.error(trouble);
}

const day = (time) => new Date(time).toLocaleDateString(undefined, { dateStyle: 'long' });
const clock = (time) => new Date(time).toLocaleTimeString(undefined, { timeStyle: 'short' });

function askToSignIn() {
  show(
    'Your QuickBooks connection',
    p('Sign in with the account that you use for your company. Then you see how the connection to QuickBooks is, and can connect again if that is needed.'),
    buttons(button('Sign in', () => signIn(location.search))),
  );
}

function noSignIn() {
  show(
    'Connect from your app',
    p('Sign in to your app, open its QuickBooks settings, and press ', strong('Connect to QuickBooks'), ' there.'),
    p('Approved timecards wait meanwhile. Nothing is lost.'),
  );
}

const STATES = { connected: 'Connected', reconnectRequired: 'Needs to be connected again', notConnected: 'Not connected' };
/** So many companies of a list are asked how they are. */
const ASKED = 12;

/** The company of the address, the only one of the person, or the one they choose. */
async function chooseCompany(query) {
  const { companies } = person();
  const wanted = query.get('companyId');
  if (/^[A-Za-z0-9_-]{1,64}$/.test(wanted ?? '')) return open(wanted);
  if (companies.length === 1) return open(companies[0].id);
  if (!companies.length) {
    return show(
      'No company found',
      p('Your account belongs to no company here. Sign in with the account that you use for your company, or connect from your app.'),
      buttons(button('Sign in with another account', async () => {
        signOut();
        await signIn(location.search, true);
      })),
    );
  }
  const asked = await Promise.all(companies.slice(0, ASKED).map(({ id }) => status(id).catch(() => ({}))));
  const realm = query.get('realmId');
  const meant = realm && asked.find(({ realmId }) => realmId === realm);
  if (meant) return open(meant.companyId);
  const rows = companies.map(({ id }, index) => {
    const { companyName, status: state } = asked[index] ?? {};
    const small = [companyName ? id : null, STATES[state]].filter(Boolean).join(' · ');
    const label = [companyName ?? id, small ? el('small', {}, small) : null];
    const row = button('', () => open(id));
    row.append(...label.filter(Boolean));
    return el('li', {}, row);
  });
  show('Which company?', p('You belong to several. Choose the one whose connection you want to see.'), el('ul', { class: 'companies' }, rows));
}

const status = (company) => call('GET', `status?companyId=${encodeURIComponent(company)}`);

/** Shows a company's connection. */
async function open(company, done = '') {
  history.replaceState(null, '', `${here}?companyId=${encodeURIComponent(company)}`);
  let is;
  try {
    is = await status(company);
  } catch (trouble) {
    if (trouble.status === 401) throw trouble;
    const again = trouble.status !== 404 && trouble.status !== 403;
    show('The connection cannot be shown', p(trouble.message), buttons(again
      ? button('Try again', () => open(company))
      : button('Sign in with another account', async () => {
          signOut();
          await signIn(location.search, true);
        })));
    return;
  }
  say(done);
  const waiting = is.waitingForConfirmation;
  if (waiting && waiting.askedBy === person()?.subject) return confirm(company, waiting);
  const other = waiting
    ? p(strong(waiting.askedBy), ' has just given access to ', strong(waiting.companyName), ` and has until ${clock(waiting.until)} to confirm it. Only they can.`)
    : null;
  other?.classList.add('note');
  if (is.status === 'connected') connected(company, is, other);
  else if (is.status === 'reconnectRequired') reconnect(company, is, other);
  else notConnected(company, other);
}

/** A hard expiry nearer than this is worth a word, in days; the first mail comes 30 days before. */
const NEAR = 35;

function connected(company, is, other) {
  const ends = is.tokenHealth?.hardExpiresAt;
  const near = ends && new Date(ends) - Date.now() < NEAR * 86_400_000;
  show(
    'Connected to QuickBooks',
    el('dl', {},
      el('dt', {}, 'QuickBooks company'), el('dd', {}, is.companyName),
      el('dt', {}, 'Connected since'), el('dd', {}, day(is.connectedAt)),
      el('dt', {}, 'Connected by'), el('dd', {}, is.connectedBy === person()?.subject ? 'you' : is.connectedBy)),
    other,
    near
      ? [
          p('QuickBooks ends every connection after five years. This one ends on ', strong(day(ends)), '. Connect again before that day; nothing changes otherwise.'),
          toQuickBooks(company, 'Connect again', { class: 'quiet' }),
        ]
      : p('All is well. There is nothing to do, and you can close this page.'),
  );
}

function reconnect(company, is, other) {
  show(
    'QuickBooks needs you to connect again',
    p('QuickBooks does not let us in to ', strong(is.companyName ?? 'your company'), ' any more. Usually somebody disconnected the app in QuickBooks, or the person who connected it is no admin there now.'),
    p('Approved timecards wait meanwhile. Nothing is lost, and they go out by themselves once you are connected again.'),
    other,
    toQuickBooks(company, 'Reconnect to QuickBooks', {}, is.companyName),
  );
}

function notConnected(company, other) {
  show(
    'Not connected to QuickBooks',
    p('Your company is not connected to QuickBooks. Approved timecards wait until it is. Nothing is lost.'),
    other,
    toQuickBooks(company, 'Connect to QuickBooks'),
  );
}

/** The button that leads to QuickBooks, or who can press it. */
function toQuickBooks(company, label, attributes = {}, name = 'your company') {
  const role = person()?.companies.find(({ id }) => id === company)?.role;
  if (role === 'viewer') {
    return p('An admin of your company can connect it. Send an admin the address of this page.');
  }
  return [
    buttons(button(label, () => leave(company), attributes)),
    el('p', { class: 'muted' }, `You will sign in at Intuit as an admin of QuickBooks, choose ${name}, and come back to confirm. It takes about a minute.`),
  ];
}

async function leave(company) {
  const { url } = await call('POST', 'connect', { companyId: company });
  const to = new URL(url);
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw new Trouble('The link to QuickBooks is not valid. Try again.');
  location.assign(to);
  // The button stays as it is until the browser has left.
  await new Promise((rested) => setTimeout(rested, 5000));
}

function confirm(company, waiting) {
  show(
    'Is this your company?',
    el('dl', {}, el('dt', {}, 'QuickBooks company'), el('dd', {}, waiting.companyName)),
    p(`QuickBooks gave us access to it. Confirm before ${clock(waiting.until)} that your timecards belong there. Until you do, nothing is sent.`),
    buttons(
      button(`Yes, this is our company: ${waiting.companyName}`, async () => {
        try {
          await call('POST', 'connect/confirm', { companyId: company });
        } catch (trouble) {
          // Show what is there now, and say why.
          if (trouble.status === 409 || trouble.status === 410 || trouble.status === 403) await open(company);
          throw trouble;
        }
        await open(company, 'Done. Timecards that waited go to QuickBooks now.');
      }),
      button('No, choose another one', () => leave(company), { class: 'quiet' }),
    ),
  );
}

async function start() {
  if (!settings.clientId) return noSignIn();
  if (!settings.authorize) {
    return show('Signing in does not work just now', p('Try again in a minute, or connect from your app.'), buttons(button('Try again', () => location.reload())));
  }
  if (!globalThis.crypto?.subtle) {
    return show('This address is not secure', p('Open this page by its https address, or connect from your app.'));
  }
  const refused = await signedIn().catch(() => true);
  if (!person()) {
    askToSignIn();
    if (refused) say('Signing in did not work. Try again.', true);
    return;
  }
  await chooseCompany(new URLSearchParams(location.search));
}

// Back from QuickBooks by the browser's button: what the page shows may be old.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
start().catch(failed);
