// The request journal.

import { get } from './api.js';
import { dialog, el, empty, number, patch, pill, table, time } from './dom.js';

const LIMIT = 200;

export function requests(main) {
  const body = el('div');
  const again = () => document.dispatchEvent(new Event('refresh'));
  const realm = el('select', { id: 'request-realm', onchange: again }, el('option', { value: '' }, 'all companies'));
  const errors = el('input', { type: 'checkbox', id: 'request-errors', onchange: again });
  const live = el('input', { type: 'checkbox', id: 'request-live', checked: true, onchange: again });
  main.replaceChildren(
    el('h1', {}, 'Requests'),
    el(
      'div',
      { class: 'choices' },
      el('label', { for: 'request-realm' }, 'For ', realm),
      el('label', { for: 'request-errors' }, errors, ' Errors only'),
      el('label', { for: 'request-live' }, live, ' Refresh by itself'),
    ),
    body,
  );
  // Shown at least once, and again when a filter changes.
  let shown = null;
  return async ({ companies }) => {
    patch(realm, [
      el('option', { value: '' }, 'all companies'),
      companies.map((one) => el('option', { value: one.realm }, one.profile.companyName)),
    ]);
    const query = new URLSearchParams({ limit: LIMIT, realm: realm.value, errors: errors.checked });
    if (!live.checked && shown === query.toString()) return;
    const found = (await get(`/requests?${query}`)).requests;
    shown = query.toString();
    patch(body, [
      rows(found, companies, errors.checked || realm.value ? 'No request fits.' : 'No request yet.'),
      found.length === LIMIT ? el('p', { class: 'muted' }, `The newest ${LIMIT}.`) : null,
    ]);
  };
}

/** Requests as a table, newest first; brief: without what was asked and its id. */
export function rows(entries, companies, otherwise, brief = false) {
  if (entries.length === 0) return empty(otherwise);
  const names = new Map(companies.map((one) => [one.realm, one.profile.companyName]));
  const more = ['What', 'requestid'];
  return table(
    'Requests, newest first',
    ['Time', 'Request', 'Status', 'Took', ...(brief ? [] : more), 'Met'],
    entries.toReversed().map((entry) => [
      el('button', { type: 'button', class: 'link', 'data-key': `request-${entry.seq}`, onclick: () => details(entry) }, time(entry.at, true)),
      el('span', { class: 'break' }, el('b', {}, entry.method), ` ${shorten(entry.path)} `, entry.realm ? el('span', { class: 'muted' }, names.get(entry.realm) ?? entry.realm) : null),
      status(entry),
      el('span', { class: 'keep' }, `${number(entry.durationMs)} ms`),
      ...(brief ? [] : [
        [entry.entity, entry.operation].filter(Boolean).join(' '),
        entry.requestid ? el('code', { class: 'break' }, entry.requestid) : '',
      ]),
      entry.fault ? pill(`fault ${entry.fault}`, 'warn') : entry.replayed ? pill('replayed') : '',
    ]),
    'brief',
  );
}

/** The company is named beside it. */
const shorten = (path) => path.replace(/^\/v3\/company\/[^/]+/, '');

function status(entry) {
  if (entry.cut) return pill(entry.cut === 'after' ? `cut (${entry.status})` : 'cut', 'bad');
  if (entry.status === null) return pill('none', 'bad');
  return pill(String(entry.status), entry.status >= 500 ? 'bad' : entry.status >= 400 ? 'warn' : 'good');
}

function details(entry) {
  dialog(`Request ${entry.seq}`, el('pre', { tabindex: 0 }, JSON.stringify(entry, null, 2)));
}
