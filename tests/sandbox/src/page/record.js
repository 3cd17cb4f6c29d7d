// One record: shown whole, changed as in QuickBooks' own screens, without the API's checks.

import { path, post, remove } from './api.js';
import { dialog, el, toast } from './dom.js';
import { label } from './company.js';

/** What the sandbox keeps itself. */
const KEPT = new Set(['Id', 'SyncToken', 'MetaData', 'domain', 'sparse', 'Active']);

export function openRecord(realm, kind, record) {
  const fields = editable(record);
  const inputs = fields.map((field, index) => input(field, `field-${index}`));
  const url = path('companies', realm, kind);
  const done = (text) => {
    toast(text);
    box.close();
    document.dispatchEvent(new Event('refresh'));
  };
  const guarded = (work) => async (event) => {
    event.preventDefault();
    try {
      await work();
    } catch (error) {
      toast(error.message, true);
    }
  };
  const onsubmit = guarded(async () => {
    const change = changes(record, fields, inputs);
    if (Object.keys(change).length === 0) {
      toast('Nothing was changed.');
      return;
    }
    await post(url, { Id: record.Id, ...change });
    done(`${kind} ${record.Id} is stored.`);
  });
  const active = record.Active !== false;
  const turn = guarded(async () => {
    await post(url, { Id: record.Id, Active: !active });
    done(`${kind} ${record.Id} is ${active ? 'inactive' : 'active'}.`);
  });
  const destroy = guarded(async () => {
    if (!confirm(`Delete ${kind} ${record.Id} (${label(record)})?`)) return;
    await remove(path('companies', realm, kind, record.Id));
    done(`${kind} ${record.Id} is deleted.`);
  });
  const box = dialog(
    `${kind} ${record.Id}: ${label(record)}`,
    el(
      'form',
      { onsubmit },
      el('div', { class: 'fields' }, fields.map((field, index) => el('label', { for: `field-${index}` }, el('span', {}, field.name), inputs[index]))),
      el(
        'div',
        { class: 'buttons' },
        el('button', { type: 'submit', class: 'strong' }, 'Save'),
        'Active' in record ? el('button', { type: 'button', onclick: turn }, active ? 'Make inactive' : 'Make active') : null,
        el('button', { type: 'button', class: 'danger apart', onclick: destroy }, 'Delete'),
      ),
      el('details', { open: true }, el('summary', {}, 'As JSON'), el('pre', { tabindex: 0 }, JSON.stringify(record, null, 2))),
    ),
  );
}

const plain = (value) => ['string', 'number', 'boolean'].includes(typeof value);

/** The plain fields, and those one level down (references, addresses). */
function editable(record) {
  return Object.entries(record).filter(([name]) => !KEPT.has(name)).flatMap(([name, value]) => {
    if (plain(value)) return [{ name, keys: [name], value }];
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return [];
    return Object.entries(value)
      // The name in a reference follows its value.
      .filter(([key, inner]) => plain(inner) && !(key === 'name' && 'value' in value))
      .map(([key, inner]) => ({ name: `${name}.${key}`, keys: [name, key], value: inner }));
  });
}

function input({ value }, id) {
  if (typeof value === 'boolean') return el('input', { type: 'checkbox', id, checked: value });
  if (typeof value === 'number') return el('input', { type: 'number', step: 'any', id, value });
  const type = /^\d{4}-\d{2}-\d{2}$/.test(value) ? 'date' : 'text';
  if (type === 'text' && (value.length > 60 || value.includes('\n'))) return el('textarea', { id, rows: 3 }, value);
  return el('input', { type, id, value, autocomplete: 'off' });
}

/** Only what was changed; an emptied field is taken away. */
function changes(record, fields, inputs) {
  const change = {};
  fields.forEach((field, index) => {
    const box = inputs[index];
    let value = box.value;
    if (typeof field.value === 'boolean') value = box.checked;
    else if (value === '') value = null;
    else if (typeof field.value === 'number') value = Number(value);
    if (value === field.value) return;
    const [name, key] = field.keys;
    if (key === undefined) change[name] = value;
    else change[name] = { ...(change[name] ?? record[name]), [key]: value };
  });
  return change;
}
