// Signing in at the host app's issuer: authorization code with PKCE, no secret. What is known of the
// person lives in this tab's session storage and ends with the tab.

const settings = JSON.parse(document.getElementById('settings').textContent);
const PENDING = 'quickbooks-sign-in';
const SESSION = 'quickbooks-session';
/** This page's own address, which the issuer knows as redirect URI. */
const here = location.origin + location.pathname;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

function stored(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

/** Leaves for the issuer; `search` is what this page is to be about afterwards. */
async function signIn(search, another = false) {
  const pending = { state: random(), verifier: random(), search };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(pending.verifier));
  const to = new URL(settings.authorize);
  const fields = {
    response_type: 'code',
    client_id: settings.clientId,
    redirect_uri: here,
    scope: settings.scope,
    audience: settings.audience,
    state: pending.state,
    code_challenge: base64url(hash),
    code_challenge_method: 'S256',
    ...(another ? { prompt: 'login' } : {}),
  };
  for (const [name, value] of Object.entries(fields)) to.searchParams.set(name, value);
  location.assign(to);
}

/** Ends the way back from the issuer, if this is one. Answers whether it failed. */
async function signedIn() {
  const query = new URLSearchParams(location.search);
  if (!query.has('state') || !(query.has('code') || query.has('error'))) return false;
  const pending = stored(PENDING);
  sessionStorage.removeItem(PENDING);
  // A code in the address bar is of no further use to anybody.
  history.replaceState(null, '', here + (pending?.search ?? ''));
  // An answer that nobody here asked for, such as an old tab's: begin again without a word.
  if (pending?.state !== query.get('state')) return false;
  if (!query.has('code')) return true;
  const answer = await fetch(settings.token, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: query.get('code'),
      redirect_uri: here,
      client_id: settings.clientId,
      code_verifier: pending.verifier,
    }),
  });
  if (!answer.ok) return true;
  const { access_token: token, expires_in: seconds } = await answer.json();
  if (!token) return true;
  const ends = Date.now() + (Number(seconds) || 300) * 1000;
  sessionStorage.setItem(SESSION, JSON.stringify({ token, ends }));
  return false;
}

function signOut() {
  sessionStorage.removeItem(SESSION);
}

/** Who is signed in: token, subject, and companies with roles. Null: nobody. */
function person() {
  const session = stored(SESSION);
  if (!session || session.ends <= Date.now()) return null;
  const claims = read(session.token);
  const listed = claims[settings.claim] ?? '';
  const companies = (Array.isArray(listed) ? listed : String(listed).replace(/^\[|\]$/g, '').split(/\s+/))
    .map((grant) => String(grant).match(/^([A-Za-z0-9_-]{1,64}):(admin|viewer)$/))
    .filter(Boolean)
    .map(([, id, role]) => ({ id, role }));
  return { token: session.token, subject: claims.sub ?? '', companies };
}

/** The claims of a token; the API checks them, this page only reads them. */
function read(token) {
  try {
    const bytes = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)))) ?? {};
  } catch {
    return {};
  }
}
