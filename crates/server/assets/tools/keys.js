const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'priv'];
const RSA = { modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]) };

/** A JWK of just what belongs to the key, with its name in front. */
async function tidy(jwk, alg) {
  const { key_ops, ext, use, kid, alg: _, ...members } = jwk;
  // A shared secret's thumbprint could be guessed against: no name is made of it.
  const name = kid ?? (jwk.kty === 'oct' ? base64url.encode(crypto.getRandomValues(new Uint8Array(16))) : await thumbprint({ ...members, alg }));
  return { ...members, alg, kid: name, use: 'sig' };
}

const publicOf = (jwk) => Object.fromEntries(Object.entries(jwk).filter(([name]) => !PRIVATE.includes(name)));

async function pems(jwk) {
  const name = cryptoName(jwk.alg);
  if (!name || jwk.kty === 'oct') return {};
  const made = {};
  const { kty, n, e, d, p, q, dp, dq, qi, crv, x, y } = jwk;
  const bare = await crypto.subtle.importKey('jwk', { kty, n, e, crv, x, y }, name, true, ['verify']);
  made.public = writePem('PUBLIC KEY', await crypto.subtle.exportKey('spki', bare));
  if (d) {
    const whole = await crypto.subtle.importKey('jwk', { kty, n, e, d, p, q, dp, dq, qi, crv, x, y }, name, true, ['sign']);
    made.private = writePem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', whole));
  }
  return made;
}

async function show(jwk) {
  const pem = await pems(jwk);
  const isPrivate = PRIVATE.some((name) => name in jwk);
  const print = await thumbprint(jwk);
  const facts = { Type: jwk.kty, Algorithm: jwk.alg, Name: jwk.kid };
  if (jwk.kty !== 'oct') facts['Thumbprint (RFC 7638)'] = print;
  $('facts').replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [el('dt', {}, name), el('dd', { className: 'mono' }, value ?? '')]));
  $('public-part').hidden = jwk.kty === 'oct';
  $('public-jwk').textContent = JSON.stringify(publicOf(jwk), null, 2);
  $('public-pem').textContent = pem.public ?? '';
  $('private-part').hidden = !isPrivate;
  $('private-jwk').textContent = isPrivate ? JSON.stringify(jwk, null, 2) : '';
  $('private-pem').textContent = pem.private ?? '';
  $('private-pem').parentElement.hidden = !pem.private;
  $('result').hidden = false;
  $('trouble').hidden = true;
  stamp(isPrivate ? 'Private' : 'Public', isPrivate ? 'wait' : 'ok');
}

function refuse(text) {
  $('result').hidden = true;
  $('trouble').hidden = !text;
  $('trouble').textContent = text;
  stamp(null);
}

async function make() {
  const alg = $('alg').value;
  const name = cryptoName(alg);
  const uses = ['sign', 'verify'];
  try {
    const parameters = name.name.startsWith('RSA') ? { ...name, ...RSA } : name.name === 'HMAC' ? { ...name, length: Number(alg.slice(2)) } : name;
    const made = await crypto.subtle.generateKey(parameters, true, uses);
    await show(await tidy(await crypto.subtle.exportKey('jwk', made.privateKey ?? made), alg));
  } catch {
    refuse(`This browser cannot make a key for ${alg}: carnet jwk generate --algorithm ${alg}`);
  }
}

/** Every algorithm that a key of this kind can have; the chosen one first. */
function candidates(jwk) {
  const byCurve = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512', Ed25519: 'Ed25519' };
  if (jwk) return [jwk.alg ?? byCurve[jwk.crv] ?? (jwk.kty === 'RSA' ? 'RS256' : jwk.kty === 'oct' ? 'HS256' : null)].filter(Boolean);
  return [$('alg').value, 'ES256', 'ES384', 'ES512', 'Ed25519', 'RS256'];
}

async function look() {
  const text = $('given').value.trim();
  if (!text) return refuse('');
  const pem = readPem(text);
  if (pem && !['PUBLIC KEY', 'PRIVATE KEY'].includes(pem.label)) return refuse(`${pem.label}: convert it with carnet jwk convert KEY --to pem`);
  if (!pem) {
    try {
      const jwk = JSON.parse(text);
      if (Array.isArray(jwk.keys)) return refuse('A key set has many keys: paste one of them.');
      const [alg] = candidates(jwk);
      if (!alg) return refuse('A key of this type or curve is not known here.');
      return await show(await tidy(jwk, alg));
    } catch {
      return refuse('This is neither PEM nor a JWK that fits together.');
    }
  }
  const form = pem.label === 'PUBLIC KEY' ? 'spki' : 'pkcs8';
  for (const alg of candidates()) {
    const name = cryptoName(alg);
    if (name.name === 'HMAC') continue;
    try {
      const key = await crypto.subtle.importKey(form, pem.der, name, true, [form === 'spki' ? 'verify' : 'sign']);
      return await show(await tidy(await crypto.subtle.exportKey('jwk', key), alg));
    } catch {
      // Of another kind.
    }
  }
  refuse('This key is of a kind that a browser does not know: carnet jwk thumbprint does.');
}
$('make').addEventListener('click', make);
$('given').addEventListener('input', look);
