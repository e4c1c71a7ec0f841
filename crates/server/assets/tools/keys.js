const RSA = { modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]) };

/** A JWK of just what belongs to the key, with its name in front. */
async function tidy(jwk, alg) {
  const { key_ops, ext, use, kid, alg: _, ...members } = jwk;
  // A shared secret's thumbprint could be guessed against: no name is made of it.
  const name = kid ?? (jwk.kty === 'oct' ? base64url.encode(crypto.getRandomValues(new Uint8Array(16))) : await thumbprint({ ...members, alg }));
  return { ...members, alg, kid: name, use: 'sig' };
}

const isPrivateJwk = (jwk) => PRIVATE.some((name) => has(jwk, name));
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

const MADE = 'Whoever has it can sign. It is in this page alone: keep it, or it is gone.';
const GIVEN =
  'This is a private key: whoever has it can sign in your name. It stays in this page, but the clipboard and whatever it was copied from have it, too. If it was ever sent or shown to anybody, make a new one.';

/** Everything that is shown of a key, with what is to be said of its private half. */
async function described(jwk, warning) {
  return { jwk, warning, pem: await pems(jwk), print: jwk.kty === 'oct' ? null : await thumbprint(jwk) };
}

function draw({ jwk, warning, pem, print }) {
  const isPrivate = isPrivateJwk(jwk);
  const facts = { Type: jwk.kty, Algorithm: jwk.alg, Name: jwk.kid };
  if (print) facts['Thumbprint (RFC 7638)'] = print;
  $('facts').replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [el('dt', {}, name), el('dd', { className: 'mono' }, value ?? '')]));
  $('public-part').hidden = jwk.kty === 'oct';
  $('public-jwk').textContent = JSON.stringify(publicOf(jwk), null, 2);
  $('public-pem').textContent = pem.public ?? '';
  $('public-pem').parentElement.hidden = !pem.public;
  $('private-part').hidden = !isPrivate;
  $('private-warning').textContent = warning;
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

let turn = 0;

/** Draws what comes of the work, unless something newer was asked for meanwhile. */
async function show(work) {
  turn += 1;
  const own = turn;
  const troubleOf = (error) => (error instanceof Refusal ? error.message : 'The parts of this key do not fit together.');
  const found = hasCrypto ? await work().catch((error) => ({ trouble: troubleOf(error) })) : { trouble: NO_CRYPTO };
  if (own !== turn) return;
  if ('trouble' in found) refuse(found.trouble);
  else draw(found);
}

async function make() {
  const alg = $('alg').value;
  const name = cryptoName(alg);
  const parameters = name.name.startsWith('RSA') ? { ...name, ...RSA } : name.name === 'HMAC' ? { ...name, length: Number(alg.slice(2)) } : name;
  const made = await crypto.subtle.generateKey(parameters, true, ['sign', 'verify']).catch(() => {
    throw new Refusal('key_unsupported', `This browser cannot make a key for ${alg}: carnet jwk generate --algorithm ${alg}`);
  });
  return described(await tidy(await crypto.subtle.exportKey('jwk', made.privateKey ?? made), alg), MADE);
}

const BY_CURVE = new Map([['P-256', 'ES256'], ['P-384', 'ES384'], ['P-521', 'ES512'], ['Ed25519', 'Ed25519']]);
const BY_TYPE = new Map([['RSA', 'RS256'], ['oct', 'HS256']]);

/** A JWK that names its algorithm, or whose curve or type suggests one. */
async function lookAtJwk(text) {
  const jwk = readObject(text);
  checkJwkTypes(jwk);
  const alg = jwk.alg ?? BY_CURVE.get(jwk.crv) ?? BY_TYPE.get(jwk.kty);
  if (!alg) throw new Refusal('key_unsupported', 'A key of this type or curve is not known here.');
  const known = await tidy(jwk, alg);
  checkSize(jwk, alg);
  return described(known, GIVEN);
}

/** What no strict verifier takes (RFC 7518 §3.2, §3.3). */
function checkSize({ kty, n, k }, alg) {
  const bits = (member) => (base64url.decode(member ?? '') ?? []).length * 8;
  if (kty === 'RSA' && bits(n) < 2048) throw new Refusal('key_too_short', `An RSA key of ${bits(n)} bits can be broken: 2048 are the least (RFC 7518 §3.3).`);
  const least = Number(alg.slice(2));
  if (kty === 'oct' && bits(k) < least) throw new Refusal('key_too_short', `A secret of ${bits(k)} bits can be guessed: ${alg} takes ${least} at the least (RFC 7518 §3.2).`);
}

/** PEM does not name the algorithm: the chosen one is tried first, then every other. */
async function lookAtPem({ label, der }) {
  const forms = new Map([['PUBLIC KEY', ['spki', 'verify']], ['PRIVATE KEY', ['pkcs8', 'sign']]]);
  if (!forms.has(label)) throw new Refusal('key_unsupported', `${label}: convert it with carnet jwk convert KEY --to pem`);
  const [form, use] = forms.get(label);
  for (const alg of [$('alg').value, ...BY_CURVE.values(), 'RS256'].filter((alg) => !alg.startsWith('HS'))) {
    const key = await crypto.subtle.importKey(form, der, cryptoName(alg), true, [use]).catch(() => null);
    if (!key) continue; // Of another kind.
    const jwk = await crypto.subtle.exportKey('jwk', key);
    checkSize(jwk, alg);
    return described(await tidy(jwk, alg), GIVEN);
  }
  throw new Refusal('key_unsupported', 'This key is of a kind that a browser does not know: carnet jwk thumbprint does.');
}

async function look() {
  if (!$('given').value.trim()) return { trouble: '' };
  const source = keySource($('given').value);
  if (source.kind === 'set') throw new Refusal('key_unsupported', 'A key set has many keys: paste one of them.');
  return source.kind === 'pem' ? lookAtPem(source) : lookAtJwk(source.text);
}
$('make').addEventListener('click', () => show(make));
$('given').addEventListener('input', () => show(look));
