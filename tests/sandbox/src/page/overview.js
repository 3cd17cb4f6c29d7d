// Overview: troubles, clock, companies, the latest requests, snapshots.

import { get, path, post, remove } from './api.js';
import { action, card, count, el, empty, number, patch, pill, table, time, zone } from './dom.js';
import { rows as requestRows } from './requests.js';
import { snapshots } from './state.js';

const UNTIL_CLEARED = 1e9;
const HOUR = 3600;
const DAY = 86400;

export function overview(main) {
  const parts = Object.fromEntries(
    ['scenarios', 'faults', 'clock', 'companies', 'requests', 'snapshots'].map((name) => [name, el('div')]),
  );
  parts.scenarios.className = 'scenarios';
  const realm = el('select', { id: 'trouble-realm' }, el('option', { value: '' }, 'all companies'));
  const times = el(
    'select',
    { id: 'trouble-times' },
    el('option', { value: '' }, 'until switched off'),
    [1, 2, 5, 20].map((n) => el('option', { value: n }, n === 1 ? 'the next call' : `the next ${n} calls`)),
  );
  const choice = el(
    'div',
    { class: 'choices' },
    el('label', { for: 'trouble-realm' }, 'For ', realm),
    el('label', { for: 'trouble-times' }, 'Meets ', times),
  );
  const [keep, refreshSnapshots] = snapshots(parts.snapshots);
  main.replaceChildren(
    el('h1', { class: 'hidden' }, 'Overview'),
    el(
      'div',
      { class: 'columns' },
      el(
        'div',
        { class: 'stack' },
        card('What should go wrong?', [choice, parts.scenarios]),
        card('Armed faults', parts.faults),
        card('Latest requests', parts.requests, el('a', { href: '#/requests' }, 'All requests')),
      ),
      el(
        'div',
        { class: 'stack' },
        card('Clock', parts.clock),
        card('Companies', parts.companies),
        card('Snapshots', [parts.snapshots, keep]),
      ),
    ),
  );

  return async (world) => {
    patch(realm, [
      el('option', { value: '' }, 'all companies'),
      world.companies.map((one) => el('option', { value: one.realm }, one.profile.companyName)),
    ]);
    patch(parts.scenarios, world.scenarios.map((scenario) => scenarioButton(scenario, world, realm, times)));
    patch(parts.faults, faultTable(world));
    patch(parts.clock, clock(world.now));
    const [counters, latest] = await Promise.all([get('/counters'), get('/requests?limit=10')]);
    patch(parts.companies, world.companies.map((one) => companyCard(one, counters.companies[one.realm], world.now)));
    patch(parts.requests, requestRows(latest.requests, world.companies, 'No request yet. Connect an app, or call the API with curl.', true));
    await refreshSnapshots();
  };
}

function scenarioButton(scenario, world, realm, times) {
  const parts = world.faults.filter((fault) => fault.scenario === scenario.name);
  const toggle = async () => {
    if (scenario.on) {
      await remove(path('scenarios', scenario.name));
      return `${scenario.title}: off.`;
    }
    const wish = {};
    if (realm.value) wish.realm = realm.value;
    if (times.value) wish.times = Number(times.value);
    await post(path('scenarios', scenario.name), wish);
    return `${scenario.title}: on.`;
  };
  const state = scenario.on ? `On · ${count(scenario.met, 'call')} met it · ${extent(parts[0], world)}` : 'Off';
  return action(
    [
      el('span', { class: 'title' }, el('strong', {}, scenario.title), el('span', { class: 'switch', 'aria-hidden': 'true' })),
      el('span', { class: 'what' }, scenario.text),
      el('span', { class: 'state' }, state),
    ],
    toggle,
    { class: 'scenario', 'aria-pressed': String(scenario.on), 'data-key': `scenario-${scenario.name}` },
  );
}

const left = (fault) => fault.times - Math.max(0, fault.matched - fault.skip);

/** How long a fault stays and whom it meets. */
function extent(fault, world) {
  if (!fault) return '';
  const stay = fault.times >= UNTIL_CLEARED ? 'until switched off' : `${count(left(fault), 'more call', 'more calls')}`;
  return fault.realm ? `${stay} · ${nameOf(fault.realm, world)} only` : stay;
}

function nameOf(realm, world) {
  return world.companies.find((one) => one.realm === realm)?.profile.companyName ?? realm;
}

/** What a fault does, in words. */
function effect(fault) {
  const parts = [];
  if (fault.delayMs) parts.push(`wait ${number(fault.delayMs)} ms`);
  if (fault.delayAfterMs) parts.push(`wait ${number(fault.delayAfterMs)} ms after the work`);
  if (fault.cut) parts.push(fault.cut === 'after' ? 'do the work, then cut' : 'cut before the work');
  const code = fault.faultCode ? ` code ${fault.faultCode}` : '';
  if (fault.status || code) parts.push(`answer ${fault.status ?? 400}${code}`);
  return parts.join(', ') || 'nothing';
}

function faultTable(world) {
  if (world.faults.length === 0) return empty('No fault is armed.');
  const titles = Object.fromEntries(world.scenarios.map((one) => [one.name, one.title]));
  return table(
    'Armed faults',
    ['Fault', 'Calls', 'Effect', 'Met', 'Stays', ''],
    world.faults.map((fault) => [
      `${fault.id}. ${titles[fault.scenario] ?? 'By the API'}`,
      el('code', { class: 'break' }, `${fault.method ?? 'any'} ${fault.path ?? 'any path'}`),
      effect(fault),
      number(Math.max(0, fault.matched - fault.skip)),
      extent(fault, world),
      action('Switch off', () => remove(path('faults', fault.id)), {
        class: 'small',
        'aria-label': `Switch off fault ${fault.id}`,
        'data-key': `fault-${fault.id}`,
      }),
    ]),
  );
}

function clock(now) {
  const ahead = Math.round((new Date(now).getTime() - Date.now()) / 1000);
  const move = (label, seconds) =>
    action(label, async () => {
      await post('/clock/advance', { seconds });
      return `The sandbox's clock moved: ${label}.`;
    }, { 'data-key': `clock-${seconds}` });
  return [
    el('p', { class: 'now' }, time(now)),
    el('p', { class: 'muted' }, Math.abs(ahead) < 5 ? `${zone} · real time` : `${zone} · ${distance(ahead)} real time`),
    el(
      'div',
      { class: 'buttons' },
      move('+1 h', HOUR),
      move('+1 day', DAY),
      move('+100 days', 100 * DAY),
      action('Back to real time', async () => {
        await post('/clock/set', { now: new Date().toISOString() });
        return "The sandbox's clock shows real time.";
      }, { 'data-key': 'clock-back', disabled: Math.abs(ahead) < 5 }),
    ),
  ];
}

function distance(seconds) {
  const size = Math.abs(seconds);
  const days = Math.floor(size / DAY);
  const hours = Math.floor((size % DAY) / HOUR);
  const minutes = Math.floor((size % HOUR) / 60);
  const text = [days && count(days, 'day'), hours && `${hours} h`, !days && minutes && `${minutes} min`];
  return `${text.filter(Boolean).join(' ') || 'a few seconds'} ${seconds > 0 ? 'ahead of' : 'behind'}`;
}

/** The day it is in a company. */
export function today(profile, now) {
  return new Intl.DateTimeFormat('en-CA', { timeZone: profile.timeZone, dateStyle: 'short' }).format(new Date(now));
}

/** What can be done to a company's connection and books. */
export function companyActions({ realm, profile, liveGrants }, now) {
  const key = (name) => ({ class: 'small', 'data-key': `${name}-${realm}`, 'aria-label': `${LABELS[name]}: ${profile.companyName}` });
  const books = profile.bookCloseDate ? 'open' : 'close';
  return el(
    'div',
    { class: 'buttons' },
    action(LABELS.disconnect, async () => {
      const { grantsEnded, leadsTo } = await post(path('companies', realm, 'disconnect'));
      // As Intuit does it to whoever disconnects there.
      for (const url of leadsTo) window.open(url, '_blank', 'noopener');
      return `${profile.companyName}: ${count(grantsEnded, 'connection')} ended.`;
    }, { ...key('disconnect'), disabled: liveGrants === 0 }),
    action(LABELS.expire, async () => {
      const { expired } = await post('/tokens/expire', { realm });
      return `${profile.companyName}: ${count(expired, 'access token')} expired.`;
    }, { ...key('expire'), disabled: liveGrants === 0 }),
    action(LABELS[books], async () => {
      const bookCloseDate = books === 'open' ? null : today(profile, now);
      await post(path('companies', realm), { bookCloseDate });
      return books === 'open' ? 'The books are open.' : `The books are closed until ${bookCloseDate}.`;
    }, { ...key(books) }),
  );
}

const LABELS = {
  disconnect: 'Disconnect',
  expire: 'Expire the tokens',
  close: 'Close the books until today',
  open: 'Open the books',
};

export const connection = ({ liveGrants }) =>
  liveGrants ? pill(liveGrants === 1 ? 'connected' : `${liveGrants} connections`, 'good') : pill('not connected');

function companyCard(one, counters, now) {
  const counts = Object.entries(one.entities).filter(([, many]) => many > 0);
  const link = (kind, ...inner) => el('a', { href: `#${path('company', one.realm, ...kind)}` }, ...inner);
  return el(
    'article',
    { class: 'company' },
    el('div', { class: 'head' }, el('h3', {}, link([], one.profile.companyName)), connection(one)),
    el('p', { class: 'muted' }, 'Realm ', el('code', {}, one.realm)),
    el('ul', { class: 'counts' }, counts.map(([kind, many]) => el('li', {}, link([kind], `${kind} ${number(many)}`)))),
    counters
      ? el(
          'p',
          { class: 'muted' },
          [
            count(counters.calls, 'call'),
            count(counters.readsMetered, 'metered read'),
            `${number(counters.throttled429)} refused with 429`,
          ].join(' · '),
        )
      : null,
    companyActions(one, now),
  );
}
