// One company: its records by kind, its settings, limits and counters.

import { get, path } from './api.js';
import { card, el, empty, number, patch, pill, table, time } from './dom.js';
import { companyActions, connection } from './overview.js';
import { openRecord } from './record.js';

const LIMIT = 100;

export function company(main, [realm, kind]) {
  const tabs = el('ul');
  const facts = el('div');
  const list = el('div');
  const tiles = el('div');
  const counted = el('div');
  const limited = el('div');
  let asked = '';
  let typing;
  const search = el('input', {
    type: 'search',
    id: 'search',
    placeholder: 'Name, Id or any other text',
    autocomplete: 'off',
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        asked = search.value.trim();
        document.dispatchEvent(new Event('refresh'));
      }, 150);
    },
  });
  const frame = [
    facts,
    el(
      'div',
      { class: 'records' },
      el('nav', { class: 'kinds', 'aria-label': 'Kinds of record' }, tabs),
      el('div', { class: 'stack' }, el('div', { class: 'choices' }, el('label', { for: 'search' }, 'Search ', search)), list),
    ),
    card('Counters and limits', [
      tiles,
      el('details', {}, el('summary', {}, 'All counters of this company'), counted),
      el('details', {}, el('summary', {}, 'All limits'), limited),
    ]),
  ];
  let laidOut = false;

  return async ({ companies, now }) => {
    const own = realm === undefined ? companies[0] : companies.find((one) => one.realm === realm);
    if (!own) {
      laidOut = false;
      const text = companies.length === 0 ? 'There is no company.' : 'There is no such company.';
      main.replaceChildren(empty(text));
      return;
    }
    if (!laidOut) main.replaceChildren(...frame);
    laidOut = true;
    const shown = Object.hasOwn(own.entities, kind ?? '') ? kind : firstKind(own.entities);
    patch(facts, header(own, companies, now));
    patch(tabs, Object.entries(own.entities).map(([name, many]) => tab(own.realm, name, many, name === shown)));
    const query = new URLSearchParams({ limit: LIMIT, search: asked });
    const [found, counters, limits] = await Promise.all([
      get(`${path('companies', own.realm, shown)}?${query}`),
      get(path('counters', own.realm)),
      get('/limits'),
    ]);
    patch(list, records(own, shown, found, asked));
    patch(tiles, figures(counters, limits.effective ?? {}));
    patch(counted, pairs(counters));
    patch(limited, pairs(limits));
  };
}

const firstKind = (entities) =>
  (Object.entries(entities).find(([, many]) => many > 0) ?? Object.entries(entities)[0])[0];

function header(own, companies, now) {
  const others = companies.filter((one) => one.realm !== own.realm);
  const { profile } = own;
  return [
    el('div', { class: 'head' }, el('h1', {}, profile.companyName), connection(own)),
    el('p', { class: 'muted' }, 'Realm ', el('code', {}, own.realm), ` · ${profile.country} · ${profile.timeZone}`,
      profile.bookCloseDate ? ` · books closed until ${profile.bookCloseDate}` : ''),
    companyActions(own, now),
    others.length
      ? el('p', { class: 'others' }, 'Other companies: ', others.map((one, index) => [
          index ? ', ' : '', el('a', { href: `#${path('company', one.realm)}` }, one.profile.companyName),
        ]))
      : null,
  ];
}

function tab(realm, name, many, current) {
  const href = `#${path('company', realm, name)}`;
  return el('li', {}, el('a', { href, 'aria-current': current ? 'true' : null, 'data-key': `kind-${name}` }, name, ' ', el('span', { class: 'muted' }, number(many))));
}

function records(own, kind, found, asked) {
  const all = found[kind];
  if (all.length === 0) return empty(asked ? `No ${kind} has “${asked}” in it.` : `There is no ${kind} yet.`);
  return [
    table(`${kind} records`, ['Id', 'Name', 'Details', 'Changed'], all.map((record) => [
      el('code', {}, record.Id),
      el('button', { type: 'button', class: 'link', 'data-key': `record-${record.Id}`, onclick: () => openRecord(own.realm, kind, record) }, label(record)),
      [record.Active === false ? [pill('inactive', 'warn'), ' '] : null, summary(record)],
      time(record.MetaData?.LastUpdatedTime),
    ])),
    found.total > all.length ? el('p', { class: 'muted' }, `${number(all.length)} of ${number(found.total)}. Search to find others.`) : null,
  ];
}

const named = (reference) => reference?.name ?? reference?.value;

/** What people call a record. */
export function label(record) {
  return record.FullyQualifiedName || record.DisplayName || record.Name || record.DocNumber
    || [record.TxnDate, named(record.EmployeeRef ?? record.VendorRef ?? record.CustomerRef)].filter(Boolean).join(' · ')
    || `Id ${record.Id}`;
}

/** A few telling fields, whatever the kind. */
function summary(record) {
  const hours = record.Hours !== undefined || record.Minutes !== undefined;
  return [
    record.FullyQualifiedName || record.DisplayName || record.Name ? null : record.TxnDate,
    hours ? `${record.Hours ?? 0} h ${record.Minutes ?? 0} min` : null,
    record.EmployeeRef || record.VendorRef ? named(record.CustomerRef) : null,
    record.PrimaryEmailAddr?.Address,
    record.PrimaryPhone?.FreeFormNumber ?? record.Mobile?.FreeFormNumber,
    record.Type,
    record.UnitPrice ? `price ${record.UnitPrice}` : null,
    record.TotalAmt !== undefined ? `total ${record.TotalAmt}` : null,
    record.Balance !== undefined ? `balance ${record.Balance}` : null,
    record.BillableStatus && record.BillableStatus !== 'NotBillable' ? record.BillableStatus : null,
    record.Description,
  ].filter((text) => text !== null && text !== undefined && text !== '').join(' · ');
}

/** The numbers that matter, against their limits. */
function figures(counters, limits) {
  const of = (value, limit) => (limit === undefined ? number(value) : `${number(value)} of ${number(limit)}`);
  const shown = [
    ['Calls', number(counters.calls)],
    ['Metered reads', number(counters.readsMetered)],
    ['Refused with 429', number(counters.throttled429)],
    ['Replayed', number(counters.replayed)],
    ['Most in a minute', of(counters.maxPerMinute, limits.perMinute)],
    ['Most in a second', of(counters.maxPerSecond, limits.perSecond)],
    ['Most in flight', of(counters.maxInFlight, limits.inFlight)],
    ['Tokens refreshed', number(counters.tokens.refresh)],
  ];
  return el('dl', { class: 'figures' }, shown.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

/** A nested object as a list of names and values. */
function pairs(object) {
  const flat = (value, name) =>
    value !== null && typeof value === 'object'
      ? Object.entries(value).flatMap(([key, inner]) => flat(inner, name ? `${name} · ${key}` : key))
      : value === null ? [] : [[name, value]];
  const rows = flat(object, '');
  if (rows.length === 0) return empty('Nothing.');
  return el('dl', { class: 'pairs' }, rows.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, typeof value === 'number' ? number(value) : String(value)))));
}
