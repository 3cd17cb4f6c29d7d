// The admin API: JSON in, JSON out.

/** A refusal in the sandbox's own words; status 0: it did not answer. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { Accept: 'application/json' },
      cache: 'no-store',
    });
  } catch {
    throw new Refused(0, 'The sandbox does not answer.');
  }
  const text = await response.text();
  let value = null;
  try {
    value = text === '' ? null : JSON.parse(text);
  } catch {
    // An answer without JSON has nothing to say beyond its status.
  }
  if (!response.ok) {
    throw new Refused(response.status, value?.error ?? `The sandbox answered ${response.status}.`);
  }
  return value;
}

export const get = (path) => call('GET', path);
export const post = (path, body) => call('POST', path, body);
export const remove = (path) => call('DELETE', path);

/** A path of the admin API, each part escaped. */
export const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join('');
