// Building and updating the page. Text only ever becomes a text node, so nothing needs escaping.

/**
 * An element. Attributes that are functions listen, `null` and `false` are left out.
 * Children are nodes, texts, lists of both, or null.
 */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * Makes `fresh` the children of `parent`, keeping those that are the same as before, so that a
 * refresh takes neither focus nor selection away. A replaced element with the same `data-key`
 * inside gets the focus back.
 */
export function patch(parent, fresh) {
  const wanted = [fresh].flat(Infinity).filter((node) => node !== null && node !== undefined);
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  wanted.forEach((node, index) => {
    const old = parent.childNodes[index];
    if (old === undefined) parent.append(node);
    else if (!(node instanceof Node) || !old.isEqualNode(node)) old.replaceWith(node);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
  if (key && !parent.contains(document.activeElement)) {
    parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
}

let toastTimer;

/** Says what an action came to; read out by screen readers. */
export function toast(text, bad = false) {
  const box = document.getElementById('toast');
  clearTimeout(toastTimer);
  patch(box, el('p', { class: bad ? 'bad' : '' }, text));
  toastTimer = setTimeout(() => box.replaceChildren(), bad ? 8000 : 4000);
}

/** A button that does something at the sandbox, says so, and lets the page refresh. */
export function action(label, work, attributes = {}) {
  const onclick = async (event) => {
    const button = event.currentTarget;
    button.setAttribute('aria-busy', 'true');
    try {
      const said = await work();
      if (said) toast(said);
    } catch (error) {
      toast(error.message, true);
    }
    button.removeAttribute('aria-busy');
    document.dispatchEvent(new Event('refresh'));
  };
  return el('button', { type: 'button', onclick, ...attributes }, label);
}

const instant = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clockTime = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** The reader's zone. */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A time in the reader's zone; short: without the day. */
export function time(text, short = false) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text ?? '');
  const format = short ? clockTime : instant;
  return el('time', { datetime: text, title: `${instant.format(at)} (${zone})` }, format.format(at));
}

export const number = (value) => Number(value).toLocaleString();

/** `1 call`, `2 calls`. */
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

export const pill = (text, kind = '') => el('span', { class: `pill ${kind}` }, text);

export const empty = (text) => el('p', { class: 'empty' }, text);

export const loading = () => el('p', { class: 'empty', 'aria-busy': 'true' }, 'Loading…');

/** A titled part of a page; `body` is what a refresh patches. */
export function card(title, body, extra = null) {
  return el('section', { class: 'card' }, el('div', { class: 'head' }, el('h2', {}, title), extra), body);
}

/** A table whose cells carry their column's name for narrow screens. */
export function table(caption, columns, rows, kind = '') {
  const cells = (row) =>
    row.map((cell, index) => el('td', { 'data-label': columns[index] }, el('div', {}, cell)));
  return el(
    'table',
    { class: kind || null },
    el('caption', { class: 'hidden' }, caption),
    el('thead', {}, el('tr', {}, columns.map((column) => el('th', { scope: 'col' }, column)))),
    el('tbody', {}, rows.map((row) => el('tr', {}, cells(row)))),
  );
}

/** Shows `content` in a dialog that Escape closes; answers the dialog. */
export function dialog(title, content) {
  const close = el('button', { type: 'button', class: 'small', onclick: () => box.close() }, 'Close');
  const box = el(
    'dialog',
    { 'aria-labelledby': 'dialog-title' },
    el('div', { class: 'head' }, el('h2', { id: 'dialog-title' }, title), close),
    content,
  );
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}
