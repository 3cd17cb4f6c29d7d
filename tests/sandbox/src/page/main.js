// The frame: pages by hash, the banner, the refresh every two seconds.

import { get, post } from './api.js';
import { count, el, loading, patch, pill, toast, zone } from './dom.js';
import { overview } from './overview.js';
import { company } from './company.js';
import { requests } from './requests.js';
import { webhooks } from './webhooks.js';

const EVERY_MS = 2000;
const VIEWS = { '': overview, company, requests, webhooks };
const main = document.getElementById('main');
const health = document.getElementById('health');
const banner = document.getElementById('banner');
const normal = document.getElementById('normal');

/** Refreshes the page that is shown; set by `route`. */
let refresh = async () => {};
let timer;
let turn = 0;

function address() {
  try {
    return location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  } catch {
    return [''];
  }
}

/** Shows the page that the address names. A view lays itself out and answers how it is refreshed. */
function route(first) {
  const [name, ...rest] = address();
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : overview;
  for (const link of document.querySelectorAll('#nav a')) {
    const own = link.getAttribute('href') === (view === overview ? '#/' : `#/${name}`);
    if (own) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  main.replaceChildren(loading());
  refresh = view(main, rest);
  if (!first) main.focus({ preventScroll: true });
  tick();
}

async function tick() {
  clearTimeout(timer);
  turn += 1;
  const mine = turn;
  try {
    const [companies, scenarios, faults, clock] = await Promise.all(
      ['/companies', '/scenarios', '/faults', '/clock'].map(get),
    );
    const world = { ...companies, ...scenarios, ...faults, now: clock.now };
    if (mine === turn) {
      showHealth(world);
      await refresh(world);
    }
  } catch (error) {
    if (mine === turn) showSilence(error);
  }
  if (mine === turn) timer = setTimeout(tick, document.hidden ? 5 * EVERY_MS : EVERY_MS);
}

function showHealth({ companies, scenarios, faults }) {
  const on = scenarios.filter((scenario) => scenario.on);
  const others = faults.filter((fault) => !fault.scenario).length;
  const closed = companies.filter(({ profile }) => profile.bookCloseDate);
  const troubles = [
    ...on.map((scenario) => `${scenario.title} (${count(scenario.met, 'call')} so far)`),
    ...(others ? [count(others, 'other fault')] : []),
    ...closed.map(({ profile }) => `Books of ${profile.companyName} closed until ${profile.bookCloseDate}`),
  ];
  banner.className = troubles.length ? 'banner trouble' : 'banner fine';
  normal.className = troubles.length ? 'strong' : '';
  document.title = `${on.length ? `${on[0].title}: ` : ''}QuickBooks sandbox`;
  patch(
    health,
    troubles.length
      ? el('p', {}, pill('Trouble', 'bad'), ' ', troubles.join(' · '))
      : el('p', {}, pill('Normal', 'good'), ' QuickBooks works as usual.'),
  );
}

function showSilence(error) {
  banner.className = 'banner trouble';
  const text = error.status === 0 ? 'The sandbox does not answer. Trying again.' : error.message;
  patch(health, el('p', {}, pill('Error', 'bad'), ' ', text));
  if (main.querySelector(':scope > .empty[aria-busy]')) {
    main.replaceChildren(el('p', { class: 'empty' }, text));
  }
}

normal.addEventListener('click', async () => {
  try {
    const done = await post('/normal');
    const books = done.booksOpened.length ? ', books opened' : '';
    toast(`Back to normal: ${count(done.faultsEnded, 'fault')} ended${books}.`);
  } catch (error) {
    toast(error.message, true);
  }
  tick();
});
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById('zone').textContent = `Times are by the sandbox's clock, in your zone (${zone}).`;
document.addEventListener('refresh', tick);
document.addEventListener('visibilitychange', () => document.hidden || tick());
window.addEventListener('hashchange', () => route(false));
route(true);
