// What a text with a key in it is: PEM, one JWK, or a JWKS.

/** Members that only private and symmetric keys have. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

const ENCRYPTED = 'The key is encrypted with a passphrase. Decrypt it to a private file: (umask 077; openssl pkey -in KEY -out plain.pem)';
const isEncryptedPem = (text) => text.includes('-----BEGIN ENCRYPTED') || text.includes('Proc-Type: 4,ENCRYPTED');

/** As far as its beginning tells. White space around what was pasted means nothing. */
function keySource(pasted) {
  const text = withoutPreamble(pasted.replace(/^\uFEFF/, '').trim());
  if (text.includes('-----BEGIN CERTIFICATE')) {
    throw new Refusal('key_unsupported', 'This is a certificate, not a key. Take its key out: openssl x509 -in FILE -noout -pubkey');
  }
  if (isEncryptedPem(text)) throw new Refusal('key_unsupported', ENCRYPTED);
  if (text.startsWith('-----BEGIN')) return { kind: 'pem', ...strictPem(text) };
  const value = readLoosely(text);
  if (!isObject(value)) throw new Refusal('key_invalid', 'This is neither PEM nor JWK nor JWKS: a key begins with -----BEGIN or with {.');
  return { kind: has(value, 'keys') ? 'set' : 'jwk', text };
}

/** Explanatory text may stand in front of a PEM (RFC 7468 §2), and OpenSSL writes the curve of an EC key as a block of its own. */
function withoutPreamble(text) {
  const begin = text.startsWith('{') ? -1 : text.search(/^-----BEGIN /m);
  const pem = begin > 0 ? text.slice(begin) : text;
  return pem.replace(/^-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\r?\n/, '');
}

/** One PEM block and nothing behind it (RFC 7468 §3): lines of 64 characters, the last one shorter. */
function strictPem(text) {
  const bad = (sentence) => new Refusal('key_invalid', sentence);
  const found = /^-----BEGIN ([!-,.-~]+(?: [!-,.-~]+)*)-----\r?\n([\s\S]*?)\r?\n-----END \1-----([\s\S]*)$/.exec(text);
  if (!found) throw bad('This PEM is not whole: it begins with -----BEGIN and ends with -----END, each on a line of its own.');
  const [, label, body, rest] = found;
  if (rest.includes('-----BEGIN')) throw bad('Here are several PEM blocks: give one key.');
  if (rest) throw bad('Something stands behind the end of the PEM.');
  const lines = body.split(/\r?\n/);
  const last = lines.pop();
  if (lines.some((line) => line.length !== 64) || last.length > 64 || !last) throw bad('The lines of a PEM have 64 characters (RFC 7468 §2).');
  const letters = lines.join('') + last;
  const der = letters.length % 4 === 0 ? base64url.decode(letters.replace(/={1,2}$/, '').replaceAll('+', '-').replaceAll('/', '_')) : null;
  if (!der || /[-_]/.test(letters)) throw bad('The body of the PEM is not base64.');
  return { label, der, isPrivate: label.endsWith('PRIVATE KEY') };
}

/** A member of the wrong type is wrong, not absent: a key whose `alg` is a number is not free for any algorithm. */
function checkJwkTypes(jwk) {
  const areText = ['kty', 'use', 'alg', 'kid', 'crv'].every((name) => !has(jwk, name) || typeof jwk[name] === 'string');
  const operations = jwk.key_ops ?? [];
  const rightOperations = Array.isArray(operations) && operations.every((one) => typeof one === 'string') && new Set(operations).size === operations.length;
  if (!areText || !rightOperations || jwk.key_ops === null) throw new Refusal('key_invalid', 'A member of the JWK has the wrong type (RFC 7517 §4).');
}
