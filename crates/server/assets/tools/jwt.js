const MEANING = {
  iss: 'issuer: who made it', sub: 'subject: whom it is about', aud: 'audience: for whom it is meant', exp: 'refused from then on',
  nbf: 'refused until then', iat: 'when it was made', jti: 'its own name', scope: 'what it may be used for', client_id: 'the app that asked for it',
  sid: 'the session behind it', fam: 'the refresh family behind it', roles: 'what the user is here', role: 'what the user is here', permissions: 'what the user may do here',
  azp: 'the app that it was made for', nonce: 'ties it to one login request', auth_time: 'when the user last proved who they are', acr: 'how strongly', amr: 'by which means',
  cnf: 'the key that its holder must prove', act: 'who acts for the subject', email: 'e-mail address', name: 'name',
};
const TIMES = ['exp', 'nbf', 'iat', 'auth_time', 'updated_at'];
const PERSONAL = /^(e?mail|name|given_name|family_name|phone.*|birth.*|address|gender|picture|ssn|iban)$/i;
const SECRET = /passw|secret|private_key|api_?key|card|cvv/i;
let parts = null;

/** What people paste around a token. */
function strip(text) {
  const bare = text.trim().replace(/^(authorization:\s*)?(bearer|dpop)\s+/i, '').replace(/^[\w.-]+=(?=ey)/, '').replace(/[;,]\s*$/, '');
  return bare.replace(/^["'`]+|["'`]+$/g, '').replace(/\s+/g, '');
}

/** A segment as JSON: the value, or what is wrong with it. */
function readSegment(segment) {
  const bytes = base64url.decode(segment);
  if (!bytes) return { error: 'is not strict base64url (RFC 7515 §2)' };
  try {
    const text = strictUtf8.decode(bytes);
    const value = JSON.parse(text);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return { error: 'is no JSON object', text };
    return { value, text };
  } catch {
    return { error: 'is no JSON in UTF-8', text: new TextDecoder().decode(bytes) };
  }
}

function read(token) {
  const segments = token.split('.');
  const [header = '', claims = '', signature = ''] = segments;
  return { token, count: segments.length, segments: [header, claims, signature], header: readSegment(header), claims: readSegment(claims), signature: base64url.decode(signature) };
}

const LENGTHS = { HS256: 32, HS384: 48, HS512: 64, ES256: 64, ES384: 96, ES512: 132, ES256K: 64, Ed25519: 64, EdDSA: 64, 'ML-DSA-44': 2420, 'ML-DSA-65': 3309, 'ML-DSA-87': 4627 };

/** The same things that `carnet jwt decode` finds suspicious. */
function findings({ count, header, claims, signature, token }, now) {
  const found = [];
  const bad = (text) => found.push(['bad', text]);
  const wait = (text) => found.push(['wait', text]);
  if (count === 5) bad('Five parts: this is encrypted (RFC 7516) and cannot be read without its key.');
  else if (count !== 3) bad(`${count} part${count === 1 ? '' : 's'} where three belong (RFC 7515 §7.1): something is cut off or too much.`);
  if (header.error) bad(`The header ${header.error}.`);
  if (claims.error && count >= 2) bad(`The claims: the part ${claims.error}.`);
  const h = header.value ?? {};
  const c = claims.value ?? {};
  if (header.value) {
    if (typeof h.alg !== 'string') bad('The header names no algorithm.');
    else if (h.alg.toLowerCase() === 'none') bad('alg is none: nobody has signed this. Never accept it.');
    for (const name of ['jwk', 'jku', 'x5u', 'x5c']) if (name in h) bad(`The header brings its own key (${name}): a token must not say who may sign it.`);
    if ('crit' in h || 'b64' in h) bad('The header demands an extension (crit); no JWT library should accept it.');
    if (typeof h.kid === 'string' && /[/\\'";]|\.\.|\0/.test(h.kid)) bad('kid looks like a path or a query: an attack on careless key look-ups.');
    if (h.alg?.startsWith?.('HS')) wait('A shared secret signs it: whoever can check it can forge it.');
    const length = LENGTHS[h.alg];
    if (count === 3 && h.alg?.toLowerCase?.() !== 'none') {
      if (!signature) bad('This cannot be a signature: the last part is not strict base64url.');
      else if (signature.length === 0) bad('The signature is missing.');
      else if (length && signature.length !== length) bad(`The signature has ${signature.length} bytes where ${h.alg} has ${length}.`);
      else if (/^[RP]S/.test(h.alg) && signature.length < 256) bad(`The signature is of an RSA key of ${signature.length * 8} bits: less than 2048 can be broken.`);
    }
  }
  if (claims.value) {
    for (const name of ['exp', 'nbf', 'iat']) if (name in c && typeof c[name] !== 'number') bad(`${name} is no number of seconds (RFC 7519 §2).`);
    if (!('exp' in c)) wait('No exp: it never expires.');
    else if (c.exp <= now) bad(`It expired ${span(now - c.exp)} ago.`);
    if (!('aud' in c)) wait('No aud: any service could take it for its own.');
    if (c.nbf > now) wait(`It is not valid yet: ${span(c.nbf - now)} to go.`);
    if (c.iat > now + 60) wait('It was made in the future: a clock is wrong.');
    if (c.exp - (c.iat ?? c.nbf) > 86400) wait(`It lives ${span(c.exp - (c.iat ?? c.nbf))}: long, for something that cannot be taken back everywhere.`);
    for (const name of Object.keys(c)) {
      if (SECRET.test(name)) bad(`${name} looks like a secret: everybody who sees the token can read it.`);
      else if (PERSONAL.test(name)) wait(`${name} is personal data: everybody who sees the token can read it.`);
    }
  }
  if (token.length > 16384) bad('Larger than 16 KiB: most servers refuse it.');
  else if (token.length > 4096) wait(`${token.length} characters travel with every request.`);
  return found;
}

function line(claims, now) {
  const from = claims.iat ?? claims.nbf;
  if (typeof claims.exp !== 'number' || typeof from !== 'number' || claims.exp <= from) return null;
  const gone = Math.min(Math.max((now - from) / (claims.exp - from), 0), 1) * 200;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 200 9');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'life');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${Math.round(gone / 2)} percent of its life of ${span(claims.exp - from)} are over`);
  for (const [name, x, y, width, height] of [['all', 0, 2, 200, 5], ['gone', 0, 2, gone, 5], ['now', Math.min(gone, 199), 0, 1, 9]]) {
    const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [key, value] of Object.entries({ class: name, x, y, width, height })) rect.setAttribute(key, value);
    svg.append(rect);
  }
  return svg;
}

function explain(claims, now) {
  const rows = [];
  for (const [name, value] of Object.entries(claims)) {
    const shown = TIMES.includes(name) && typeof value === 'number' ? moment(value, now) : typeof value === 'string' ? value : JSON.stringify(value);
    const fact = el('dd', {}, shown);
    if (MEANING[name]) fact.append(el('span', { className: 'explained' }, MEANING[name]));
    const life = name === 'exp' && line(claims, now);
    if (life) fact.append(life);
    rows.push(el('dt', {}, name), fact);
  }
  return rows;
}

function show(writeJson = true) {
  const token = strip($('token').value);
  const refresh = token.match(/^carnet_rt\.([\w-]+)\.(\d+)\.[\w-]+$/);
  parts = token && !refresh ? read(token) : null;
  for (const id of ['parts', 'findings-part', 'explained-part']) $(id).hidden = !token;
  if (!token) {
    stamp(null);
    if (writeJson) $('header').value = $('claims').value = '';
    return check();
  }
  const now = Date.now() / 1000;
  if (refresh) {
    $('parts').hidden = $('explained-part').hidden = true;
    stamp('Refresh token', 'off');
    $('findings').replaceChildren(el('li', {}, `A Carnet refresh token: generation ${refresh[2]} of the family ${refresh[1]}. It says nothing else; only the server can check it. Do not paste live ones anywhere.`));
    return check();
  }
  const spans = parts.segments.map((segment, at) => el('span', { className: 'hps'[at] }, segment));
  $('parts').replaceChildren(spans[0], '.', spans[1], '.', spans[2]);
  if (writeJson) {
    $('header').value = parts.header.value ? JSON.stringify(parts.header.value, null, 2) : (parts.header.text ?? '');
    $('claims').value = parts.claims.value ? JSON.stringify(parts.claims.value, null, 2) : (parts.claims.text ?? '');
  }
  const found = findings(parts, now);
  const words = { bad: 'Wrong: ', wait: 'Careful: ', ok: '' };
  const items = found.map(([kind, text]) => el('li', {}, el('span', { className: kind }, words[kind]), text));
  $('findings').replaceChildren(...(items.length ? items : [el('li', {}, 'Nothing. Whether it is genuine, only the signature tells.')]));
  $('explained-part').hidden = !parts.claims.value;
  $('explained').replaceChildren(...explain(parts.claims.value ?? {}, now));
  const exp = parts.claims.value?.exp;
  const alive = typeof exp === 'number' && exp > now;
  stamp(found.some(([, text]) => text.startsWith('It expired')) ? 'Expired' : alive ? 'Not expired' : 'Decoded', alive ? 'ok' : exp <= now ? 'bad' : 'off');
  return check();
}

/** The key for this algorithm out of what was pasted. Secrets are for HS alone, and never a PEM or JWK by mistake. */
async function importKey(text, alg, kid) {
  const name = cryptoName(alg);
  if (!name) throw new Error(`This browser cannot check ${alg}; carnet jwt verify can.`);
  const pem = readPem(text);
  const isJson = text.trim().startsWith('{');
  if (name.name === 'HMAC') {
    if (pem) throw new Error('This is a PEM, not a secret: as an HMAC secret a public key would let everybody sign.');
    const jwk = isJson ? JSON.parse(text) : null;
    const secret = jwk ? base64url.decode(jwk.k ?? '!') : utf8.encode(text.replace(/[\r\n]+$/, ''));
    if (!secret) throw new Error('This JWK holds no shared secret (k).');
    if (secret.length < Number(alg.slice(2)) / 8) throw new Error(`The secret is shorter than the ${Number(alg.slice(2)) / 8} bytes that ${alg} needs (RFC 7518 §3.2).`);
    return crypto.subtle.importKey('raw', secret, name, false, ['sign', 'verify']);
  }
  if (pem) {
    if (pem.label !== 'PUBLIC KEY') throw new Error(`${pem.label} is not what is checked with: give the PUBLIC KEY.`);
    return crypto.subtle.importKey('spki', pem.der, name, false, ['verify']);
  }
  if (!isJson) throw new Error('This is neither PEM nor JWK nor JWKS.');
  let jwk = JSON.parse(text);
  if (Array.isArray(jwk.keys)) {
    const named = jwk.keys.filter((key) => (kid === undefined ? true : key.kid === kid));
    if (named.length !== 1) throw new Error(kid === undefined ? 'The token names no kid, and the set has not exactly one key.' : `The set has no key ${JSON.stringify(kid)}.`);
    [jwk] = named;
  }
  if (jwk.alg && jwk.alg !== alg && !(alg === 'EdDSA' && jwk.alg === 'Ed25519')) throw new Error(`The key is for ${jwk.alg}, the token says ${alg}.`);
  const { kty, n, e, crv, x, y } = jwk;
  return crypto.subtle.importKey('jwk', { kty, n, e, crv, x, y }, name, false, ['verify']);
}

let asked = 0;
async function check() {
  const turn = ++asked;
  const say = (text, kind) => {
    if (turn !== asked) return;
    $('verdict').hidden = !text;
    $('verdict').className = `notice ${kind ?? ''}`;
    $('verdict').textContent = text;
  };
  const key = $('key').value;
  const alg = parts?.header.value?.alg;
  if (!key.trim() || !parts) return say('');
  if (typeof alg !== 'string' || parts.count !== 3 || !parts.signature) return say('There is no signature to check.', 'danger');
  try {
    const imported = await importKey(key, alg, parts.header.value.kid);
    const signed = utf8.encode(`${parts.segments[0]}.${parts.segments[1]}`);
    const good = await crypto.subtle.verify(cryptoName(alg), imported, parts.signature, signed);
    say(good ? `The signature verifies (${alg}). Times, issuer and audience are yours to check.` : 'The signature does not verify: the token was changed, or another key signed it.', good ? 'ok' : 'danger');
  } catch (error) {
    say(error instanceof DOMException ? 'The key does not fit the algorithm.' : error instanceof SyntaxError ? 'The key is no JSON.' : error.message, 'danger');
  }
}

/** Header and claims as edited become a token; with a shared secret it is signed anew, otherwise the old signature stays and fails. */
async function rebuild() {
  let header, claims;
  try {
    header = JSON.parse($('header').value);
    claims = JSON.parse($('claims').value);
  } catch {
    stamp('No JSON yet', 'wait');
    return;
  }
  const signed = [header, claims].map((part) => base64url.encode(utf8.encode(JSON.stringify(part)))).join('.');
  let signature = parts?.segments[2] ?? '';
  if (/^HS(256|384|512)$/.test(header.alg) && $('key').value.trim()) {
    try {
      const key = await importKey($('key').value, header.alg, header.kid);
      signature = base64url.encode(await crypto.subtle.sign('HMAC', key, utf8.encode(signed)));
    } catch {
      // Said below the key.
    }
  }
  $('token').value = `${signed}.${signature}`;
  show(false);
}

$('fetch-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const url = $('jwks-url').value.trim();
  $('frame')?.remove();
  const frame = el('iframe', { id: 'frame', title: 'Fetches the key set', hidden: true, src: `/tools/fetch?url=${encodeURIComponent(url)}` });
  document.body.append(frame);
});
addEventListener('message', (event) => {
  if (event.origin !== location.origin || event.source !== $('frame')?.contentWindow) return;
  const { body, error } = event.data;
  if (typeof body === 'string') {
    $('key').value = body;
    check();
  } else if (typeof error === 'string') {
    asked++; // What is being checked now has nothing to say any more.
    $('verdict').hidden = false;
    $('verdict').className = 'notice danger';
    $('verdict').textContent = error;
  }
});
$('token').addEventListener('input', () => show());
$('key').addEventListener('input', check);
for (const id of ['header', 'claims']) $(id).addEventListener('input', rebuild);
show();
