// Webhook deliveries.

import { get } from './api.js';
import { el, empty, number, patch, pill, table, time } from './dom.js';

export function webhooks(main) {
  const body = el('div');
  main.replaceChildren(el('h1', {}, 'Webhook deliveries'), body);
  return async () => {
    let answer;
    try {
      answer = await get('/webhooks/deliveries');
    } catch (error) {
      if (error.status !== 404) throw error;
      patch(body, empty('No webhook subscription.'));
      return;
    }
    const { deliveries = [] } = answer;
    patch(body, deliveries.length === 0 ? empty('Nothing was delivered yet.') : list(deliveries));
  };
}

function list(deliveries) {
  return table(
    'Deliveries, newest first',
    ['Number', 'Time', 'Events', 'Attempts', 'Status'],
    deliveries.toReversed().map((one) => [
      number(one.sequence),
      time(one.at),
      number(one.events),
      number(one.attempts),
      pill(String(one.status)),
    ]),
  );
}
