// From what was pasted as a key to keys that check, by the rules of the library (crates/jose/src/key) and of `carnet jwt verify`.

/** Whether what was pasted is meant as a shared secret, and not as a key in a file. */
function isSecret(text, alg) {
  const value = readLoosely(text.trim());
  if (isObject(value) && value.kty === 'oct') return false;
  const algorithm = algorithmOf(alg);
  if (algorithm) return algorithm.type === 'oct';
  return !text.includes('-----BEGIN') && value === undefined;
}

/** The secret, without the line break that editors leave: long enough, and no key file by mistake (RFC 7518 §3.2). */
function checkSecret(secret, algorithm) {
  if (algorithm.type !== 'oct') throw new Refusal('key_mismatch');
  if (looksLikeKey(secret)) throw new Refusal('key_looks_public');
  if (secret.length < algorithm.signature) {
    throw new Refusal('key_too_short', `The secret is shorter than the ${algorithm.signature} bytes that ${algorithm.name} needs (RFC 7518 §3.2).`);
  }
}

async function secretKey(secret, algorithm) {
  checkSecret(secret, algorithm);
  return { algorithm, imported: await crypto.subtle.importKey('raw', secret, cryptoName(algorithm.name), false, ['sign', 'verify']) };
}

/** RSA: 2,048 to 8,192 bits, an odd exponent of 65,537 or more, no broken generator (RFC 7518 §3.3, RFC 8725 §3.5). */
function checkStrength(numbers) {
  if (!numbers) throw new Refusal('key_invalid');
  const { n, e } = numbers;
  const bits = n.length ? n.length * 8 - Math.clz32(n[0]) + 24 : 0;
  if (bits < 2048 || bits > 8192) throw new Refusal('key_too_short', `The RSA key has ${bits} bits: 2,048 to 8,192 belong (RFC 7518 §3.3).`);
  const exponent = e.reduce((sum, byte) => sum * 256 + byte, 0);
  if (exponent < 65537 || e.at(-1) % 2 === 0) {
    throw new Refusal('key_invalid', `The RSA key has the exponent ${exponent}: it must be odd, and 65,537 or more.`);
  }
  if (hasRocaFingerprint(n)) throw new Refusal('key_weak');
}

/** ROCA (CVE-2017-15361): the modulus is a power of 65537 modulo every small prime. */
function hasRocaFingerprint(modulus) {
  const isPrime = (number) => Array.from({ length: 11 }, (_, at) => at + 2).every((divisor) => divisor >= number || number % divisor);
  const primes = Array.from({ length: 165 }, (_, at) => at + 3).filter(isPrime);
  return primes.every((prime) => {
    const residue = modulus.reduce((rest, byte) => (rest * 256 + byte) % prime, 0);
    let power = 1;
    for (let turn = 0; turn < prime && power !== residue; turn += 1) power = (power * 65537) % prime;
    return power === residue;
  });
}

/** A point of Ed25519 under which one signature fits many messages: one of eight, in every way to write it. */
function isSmallOrder(point) {
  const text = [...point].map((byte, at) => (at === 31 ? byte & 127 : byte).toString(16).padStart(2, '0')).join('');
  return /^(0[01](00){31}|e[cde](ff){30}7f|26e8958f.{48}6d53fc05|c7176a70.{48}92ac037a)$/.test(text);
}

/** The members that make a public key; whatever else stands beside them is not looked at. */
async function publicKey(members, algorithm) {
  const name = cryptoName(algorithm.name);
  if (members.crv === 'Ed25519' && isSmallOrder(base64url.decode(members.x))) throw new Refusal('key_weak');
  if (!name) return { algorithm, imported: null };
  try {
    return { algorithm, imported: await crypto.subtle.importKey('jwk', members, name, false, ['verify']) };
  } catch (error) {
    // Not every browser has every algorithm; what it has and does not take is no key.
    if (error.name === 'NotSupportedError') return { algorithm, imported: null };
    throw new Refusal('key_invalid');
  }
}

/** `use` and `key_ops` (RFC 7517 §4.2, §4.3). */
function isForSignatures(jwk) {
  const rightUse = !has(jwk, 'use') || jwk.use === 'sig';
  return rightUse && (!has(jwk, 'key_ops') || jwk.key_ops.some((one) => one === 'verify' || one === 'sign'));
}

/** Whether type, curve, `alg` and `use` of the JWK go with the algorithm. */
function checkJwk(jwk, algorithm) {
  checkJwkTypes(jwk);
  if (algorithm.type === 'AKP' && !has(jwk, 'alg')) throw new Refusal('key_invalid', 'No algorithm fits this JWK.');
  const isSame = !has(jwk, 'alg') || algorithmOf(jwk.alg) === algorithm;
  if (jwk.kty !== algorithm.type || !isSame || (jwk.crv ?? null) !== algorithm.curve) {
    throw new Refusal('key_mismatch', `The JWK (${[jwk.kty, jwk.crv, jwk.alg].filter(Boolean).join(', ')}) does not fit the algorithm.`);
  }
  if (!isForSignatures(jwk)) throw new Refusal('key_unsupported', 'use or key_ops of the key say that it is not for signatures (RFC 7517 §4.2, §4.3).');
}

/** A base64url member as bytes. */
function jwkBytes(jwk, name) {
  const bytes = typeof jwk[name] === 'string' ? base64url.decode(jwk[name]) : null;
  if (!bytes) throw new Refusal('key_invalid', `${name} of the JWK is missing, or no base64url.`);
  return bytes;
}

async function keyOfJwk(jwk, algorithm) {
  checkJwk(jwk, algorithm);
  const { type: kty, curve: crv, coordinate } = algorithm;
  if (kty === 'oct') return secretKey(jwkBytes(jwk, 'k'), algorithm);
  if (kty === 'RSA') {
    const [n, e] = [jwkBytes(jwk, 'n'), jwkBytes(jwk, 'e')].map(withoutZeros);
    checkStrength({ n, e });
    return publicKey({ kty, n: base64url.encode(n), e: base64url.encode(e) }, algorithm);
  }
  if (kty === 'AKP') {
    jwkBytes(jwk, 'pub');
    return { algorithm, imported: null };
  }
  if (kty === 'OKP') return publicKey({ kty, crv, x: base64url.encode(jwkBytes(jwk, 'x')) }, algorithm);
  const [x, y] = [jwkBytes(jwk, 'x'), jwkBytes(jwk, 'y')];
  if (x.length !== coordinate || y.length !== coordinate) throw new Refusal('key_invalid', `x and y must have ${coordinate} bytes each (RFC 7518 §6.2.1).`);
  return publicKey({ kty, crv, x: base64url.encode(x), y: base64url.encode(y) }, algorithm);
}

const isKindOf = ({ kind, curve }, { name, type, curve: wanted }) =>
  type === 'EC' ? kind === 'EC' && curve === wanted : kind === (type === 'RSA' ? 'RSA' : name);

async function keyOfPublicPem({ label, der }, algorithm) {
  if (label === 'RSA PUBLIC KEY') {
    if (algorithm.type !== 'RSA') throw new Refusal('key_mismatch');
    checkStrength(readPkcs1(der, false));
    return importedWith('spki', spkiOfPkcs1(der), algorithm);
  }
  if (label !== 'PUBLIC KEY') throw new Refusal('key_unsupported', `${label} is not what signatures are checked with: give the PUBLIC KEY.`);
  const info = readSpki(der);
  if (!info) throw new Refusal('key_invalid', 'The PEM does not hold the key that its first line promises.');
  if (!isKindOf(info, algorithm)) throw new Refusal('key_mismatch');
  if (algorithm.type === 'RSA') checkStrength(readPkcs1(info.key, false));
  if (algorithm.name === 'Ed25519' && isSmallOrder(info.key)) throw new Refusal('key_weak');
  return importedWith('spki', der, algorithm);
}

/** What WebCrypto makes of DER; of a private key the public half alone is kept. */
async function importedWith(form, der, algorithm) {
  const name = cryptoName(algorithm.name);
  if (!name) return { algorithm, imported: null };
  try {
    if (form === 'spki') return { algorithm, imported: await crypto.subtle.importKey('spki', der, name, false, ['verify']) };
    const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey('jwk', await crypto.subtle.importKey('pkcs8', der, name, true, ['sign']));
    return publicKey({ kty, n, e, crv, x, y }, algorithm);
  } catch (error) {
    if (error.name === 'NotSupportedError') return { algorithm, imported: null };
    throw new Refusal('key_invalid');
  }
}

/** A private key gives its public half. */
async function keyOfPrivatePem({ label, der }, algorithm) {
  const { type, curve } = algorithm;
  if (type === 'oct') throw new Refusal('key_mismatch');
  let whole = der;
  if (label === 'RSA PRIVATE KEY') {
    if (type !== 'RSA') throw new Refusal('key_mismatch');
    whole = pkcs8Around(der);
  } else if (label === 'EC PRIVATE KEY') {
    if (type !== 'EC') throw new Refusal(type === 'RSA' ? 'key_invalid' : 'key_mismatch');
    whole = pkcs8Around(der, curve);
  } else if (label !== 'PRIVATE KEY') throw new Refusal('key_unsupported', `${label} is a form of key that is not supported: openssl pkey -in KEY -out plain.pem`);
  const info = readPkcs8(whole);
  if (!info || !isKindOf(info, algorithm)) throw new Refusal('key_invalid');
  if (type === 'RSA') checkStrength(readPkcs1(info.key, true));
  return importedWith('pkcs8', whole, algorithm);
}

/** The token's algorithm where it fits, or else the first that does; of the refusals the one that says most is told. */
async function firstFit(alg, load) {
  const attempt = (algorithm) => load(algorithm).catch((error) => error);
  const named = algorithmOf(alg);
  const picked = named && (await attempt(named));
  if (picked && !(picked instanceof Error)) return picked;
  let told = new Refusal('key_mismatch');
  for (const candidate of ALGORITHMS.values()) {
    const found = await attempt(candidate);
    if (!(found instanceof Error)) return found;
    if (told.code === 'key_mismatch') told = found;
  }
  throw told;
}

/** One key that was chosen by hand stands for whatever `kid` the token names. */
const oneKey = (key, isPrivate) => ({ algorithms: [key.algorithm.name], find: () => key, isPrivate });

/** The keys that were pasted, for a token with this `alg`: which algorithms they are for, and how one is found. */
async function readKeys(text, alg) {
  if (isSecret(text, alg)) {
    const value = readLoosely(text.trim());
    // A set with a shared secret in it is refused for what it is.
    if (isObject(value) && has(value, 'keys')) await readKeySet(text.trim());
    const named = algorithmOf(alg);
    return oneKey(await secretKey(utf8.encode(text.replace(/[\r\n]+$/, '')), named ?? ALGORITHMS.get('HS256')));
  }
  const source = keySource(text);
  if (source.kind === 'set') return readKeySet(source.text);
  if (source.kind === 'pem') {
    const load = source.isPrivate ? keyOfPrivatePem : keyOfPublicPem;
    return oneKey(await firstFit(alg, (algorithm) => load(source, algorithm)), source.isPrivate);
  }
  const jwk = readObject(source.text);
  checkJwkTypes(jwk);
  return oneKey(await firstFit(alg, (algorithm) => keyOfJwk(jwk, algorithm)), PRIVATE.some((name) => has(jwk, name)) && jwk.kty !== 'oct');
}

const MAX_SET_BYTES = 1024 * 1024;
const MAX_SET_KEYS = 100;
const SIGNATURES = [...ALGORITHMS.values()].filter(({ type }) => type !== 'oct').map(({ name }) => name);

/** A JWKS that somebody publishes: private and symmetric keys refuse it whole, keys that are not for us are passed over. */
async function readKeySet(text) {
  if (byteCount(text) > MAX_SET_BYTES) throw new Refusal('key_set_too_large');
  const { keys } = readObject(text);
  if (!Array.isArray(keys) || !keys.every(isObject)) throw new Refusal('key_invalid', 'keys of a key set must be a list of keys (RFC 7517 §5.1).');
  if (keys.length > MAX_SET_KEYS) throw new Refusal('key_set_too_large');
  const entries = [];
  const names = new Set();
  for (const jwk of keys) {
    if (jwk.kty === 'oct') throw new Refusal('key_set_symmetric');
    if (PRIVATE.some((name) => has(jwk, name))) throw new Refusal('key_set_private');
    const usable = await usableKeys(jwk);
    if (usable.length && has(jwk, 'kid')) {
      if (names.has(jwk.kid)) throw new Refusal('key_id_duplicate');
      names.add(jwk.kid);
    }
    for (const key of usable) entries.push({ kid: jwk.kid, key });
  }
  return { algorithms: SIGNATURES, find: (kid, algorithm) => findKey(entries, kid, algorithm) };
}

/** One odd key does not break a set. An RSA key without `alg` is taken for each RSA algorithm. */
async function usableKeys(jwk) {
  try {
    checkJwkTypes(jwk);
    const fitting = [...ALGORITHMS.values()].filter(({ name, type, curve }) =>
      has(jwk, 'alg') ? algorithmOf(jwk.alg)?.name === name : jwk.kty === 'RSA' ? type === 'RSA' : has(jwk, 'crv') && curve === jwk.crv);
    return await Promise.all(fitting.map((algorithm) => keyOfJwk(jwk, algorithm)));
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

/** A token without `kid` is accepted when exactly one key fits; an unknown `kid` never falls back to another key. */
function findKey(entries, kid, algorithm) {
  const fitting = entries.filter(({ key }) => key.algorithm === algorithm);
  if (kid === undefined) {
    if (fitting.length !== 1) throw new Refusal('key_id_missing');
    return fitting[0].key;
  }
  if (!entries.some((entry) => entry.kid === kid)) throw new Refusal('key_id_unknown', `The set has no key ${JSON.stringify(kid)}.`);
  const found = fitting.find((entry) => entry.kid === kid);
  if (!found) throw new Refusal('algorithm_mismatch');
  return found.key;
}
