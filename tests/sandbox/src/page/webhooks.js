// Webhooks: each app's subscription, and what was posted to it.

import { get, post } from './api.js';
import { action, count, dialog, el, empty, number, patch, pill, table, time } from './dom.js';

const LIMIT = 200;
const STANDING = { acknowledged: 'good', refused: 'bad', sending: '', waiting: 'warn' };

export function webhooks(main) {
  const again = () => document.dispatchEvent(new Event('refresh'));
  const app = el('select', { id: 'webhook-app', onchange: again });
  const facts = el('div');
  const list = el('div');
  main.replaceChildren(
    el('h1', {}, 'Webhook deliveries'),
    el('div', { class: 'choices' }, el('label', { for: 'webhook-app' }, 'Of the app ', app)),
    facts,
    list,
  );
  return async () => {
    const { apps } = await get('/apps');
    patch(app, apps.map(({ clientId }) => el('option', { value: clientId }, clientId)));
    const query = `?${new URLSearchParams({ app: app.value })}`;
    const [state, { deliveries }] = await Promise.all([
      get(`/webhooks${query}`),
      get(`/webhooks/deliveries${query}&last=${LIMIT}`),
    ]);
    patch(facts, state.subscription ? standing(state, query) : empty('No webhook subscription. POST /webhooks with {"url":"http://localhost:..."} makes one.'));
    patch(list, deliveries.length > 0 ? rows(deliveries, query) : state.subscription ? empty('Nothing was posted yet.') : null);
  };
}

function standing({ subscription, paused, waiting }, query) {
  return el(
    'div',
    { class: 'head bottom' },
    el('p', {}, 'To ', el('code', { class: 'break' }, subscription.url), ' ', paused ? pill('paused', 'warn') : null,
      el('span', { class: 'muted' }, ` ${count(waiting.changes, 'change')} and ${count(waiting.posts, 'post')} waiting`)),
    el(
      'div',
      { class: 'buttons' },
      action(paused ? 'Let posts go' : 'Hold posts back', () => post(`/webhooks/${paused ? 'resume' : 'pause'}${query}`), { class: 'small', 'data-key': 'webhook-pause' }),
      action('Post what waits now', () => post(`/webhooks/flush${query}`), { class: 'small', 'data-key': 'webhook-flush' }),
    ),
  );
}

function rows(deliveries, query) {
  return table(
    'Deliveries, newest first',
    ['Post', 'Made', 'Events', 'Attempts', 'Status', 'Next attempt', ''],
    deliveries.toReversed().map((one) => [
      el('button', { type: 'button', class: 'link', 'data-key': `delivery-${one.seq}`, onclick: () => details(one) }, number(one.seq)),
      time(one.at),
      number(one.eventIds.length),
      number(one.attempts.length),
      [pill(one.standing, STANDING[one.standing]), one.status === null ? '' : ` ${one.status}`],
      one.nextAttempt ? time(one.nextAttempt) : '',
      action('Post again', async () => {
        const sent = await post(`/webhooks/redeliver${query}`, { seq: one.seq });
        return `Posted as ${sent.seq}: ${sent.status ?? 'no answer'}.`;
      }, { class: 'small', 'aria-label': `Post ${one.seq} again`, 'data-key': `again-${one.seq}` }),
    ]),
  );
}

function details(one) {
  let body = one.body;
  try {
    body = JSON.stringify(JSON.parse(one.body), null, 2);
  } catch {
    // A post by hand can hold anything; it is shown as it is.
  }
  const { body: _, ...facts } = one;
  dialog(
    `Post ${one.seq}`,
    el('div', {}, el('h3', {}, 'Body'), el('pre', { tabindex: 0 }, body), el('h3', { class: 'later' }, 'Facts'), el('pre', { tabindex: 0 }, JSON.stringify(facts, null, 2))),
  );
}
