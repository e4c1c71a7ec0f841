'use strict';
// Tokens and keys, with what must be said of them: `valid`, or the stable code of the refusal.
const { encode, hmac, now, CLAIMS, pair, signer, spki, token } = require('./support.js');
const { byCarnet, CERTIFICATE, ENCRYPTED, EXPONENT_3, jwk, KEYS, padded, pem, privatePem, ROCA, SECRET, set, SMALL, SMALL_ORDER, SSH } = require('./agreement-keys.js');

const cases = [];
/** `key` is what is pasted under the token; on the command line a file after `--key`, or after `option`. */
const add = (name, expected, jwt, key, option = '--key') => cases.push({ name, expected, token: jwt, key, option });
const hs = (header, claims, secret = SECRET) => token(header, claims, hmac('HS256', secret));
const es = (header, claims = CLAIMS) => token(header, claims, KEYS.ES256.sign);
const rs = (header, claims = CLAIMS) => token(header, claims, KEYS.RS256.sign);
const nested = (depth) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
/** A text with the members that make it valid, and these. */
const claimsText = (members) => `{"exp":${CLAIMS.exp},${members}}`;

function goodTokens() {
  for (const size of [256, 384, 512]) {
    const [HS, RS, PS] = ['HS', 'RS', 'PS'].map((kind) => `${kind}${size}`);
    add(HS, 'valid', token({ alg: HS }, CLAIMS, hmac(HS, SECRET)), SECRET, '--secret-file');
    for (const alg of [RS, PS]) add(alg, 'valid', token({ alg }, CLAIMS, signer(alg, KEYS.RS256.privateKey)), pem('RS256'));
  }
  for (const alg of ['ES256', 'ES384', 'ES512', 'Ed25519']) {
    const jwt = token({ alg, kid: 'k1' }, CLAIMS, KEYS[alg].sign);
    add(`${alg}, PEM`, 'valid', jwt, pem(alg));
    add(`${alg}, JWK`, 'valid', jwt, JSON.stringify(jwk(alg)));
    add(`${alg}, JWKS`, 'valid', jwt, set(jwk(alg, { kid: 'k1' })), '--jwks');
  }
  add('EdDSA is Ed25519', 'valid', token({ alg: 'EdDSA' }, CLAIMS, KEYS.Ed25519.sign), pem('Ed25519'));
  add('an oct JWK', 'valid', hs({ alg: 'HS256' }, CLAIMS), JSON.stringify({ kty: 'oct', k: encode(SECRET) }));
  add('no kid, one key that fits', 'valid', rs({ alg: 'RS256' }), set(jwk('RS256'), jwk('ES256')), '--jwks');
  add('a padded modulus', 'valid', rs({ alg: 'RS256' }), JSON.stringify({ ...jwk('RS256'), n: padded(jwk('RS256').n) }));
  const sec1 = KEYS.ES256.privateKey.export({ type: 'sec1', format: 'pem' });
  const curve = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  add('a private key behind its curve, as OpenSSL writes it', 'valid', es({ alg: 'ES256' }), curve + sec1);
  add('PKCS#1, public', 'valid', rs({ alg: 'RS256' }), KEYS.RS256.publicKey.export({ type: 'pkcs1', format: 'pem' }));
  for (const type of ['pkcs1', 'pkcs8']) add(`${type}, private`, 'valid', rs({ alg: 'RS256' }), privatePem('RS256', type));
  for (const type of ['sec1', 'pkcs8']) add(`${type}, private EC`, 'valid', es({ alg: 'ES256' }), privatePem('ES256', type));
  add('pkcs8, private Ed25519', 'valid', token({ alg: 'Ed25519' }, CLAIMS, KEYS.Ed25519.sign), privatePem('Ed25519', 'pkcs8'));
  add('a private JWK', 'valid', es({ alg: 'ES256' }), JSON.stringify(KEYS.ES256.privateKey.export({ format: 'jwk' })));
  add('odd keys of a set are passed over', 'valid', es({ alg: 'ES256', kid: 'k1' }), set({ kty: 'new' }, jwk('RS256', { alg: 7 }), jwk('ES256', { use: 'enc', kid: 'k1' }), jwk('ES256', { kid: 'k1' })), '--jwks');
}

function headers() {
  const bad = (name, expected, header) => add(name, expected, es(header), pem('ES256'));
  bad('crit', 'header_critical', { alg: 'ES256', crit: ['exp'] });
  bad('crit that is null', 'header_critical', { alg: 'ES256', crit: null });
  bad('b64', 'header_critical', { alg: 'ES256', b64: true });
  bad('jku, jwk, x5u, x5c and an unknown member', 'valid', { alg: 'ES256', jku: 'https://evil.test', jwk: jwk('RS256'), x5u: '', x5c: [], foo: {} });
  const odd = [['jku', 5], ['x5u', []], ['x5t', {}], ['x5t#S256', true], ['cty', 7], ['cty', null], ['x5c', 'a'], ['x5c', ['a', 7]], ['jwk', 'a'], ['jwk', []], ['jwk', null]];
  for (const [name, value] of odd) bad(`${name} is ${JSON.stringify(value)}`, 'header_invalid', { alg: 'ES256', [name]: value });
  bad('a type of its own', 'valid', { alg: 'ES256', typ: 'application/secevent+jwt' });
  bad('alg in lower case', 'algorithm_not_allowed', { alg: 'es256' });
  bad('alg of another key', 'algorithm_not_allowed', { alg: 'RS256' });
  bad('an alg that every object inherits', 'algorithm_not_allowed', { alg: 'constructor' });
  bad('alg none', 'algorithm_not_allowed', { alg: 'none' });
  bad('alg nOnE', 'algorithm_not_allowed', { alg: 'nOnE' });
  bad('alg that is a list', 'header_invalid', { alg: ['ES256'] });
  bad('no alg', 'header_invalid', { typ: 'JWT' });
  bad('kid that is null', 'header_invalid', { alg: 'ES256', kid: null });
  bad('kid that is empty', 'header_invalid', { alg: 'ES256', kid: '' });
  bad('kid of 128 bytes', 'valid', { alg: 'ES256', kid: 'k'.repeat(128) });
  bad('kid of 129 bytes', 'header_invalid', { alg: 'ES256', kid: `${'k'.repeat(127)}ü` });
  bad('typ that is a number', 'header_invalid', { alg: 'ES256', typ: 1 });
  bad('a header twice', 'member_duplicate', '{"alg":"none","alg":"ES256"}');
  bad('a header twice, with an escape', 'member_duplicate', '{"alg":"ES256","\\u0061lg":"ES256"}');
  bad('a header that is a list', 'header_invalid', '["ES256"]');
  bad('a header that is nested too deeply', 'header_invalid', `{"alg":"ES256","x":${nested(32)}}`);
  bad('a header with a byte order mark', 'header_invalid', '\ufeff{"alg":"ES256"}');
  bad('a header of more than 8 KiB', 'token_too_large', { alg: 'ES256', x: 'x'.repeat(6200) });
  add('a token of more than 16 KiB', 'token_too_large', es({ alg: 'ES256' }, { ...CLAIMS, x: 'x'.repeat(12400) }), pem('ES256'));
  add('unsigned', 'algorithm_not_allowed', token({ alg: 'none' }, CLAIMS, () => Buffer.alloc(0)), pem('ES256'));
}

function claims() {
  const given = (name, expected, claims) => add(name, expected, es({ alg: 'ES256' }, claims), pem('ES256'));
  given('no exp', 'claim_missing', { sub: 'alice' });
  given('exp that only a prototype has', 'claim_missing', `{"__proto__":{"exp":${CLAIMS.exp}}}`);
  given('exp long ago', 'token_expired', { ...CLAIMS, exp: now - 600 });
  // Made when it is needed: the leeway is short.
  add('exp within the leeway', 'valid', () => es({ alg: 'ES256' }, { exp: Math.floor(Date.now() / 1000) - 5 }), pem('ES256'));
  given('exp with a fraction', 'valid', { ...CLAIMS, exp: CLAIMS.exp + 0.5 });
  given('exp in the year 9999', 'valid', { exp: 253402300799 });
  for (const exp of ['"1"', 'null', 'true', '-1', '-0.5', '253402300800', '1e300', '[1]', '{}']) given(`exp is ${exp}`, 'claim_wrong_type', `{"exp":${exp}}`);
  given('exp in milliseconds', 'claim_wrong_type', { ...CLAIMS, exp: CLAIMS.exp * 1000 });
  given('nbf to come', 'token_not_yet_valid', { ...CLAIMS, nbf: now + 600 });
  given('nbf within the leeway', 'valid', { ...CLAIMS, nbf: now + 5 });
  given('iat to come', 'valid', { ...CLAIMS, iat: now + 600 });
  for (const [name, value] of Object.entries({ iss: 7, sub: null, jti: 5, iat: '1', nbf: false, aud: [] })) given(`${name} is ${JSON.stringify(value)}`, 'claim_wrong_type', { ...CLAIMS, [name]: value });
  for (const aud of [['a', 1], {}, null]) given(`aud is ${JSON.stringify(aud)}`, 'claim_wrong_type', { ...CLAIMS, aud });
  given('a list of audiences', 'valid', { ...CLAIMS, aud: ['a', 'b'] });
  given('a claim twice', 'member_duplicate', claimsText('"sub":"alice","sub":"bob"'));
  given('a claim twice, inside', 'member_duplicate', claimsText('"cnf":{"jkt":"a","jk\\u0074":"b"}'));
  given('__proto__ twice', 'member_duplicate', claimsText('"__proto__":1,"__proto__":1'));
  given('32 levels', 'valid', claimsText(`"a":${nested(31)}`));
  given('33 levels', 'json_invalid', claimsText(`"a":${nested(32)}`));
  const odd = { '1e400': '"a":1e400', 'half a character': '"a":"\\ud800"', 'the other half': '"a":"\\udc00x"', 'a zero in front': '"a":01', NaN: '"a":NaN', 'a comma too many': '"a":1,', 'single quotes': "'a':1", 'a line break in text': '"a":"\n"', 'a comment': '"a":1/**/' };
  for (const [name, members] of Object.entries(odd)) given(name, 'json_invalid', claimsText(members));
  for (const text of ['[]', 'null', '"text"', '', '{}{}', '{} x', '\ufeff{}']) given(`claims are ${JSON.stringify(text)}`, 'json_invalid', text);
  given('claims that are no UTF-8', 'json_invalid', Buffer.from([0x7b, 0x22, 0xc0, 0xae, 0x22, 0x3a, 0x31, 0x7d]));
  given('a whole pair of surrogates', 'valid', claimsText('"a":"\\ud83d\\ude00"'));
}

function keys() {
  const jwt = rs({ alg: 'RS256', kid: 'k1' });
  const given = (name, expected, key, option) => add(name, expected, jwt, typeof key === 'string' ? key : JSON.stringify(key), option);
  given('1,024 bits', 'key_too_short', spki(SMALL.publicKey));
  given('1,024 bits, JWK', 'key_too_short', SMALL.publicKey.export({ format: 'jwk' }));
  given('1,024 bits, private', 'key_too_short', SMALL.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  given('exponent 3', 'key_invalid', spki(EXPONENT_3.publicKey));
  given('ROCA', 'key_weak', { kty: 'RSA', n: ROCA, e: 'AQAB' });
  for (const [name, point] of Object.entries(SMALL_ORDER)) {
    given(`an Ed25519 point of ${name}`, 'key_weak', { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') });
    given(`an Ed25519 point of ${name}, in a PEM`, 'key_weak', `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), point]).toString('base64')}\n-----END PUBLIC KEY-----\n`);
  }
  given('an even modulus', 'key_invalid', { ...jwk('RS256'), n: `${jwk('RS256').n.slice(0, -2)}AA` });
  given('use: enc', 'key_unsupported', jwk('RS256', { use: 'enc' }));
  given('key_ops: encrypt', 'key_unsupported', jwk('RS256', { key_ops: ['encrypt'] }));
  given('key_ops twice', 'key_invalid', jwk('RS256', { key_ops: ['verify', 'verify'] }));
  given('alg that is a number', 'key_invalid', jwk('RS256', { alg: 256 }));
  given('alg of another algorithm', 'algorithm_not_allowed', jwk('RS256', { alg: 'PS256' }));
  given('alg of no signature', 'key_mismatch', jwk('RS256', { alg: 'RSA-OAEP' }));
  given('padding in a member', 'key_invalid', jwk('RS256', { e: 'AQAB=' }));
  given('a member twice', 'member_duplicate', JSON.stringify(jwk('RS256')).replace('{', '{"kty":"oct",'));
  given('another key', 'signature_invalid', spki(pair('RS256').publicKey));
  given('a key of another kind', 'algorithm_not_allowed', pem('ES256'));
  given('a certificate', 'key_unsupported', CERTIFICATE);
  given('an encrypted key', 'key_unsupported', ENCRYPTED);
  given('two keys', 'key_invalid', pem('RS256') + pem('ES256'));
  given('words in front of a PEM', 'valid', `The key of the shop\n${pem('RS256')}`);
  given('a mark in front of a PEM', 'valid', `\ufeff${pem('RS256')}`);
  given('words that are no PEM', 'key_invalid', 'The key of the shop');
  given('a PEM that was cut', 'key_invalid', pem('RS256').slice(0, 200));
  given('a PEM in one line', 'key_invalid', pem('RS256').replace(/\n(?!-)/g, '').replace('-----M', '-----\nM'));
  given('a PEM of another name', 'key_unsupported', pem('RS256').replaceAll('PUBLIC KEY', 'DSA KEY'));
  given('no key', 'key_invalid', 'carnet');
  given('a list', 'key_invalid', [jwk('RS256')]);
  ellipticKeys();
  keySets(given);
}

function ellipticKeys() {
  const given = (name, expected, more, alg = 'ES256') => add(name, expected, token({ alg }, CLAIMS, KEYS[alg].sign), JSON.stringify(jwk(alg, more)));
  const { x, y } = jwk('ES256');
  given('a point beside the curve', 'key_invalid', { y: x });
  given('a coordinate that is too long', 'key_invalid', { x: padded(x) });
  given('a curve of another name', 'key_invalid', { crv: 'P-255' });
  given('y that is missing', 'key_invalid', { y: undefined });
  given('a short Ed25519 key', 'key_invalid', { x: y.slice(0, 40) }, 'Ed25519');
  // The 44 bytes of a SubjectPublicKeyInfo are a document around the key.
  const around = { kid: 'k1', x: encode(KEYS.Ed25519.publicKey.export({ type: 'spki', format: 'der' })) };
  given('an Ed25519 key in its SPKI', 'key_invalid', around, 'Ed25519');
  add('an Ed25519 key in its SPKI, in a set', 'key_id_unknown', token({ alg: 'Ed25519', kid: 'k1' }, CLAIMS, KEYS.Ed25519.sign), set(jwk('Ed25519', around)), '--jwks');
}

function keySets(given) {
  const k1 = jwk('RS256', { kid: 'k1' });
  given('kid that the set does not have', 'key_id_unknown', set(jwk('RS256', { kid: 'k2' })), '--jwks');
  given('kid of a key of another algorithm', 'algorithm_mismatch', set(jwk('ES256', { kid: 'k1' })), '--jwks');
  given('kid twice', 'key_id_duplicate', set(k1, jwk('ES256', { kid: 'k1' })), '--jwks');
  given('a private key in the set', 'key_set_private', set(k1, { ...jwk('ES256'), d: 'AA' }), '--jwks');
  given('a secret in the set', 'key_set_symmetric', set(k1, { kty: 'oct', k: encode(SECRET) }), '--jwks');
  given('101 keys', 'key_set_too_large', set(...Array(101).fill({ kty: 'new' })), '--jwks');
  given('more than 1 MiB', 'key_set_too_large', set({ ...k1, x5c: ['A'.repeat(1024 * 1024)] }), '--jwks');
  given('keys that are no list', 'key_invalid', { keys: {} }, '--jwks');
  given('keys that are no objects', 'key_invalid', { keys: ['k1'] }, '--jwks');
  given('an empty set', 'key_id_unknown', set(), '--jwks');
  given('a set with a member twice', 'member_duplicate', '{"keys":[],"keys":[]}', '--jwks');
  add('no kid, two keys that fit', 'key_id_missing', es({ alg: 'ES256' }), set(jwk('ES256', { kid: 'a' }), jwk('ES256', { kid: 'b' })), '--jwks');
  add('an alg of no signature for a set', 'algorithm_not_allowed', token({ alg: 'RSA-OAEP' }, CLAIMS, KEYS.RS256.sign), set(k1), '--jwks');
}

/** The oldest forgery: a public key as the secret of HMAC, in whatever dress. */
function secrets() {
  const given = (name, expected, secret) => add(name, expected, hs({ alg: 'HS256' }, CLAIMS, secret), secret, '--secret-file');
  const body = pem('RS256').split('\n').slice(1, -2).join('');
  const dresses = {
    'a PEM as secret': pem('RS256').trimEnd(), 'a PEM that was cut as secret': pem('RS256').slice(0, 120), 'a PEM behind something as secret': `key: ${pem('RS256').trimEnd()}`,
    'a JWK as secret': JSON.stringify(jwk('RS256')), 'a JWKS as secret': set(jwk('ES256')), 'JSON as secret': '["0123456789", "0123456789", "0123456789", 1e400]',
    'an SSH key as secret': SSH, 'a certificate as secret': CERTIFICATE.trimEnd(), 'the body of a PEM as secret': body,
    'a body in base64url as secret': body.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''), 'a body in quotes as secret': `"${body}"`,
  };
  for (const [name, secret] of Object.entries(dresses)) given(name, 'key_looks_public', secret);
  given('a secret of 31 bytes', 'key_too_short', SECRET.slice(0, 31));
  given('a secret of 32 bytes', 'valid', SECRET.slice(0, 32));
  given('a secret with spaces around it', 'valid', `  ${SECRET}  `);
  add('another secret', 'signature_invalid', hs({ alg: 'HS256' }, CLAIMS), SECRET.toUpperCase(), '--secret-file');
  add('a short secret in a JWK', 'key_too_short', hs({ alg: 'HS256' }, CLAIMS, 'short'), JSON.stringify({ kty: 'oct', k: encode('short') }));
  add('an oct JWK for another hash', 'algorithm_not_allowed', hs({ alg: 'HS256' }, CLAIMS), JSON.stringify({ kty: 'oct', alg: 'HS512', k: encode(SECRET) }));
}

function shapes() {
  const good = es({ alg: 'ES256' });
  const [header, payload, signature] = good.split('.');
  const given = (name, expected, jwt) => add(name, expected, jwt, pem('ES256'));
  given('changed claims', 'signature_invalid', [header, encode({ ...CLAIMS, sub: 'mallory' }), signature].join('.'));
  given('no signature', 'signature_invalid', `${header}.${payload}.`);
  given('a short signature', 'signature_invalid', `${header}.${payload}.${encode(Buffer.from(signature, 'base64url').subarray(1))}`);
  given('a cut signature', 'base64_invalid', good.slice(0, -1));
  given('a signature of zeros', 'signature_invalid', `${header}.${payload}.${encode(Buffer.alloc(64))}`);
  given('a signature in DER', 'signature_invalid', `${header}.${payload}.${encode(Buffer.from('3006020101020101', 'hex'))}`);
  given('padding', 'base64_invalid', `${good}==`);
  given('plain base64', 'base64_invalid', `${header}.${payload}.+${signature.slice(1)}`);
  given('spare bits', 'base64_invalid', good.slice(0, -1) + { A: 'B', Q: 'R', g: 'h', w: 'x' }[good.at(-1)]);
  given('a long signature that is no base64url', 'signature_invalid', `${header}.${payload}.${'*'.repeat(199)}A`);
  given('a header that is no base64url', 'base64_invalid', `*${good}`);
  given('two parts', 'token_malformed', `${header}.${payload}`);
  given('four parts', 'token_malformed', `${good}.x`);
  given('five parts', 'token_encrypted', `${good}.x.y`);
  given('padding behind the header', 'base64_invalid', `${header}=.${payload}.${signature}`);
  given('200,001 characters', 'token_too_large', `${good}${'A'.repeat(200_001 - good.length)}`);
  given('Bearer, quotes and line breaks', 'valid', `Authorization: Bearer "${good.slice(0, 40)}\n ${good.slice(40)}"`);
  given('a cookie', 'valid', `Cookie: theme=dark; session=${good}; x=1`);
  add('RS256, a signature of another length', 'signature_invalid', `${rs({ alg: 'RS256' }).split('.', 2).join('.')}.${encode(Buffer.alloc(255))}`, pem('RS256'));
  add('PS256 signed as RS256', 'signature_invalid', rs({ alg: 'PS256' }), pem('RS256'));
}

/** What browsers cannot check: the page says so, and neither accepts nor refuses. */
function beyondBrowsers() {
  const jwt = token({ alg: 'ES256K' }, CLAIMS, KEYS.ES256K.sign);
  const [header, , signature] = jwt.split('.');
  const differs = (name, expected, jwt, key) => cases.push({ name, expected, token: jwt, key, option: '--key', page: 'untold' });
  differs('ES256K', 'valid', jwt, pem('ES256K'));
  differs('ES256K, changed', 'signature_invalid', `${header}.${encode({})}.${signature}`, JSON.stringify(jwk('ES256K')));
  add('ES256K, a short signature', 'signature_invalid', `${jwt.slice(0, jwt.lastIndexOf('.'))}.${encode(Buffer.alloc(63))}`, pem('ES256K'));
  for (const alg of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']) {
    const made = byCarnet(alg);
    differs(alg, 'valid', made.token, made.key);
  }
}

for (const fill of [goodTokens, headers, claims, keys, secrets, shapes, beyondBrowsers]) fill();
module.exports = cases;
