// The rules of the library (crates/jose): what is refused there is refused here, by the same code.

const MAX_TOKEN_BYTES = 16 * 1024;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_KEY_ID_BYTES = 128;
const LEEWAY_SECONDS = 30;
/** The last second of the year 9999: what lies behind it is no time that a calendar has. */
const YEAR_9999 = 253402300799;

/** In the library's order, which decides what is tried first: type and curve of the key, bytes of a coordinate and of a signature. */
const ALGORITHMS = new Map(
  [
    ['HS256', 'oct', null, 0, 32], ['HS384', 'oct', null, 0, 48], ['HS512', 'oct', null, 0, 64],
    ['RS256', 'RSA'], ['RS384', 'RSA'], ['RS512', 'RSA'], ['PS256', 'RSA'], ['PS384', 'RSA'], ['PS512', 'RSA'],
    ['ES256', 'EC', 'P-256', 32, 64], ['ES384', 'EC', 'P-384', 48, 96], ['ES512', 'EC', 'P-521', 66, 132],
    ['ES256K', 'EC', 'secp256k1', 32, 64], ['Ed25519', 'OKP', 'Ed25519', 0, 64],
    ['ML-DSA-44', 'AKP', null, 0, 2420], ['ML-DSA-65', 'AKP', null, 0, 3309], ['ML-DSA-87', 'AKP', null, 0, 4627],
  ].map(([name, type, curve = null, coordinate = 0, signature = null]) => [name, { name, type, curve, coordinate, signature }]),
);

/** The algorithm of this name, byte for byte; EdDSA is read as Ed25519 (RFC 9864 §2.2). */
const algorithmOf = (name) => (typeof name === 'string' ? (ALGORITHMS.get(name === 'EdDSA' ? 'Ed25519' : name) ?? null) : null);

const byteCount = (text) => utf8.encode(text).length;

/** Exactly two dots; nothing is decoded before the size is known to be harmless. */
function splitToken(token) {
  if (token.length > MAX_TOKEN_BYTES || byteCount(token) > MAX_TOKEN_BYTES) throw new Refusal('token_too_large');
  const [header, payload, signature, ...more] = token.split('.');
  if (more.length === 2) throw new Refusal('token_encrypted');
  if (signature === undefined || more.length) throw new Refusal('token_malformed');
  if (byteCount(header) > MAX_HEADER_BYTES) throw new Refusal('token_too_large');
  return { header, payload, signature, signed: `${header}.${payload}` };
}

function decodeStrictly(segment) {
  const bytes = base64url.decode(segment);
  if (!bytes) throw new Refusal('base64_invalid');
  return bytes;
}

const isText = (value) => typeof value === 'string';
const isTextList = (value) => Array.isArray(value) && value.every(isText);
/** The registered members and what each must be, also where nobody acts on it (RFC 7515 §4.1). */
const HEADER_TYPES = [
  [['kid', 'typ', 'cty', 'jku', 'x5u', 'x5t', 'x5t#S256'], isText, 'text'],
  [['x5c'], isTextList, 'a list of texts'],
  [['jwk'], isObject, 'an object'],
];

/** A header whose members are what they must be; `jwk`, `jku`, `x5u` and `x5c` decide nothing. */
function readHeader(segment) {
  const bytes = decodeStrictly(segment);
  let header;
  try {
    header = readObject(bytes);
  } catch (error) {
    throw error.code === 'member_duplicate' ? error : new Refusal('header_invalid', 'The header is not one JSON object in UTF-8.');
  }
  if (typeof header.alg !== 'string') throw new Refusal('header_invalid', 'The header names no algorithm: alg must be text (RFC 7515 §4.1.1).');
  if (has(header, 'crit') || has(header, 'b64')) throw new Refusal('header_critical');
  for (const [names, isRight, what] of HEADER_TYPES) {
    const wrong = names.find((name) => has(header, name) && !isRight(header[name]));
    if (wrong) throw new Refusal('header_invalid', `${wrong} must be ${what} (RFC 7515 §4.1).`);
  }
  return header;
}

/** The key's algorithm must be the token's, and the name of a key has bounds. */
function checkHeader(header, algorithms) {
  const algorithm = algorithmOf(header.alg);
  if (!algorithm || !algorithms.includes(algorithm.name)) throw new Refusal('algorithm_not_allowed', notAllowed(header.alg, algorithms));
  if (header.kid === '' || byteCount(header.kid ?? '') > MAX_KEY_ID_BYTES) {
    throw new Refusal('header_invalid', `kid is empty or longer than ${MAX_KEY_ID_BYTES} bytes.`);
  }
  return algorithm;
}

function notAllowed(name, algorithms) {
  if (name.toLowerCase() === 'none') return 'alg is none: nobody has signed this. Never accept it (RFC 8725 §3.1).';
  const shown = JSON.stringify(name);
  if (!algorithmOf(name)) return `alg is ${shown}, which is no algorithm that is known here (RFC 8725 §3.1).`;
  return algorithms.length === 1
    ? `The key is for ${algorithms[0]}, the token says ${shown}: the key decides, never the token (RFC 8725 §3.1).`
    : `A key set is not for ${shown}: the keys decide, never the token (RFC 8725 §3.1).`;
}

/** Seconds, whole or not, within the years that mean anything (RFC 7519 §2). */
const isTime = (value) => typeof value === 'number' && value >= 0 && Math.trunc(value) <= YEAR_9999;

/** The registered claims, each of the one type that it may have (RFC 7519 §4.1). */
function checkClaimTypes(claims) {
  const wrong = (name, what) => new Refusal('claim_wrong_type', `${name} must be ${what} (RFC 7519 §4.1): it is wrong, not absent.`);
  for (const name of ['iss', 'sub', 'jti']) if (has(claims, name) && typeof claims[name] !== 'string') throw wrong(name, 'text');
  for (const name of ['exp', 'nbf', 'iat']) if (has(claims, name) && !isTime(claims[name])) throw wrong(name, 'a number of seconds between 1970 and the year 9999');
  const audiences = Array.isArray(claims.aud) && claims.aud.length ? claims.aud : [claims.aud];
  if (has(claims, 'aud') && !audiences.every((one) => typeof one === 'string')) throw wrong('aud', 'text or a list of texts');
}

/** §4.1.4, §4.1.5: without an end no token is accepted. */
function checkTimes(claims, now) {
  if (!has(claims, 'exp')) throw new Refusal('claim_missing');
  const expiry = Math.trunc(claims.exp);
  if (now >= expiry + LEEWAY_SECONDS) throw new Refusal('token_expired', `The token has expired, ${span(now - expiry)} ago.`);
  const start = Math.trunc(claims.nbf ?? 0);
  if (now + LEEWAY_SECONDS < start) throw new Refusal('token_not_yet_valid', `The token is not valid yet: ${span(start - now)} to go.`);
}

/** Something that is no refusal: this browser cannot tell. */
class NotCheckable extends Error {}

/** The longest signatures: of RSA with 8,192 bits, and of ES512. Those of ML-DSA have one length each. */
const MOST_SIGNATURE_BYTES = { RSA: 1024, AKP: Infinity };
const MOST_SHORT_SIGNATURE_BYTES = 132;

/** The signature first; the payload is not decoded before it is known to be the signer's. */
async function checkSignature(key, { signed, signature, payload }) {
  const { name, signature: length, type } = key.algorithm;
  const count = Math.floor((signature.length * 3) / 4);
  const mayBeWhole = signature.length % 4 !== 1 && !hasSpareBits([...signature]);
  if (mayBeWhole && count > (MOST_SIGNATURE_BYTES[type] ?? MOST_SHORT_SIGNATURE_BYTES)) throw new Refusal('signature_invalid');
  const bytes = decodeStrictly(signature);
  if (length && bytes.length !== length) throw new Refusal('signature_invalid', wrongLength(bytes.length, key.algorithm));
  if (!key.imported) throw new NotCheckable(`This browser cannot check ${name}; carnet jwt verify can.`);
  const good = await crypto.subtle.verify(cryptoName(name), key.imported, bytes, utf8.encode(signed));
  if (!good) throw new Refusal('signature_invalid', bytes.length ? undefined : wrongLength(0, key.algorithm));
  return decodeStrictly(payload);
}

function wrongLength(count, { name, signature }) {
  if (count === 0) return 'The signature is missing: anybody can have written this.';
  return `The signature has ${count} bytes where ${name} has ${signature}: it cannot verify.`;
}

/** Everything that the library checks, in its order; `keys` come from `readKeys`. Refusals behind the signature say so. */
async function verifyToken(token, keys, now) {
  const segments = splitToken(token);
  const header = readHeader(segments.header);
  const algorithm = checkHeader(header, keys.algorithms);
  const payload = await checkSignature(keys.find(header.kid, algorithm), segments);
  try {
    const claims = readObject(payload);
    checkClaimTypes(claims);
    checkTimes(claims, now);
    return { algorithm, inFuture: now + LEEWAY_SECONDS < Math.trunc(claims.iat ?? 0) };
  } catch (error) {
    error.isSigned = true;
    throw error;
  }
}
