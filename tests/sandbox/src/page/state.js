// Snapshots: the whole state, kept and brought back.

import { get, path, post, remove } from './api.js';
import { action, count, el, empty, patch, time, toast } from './dom.js';

/** The form that keeps one, and what refreshes the list in `list`. */
export function snapshots(list) {
  const name = el('input', { id: 'snapshot-name', required: true, maxlength: 64, pattern: '[A-Za-z0-9._\\-]+', autocomplete: 'off' });
  const onsubmit = async (event) => {
    event.preventDefault();
    try {
      await post(path('snapshots', name.value));
      toast(`Kept as ${name.value}.`);
      name.value = '';
    } catch (error) {
      toast(error.message, true);
    }
    document.dispatchEvent(new Event('refresh'));
  };
  const form = el(
    'form',
    { class: 'inline', onsubmit },
    el('label', { for: 'snapshot-name' }, 'Name'),
    name,
    el('button', { type: 'submit' }, 'Keep the state'),
  );
  const refresh = async () => {
    const kept = (await get('/snapshots')).snapshots;
    patch(
      list,
      kept.length === 0
        ? empty('Keep the whole state under a name and come back to it later.')
        : el('ul', { class: 'plain' }, kept.map(row)),
    );
  };
  return [form, refresh];
}

function row(snapshot) {
  const { name } = snapshot;
  return el(
    'li',
    {},
    el('div', {}, el('strong', {}, name), el('p', { class: 'muted' }, time(snapshot.taken), ` · ${count(snapshot.entities, 'record')}`)),
    el(
      'div',
      { class: 'buttons' },
      action('Restore', async () => {
        await post(path('snapshots', name, 'restore'));
        return `Everything is as it was in ${name}.`;
      }, { class: 'small', 'aria-label': `Restore ${name}`, 'data-key': `restore-${name}` }),
      action('Forget', () => remove(path('snapshots', name)), { class: 'small quiet', 'aria-label': `Forget ${name}`, 'data-key': `forget-${name}` }),
    ),
  );
}
