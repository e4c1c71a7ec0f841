// What is suspicious about a token: the same findings, by the same codes, as `carnet jwt decode` has.

/** The worst first; of the same weight in the order of the token. */
function findingsOf(reading, now) {
  let found = [...reading.damage];
  if (reading.header) headerFindings(reading, found);
  if (reading.claims) claimFindings(reading, now, found);
  // What was not read may say it.
  if (!reading.isWhole) found = found.filter(({ code }) => !code.endsWith('_missing'));
  const { length } = reading.token;
  if (length > MAX_TOKEN_BYTES) found.push(finding('warning', 'token_too_large', 'token', 'has more than 16 KiB: strict verifiers and most proxies refuse it'));
  else if (length > 4096) {
    found.push(finding('warning', 'token_large', 'token', 'has more than 4096 characters: it does not fit in a cookie, and is sent with every request'));
  }
  if (reading.isEncrypted) {
    found.push(finding('note', 'token_encrypted', 'token', 'is encrypted (RFC 7516): only who holds the key can read the claims'));
  }
  return sorted(found);
}

const LEVELS = ['error', 'warning', 'note'];
const sorted = (found) => LEVELS.flatMap((level) => found.filter((one) => one.level === level));

function headerFindings(reading, found) {
  const { header, isEncrypted } = reading;
  if (!isEncrypted) {
    algorithmFindings(reading, found);
    if (!has(header, 'typ')) {
      found.push(finding('note', 'type_missing', 'header.typ', 'is missing: one kind of token can be taken for another (RFC 8725 §3.11)'));
    }
  }
  memberFindings(header, found);
  pointerFindings(header, found);
  keyNameFindings(header, found);
  if (reading.segments[0].length > MAX_HEADER_BYTES) {
    found.push(finding('warning', 'header_too_large', 'header', 'has more than 8 KiB: strict verifiers refuse it'));
  }
}

const WEAK_ALGORITHMS = ['HS1', 'RS1', 'RSA1_5', 'HS256/64'];

function algorithmFindings(reading, found) {
  const { alg } = reading.header;
  // What `memberFindings` says of it is all there is to say.
  if (has(reading.header, 'alg') && typeof alg !== 'string') return;
  const say = (level, code, text) => found.push(finding(level, code, 'header.alg', text));
  if (typeof alg !== 'string') {
    say('error', 'algorithm_missing', 'is missing: no verifier may accept the token (RFC 7515 §4.1.1)');
    return;
  }
  if (alg.toLowerCase() === 'none') {
    say('error', 'algorithm_none', 'is none: the token is not signed, anybody can have written it (RFC 8725 §3.2)');
    return;
  }
  const algorithm = algorithmOf(alg);
  if (!algorithm) {
    if (WEAK_ALGORITHMS.includes(alg)) say('warning', 'algorithm_weak', 'is an algorithm that is broken or too short');
    else say('warning', 'algorithm_unknown', 'is an algorithm that Carnet does not know: it cannot check the token');
    return;
  }
  if (algorithm.type === 'oct') say('note', 'algorithm_shared_secret', 'is HMAC: every service that can check the token can also forge it');
  signatureFindings(algorithm, reading, found);
}

function signatureFindings({ name, type, signature: expected }, { signature: { length }, segments, damage }, found) {
  if (segments.length !== 3 || damage.some((one) => one.place === 'signature')) return;
  const say = (code, text) => found.push(finding('error', code, 'signature', text));
  if (length === 0) say('signature_missing', 'is empty although the header names an algorithm: anybody can have written this');
  else if (expected && length !== expected) say('signature_length', `has ${length} bytes where ${name} has ${expected}: it cannot verify`);
  else if (type === 'RSA' && length < 256) {
    say('key_too_short', `has ${length} bytes: an RSA key of ${length * 8} bits; less than 2048 can be broken (RFC 7518 §3.3)`);
  }
}

/** What a strict verifier refuses for its type alone. Of `kid` there is more to say. */
function memberFindings(header, found) {
  for (const name of Object.keys(header).filter((one) => one !== 'kid')) {
    const [, isRight, what] = HEADER_TYPES.find(([names]) => names.includes(name)) ?? (name === 'alg' ? [[], isText, 'text'] : []);
    if (isRight && !isRight(header[name])) {
      found.push(finding('error', 'header_invalid', `header.${name}`, `is not ${what}: strict verifiers refuse the token (RFC 7515 §4.1)`));
    }
  }
}

/** Members by which a sender tells a verifier which key to believe. */
function pointerFindings(header, found) {
  const warn = (code, name, text) => has(header, name) && found.push(finding('warning', code, `header.${name}`, text));
  for (const name of ['jku', 'x5u']) warn('key_pointer', name, 'lets the sender name the key: a verifier that fetches it believes anybody (RFC 8725 §3.10)');
  for (const name of ['jwk', 'x5c']) {
    // A DPoP proof carries its key by design.
    const isProof = header.typ === 'dpop+jwt' && name === 'jwk';
    if (!isProof) warn('key_embedded', name, 'carries the key: a verifier that uses it believes anybody (RFC 8725 §3.1)');
  }
  if (isObject(header.jwk) && ['d', 'k', 'p'].some((name) => has(header.jwk, name))) {
    found.push(finding('error', 'key_private', 'header.jwk', "holds a private key: it is everybody's now"));
  }
  warn('header_critical', 'crit', 'demands extensions: a verifier that does not know them must refuse (RFC 7515 §4.1.11)');
  if (header.b64 === false) warn('payload_unencoded', 'b64', 'is false: not allowed in a JWT (RFC 7797 §7)');
  warn('compressed', 'zip', 'compresses: a small token can become a huge one (RFC 8725 §3.6)');
}

/** A `kid` is looked up somewhere: in a folder, a database, at an address. It should look like a name. */
function keyNameFindings(header, found) {
  if (!has(header, 'kid')) return;
  const { kid } = header;
  if (typeof kid !== 'string') {
    found.push(finding('error', 'key_id_odd', 'header.kid', 'is no string (RFC 7515 §4.1.4)'));
    return;
  }
  const reason = whyOdd(kid);
  if (reason) found.push(finding('warning', 'key_id_odd', 'header.kid', `${reason} (RFC 8725 §3.10)`));
}

function whyOdd(kid) {
  if (kid.includes('../') || kid.includes('..\\') || kid.startsWith('/')) return 'looks like a path: an attack on verifiers that read keys from files';
  if (kid.includes('://')) return 'looks like an address: an attack on verifiers that fetch keys';
  if (/['";`]/.test(kid) || (kid.includes('--') && kid.includes(' '))) {
    return 'looks like a piece of a query: an attack on verifiers that look keys up in a database';
  }
  if (/[|$&<>\n\u0000]/.test(kid)) return 'has characters that a shell would obey: an attack on careless verifiers';
  return byteCount(kid) > MAX_KEY_ID_BYTES ? 'is longer than 128 bytes: strict verifiers refuse it' : null;
}

function claimFindings({ claims, header }, now, found) {
  const type = typeof header?.typ === 'string' ? header.typ : '';
  if (type !== 'dpop+jwt') missingFindings(claims, type, found);
  typeFindings(claims, found);
  timeFindings(claims, now, found);
  for (const [name, value] of Object.entries(claims)) lookForExposure(`claims.${name}`, name, value, found);
}

function missingFindings(claims, type, found) {
  const say = (level, code, name, text) => has(claims, name) || found.push(finding(level, code, `claims.${name}`, `is missing: ${text}`));
  say('warning', 'expiry_missing', 'exp', 'the token is valid for ever, whoever finds it');
  say('warning', 'audience_missing', 'aud', 'a token for one service is accepted by every other (RFC 8725 §3.9)');
  say('note', 'issuer_missing', 'iss', 'nothing says whose keys to check with (RFC 8725 §3.8)');
  if (!type.toLowerCase().endsWith('at+jwt')) return;
  for (const name of ['sub', 'client_id', 'iat', 'jti']) say('warning', 'claim_missing', name, 'RFC 9068 §2.2 demands it of an access token');
}

function typeFindings(claims, found) {
  const wrong = (name, text) => found.push(finding('error', 'claim_wrong_type', `claims.${name}`, text));
  for (const name of ['iss', 'sub', 'jti']) if (has(claims, name) && typeof claims[name] !== 'string') wrong(name, 'must be a string (RFC 7519 §4.1)');
  for (const name of ['exp', 'nbf', 'iat']) if (has(claims, name) && typeof claims[name] !== 'number') wrong(name, 'must be a number of seconds (RFC 7519 §2)');
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (has(claims, 'aud') && !audiences.every((one) => typeof one === 'string')) wrong('aud', 'must be a string or a list of strings (RFC 7519 §4.1.3)');
  if (audiences.includes('*')) found.push(finding('warning', 'audience_any', 'claims.aud', 'is *: it limits nothing'));
}

/** A NumericDate: whole seconds; null when it is no number. */
const secondsOf = (claims, name) => (typeof claims[name] === 'number' ? Math.trunc(claims[name]) : null);

function timeFindings(claims, now, found) {
  const at = (name) => secondsOf(claims, name);
  for (const name of ['exp', 'nbf', 'iat'].filter((name) => at(name) < 0)) {
    found.push(finding('error', 'claim_wrong_type', `claims.${name}`, 'lies before 1970: NumericDate counts the seconds from there (RFC 7519 §2)'));
  }
  // The year 5138 in seconds; today in milliseconds is far beyond.
  for (const name of ['exp', 'nbf', 'iat'].filter((name) => at(name) > 100e9)) {
    const text = 'is in milliseconds, it seems: NumericDate counts seconds (RFC 7519 §2), so this is thousands of years away';
    found.push(finding('error', 'time_in_milliseconds', `claims.${name}`, text));
  }
  const warn = (code, name, text) => found.push(finding('warning', code, `claims.${name}`, text));
  if (at('exp') !== null && at('exp') <= now) warn('expired', 'exp', `has passed, ${span(now - at('exp'))} ago: the token is refused everywhere`);
  if (at('nbf') > now) warn('not_yet_valid', 'nbf', `comes in ${span(at('nbf') - now)}: until then the token is refused`);
  if (at('iat') > now + 60) warn('issued_in_future', 'iat', `is in ${span(at('iat') - now)}: one of two clocks is wrong`);
  lifeFindings(at('exp'), at('iat') ?? at('nbf'), now, found);
}

const YEAR = 365 * 86400;

function lifeFindings(expiry, issued, now, found) {
  if (expiry === null) return;
  const say = (level, code, text) => found.push(finding(level, code, 'claims.exp', text));
  const life = expiry - (issued ?? now);
  // Counted from now, less says little: the token may be old.
  if (issued === null && life <= YEAR) return;
  if (life <= 0) say('error', 'life_negative', 'does not come after iat: the token was never valid');
  else if (life > 86400) {
    say('warning', 'life_long', `gives the token ${span(life)}: whoever steals it has it that long; minutes are usual for access tokens`);
  } else if (life > 3600) say('note', 'life_long', `gives the token ${span(life)}: longer than most access tokens`);
}

const GUESSES = [
  '', 'secret', 'Secret', 'SECRET', 'secretkey', 'secret_key', 'secret-key', 'mysecret', 'my-secret', 'my_secret', 'my_secret_key', 'supersecret', 'super-secret',
  'supersecretkey', 'shhhhh', 'shhhhhared-secret', 'changeme', 'change-me', 'password', 'password123', '123456', '12345678', 'admin', 'test', 'test-secret', 'key',
  'jwt', 'jwt_secret', 'jwt-secret', 'JWT_SECRET', 'token', 'your-256-bit-secret', 'a-string-secret-at-least-256-bits-long',
];

/** Whether the token is signed with a word from the top of every guessing list; which one is not told. */
async function guessedFinding({ header, signature, segments }) {
  const name = algorithmOf(header?.alg)?.type === 'oct' && hasCrypto ? cryptoName(header.alg) : null;
  if (!name || segments.length !== 3) return null;
  const signed = utf8.encode(`${segments[0]}.${segments[1]}`);
  for (const word of GUESSES) {
    // A browser takes no empty key; one zero byte is the same one to HMAC, which fills keys up with zeros (RFC 2104 §2).
    const key = await crypto.subtle.importKey('raw', word ? utf8.encode(word) : new Uint8Array(1), name, false, ['verify']);
    if (await crypto.subtle.verify('HMAC', key, signature, signed)) {
      const told = word ? 'a secret from the top of every guessing list' : 'an empty secret';
      return finding('error', 'secret_guessable', 'signature', `is made with ${told}: anybody can forge this token; change the secret`);
    }
  }
  return null;
}
