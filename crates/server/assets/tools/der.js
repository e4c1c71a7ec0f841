// DER (X.690), as much of it as keys need: which kind of key it is, and the numbers of RSA.

const OBJECTS = {
  '2a864886f70d010101': 'RSA',
  '2a8648ce3d0201': 'EC',
  '2b6570': 'Ed25519',
  '608648016503040311': 'ML-DSA-44',
  '608648016503040312': 'ML-DSA-65',
  '608648016503040313': 'ML-DSA-87',
  '2a8648ce3d030107': 'P-256',
  '2b81040022': 'P-384',
  '2b81040023': 'P-521',
  '2b8104000a': 'secp256k1',
};
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OCTETS = 0x04;
const BITS = 0x03;
const OBJECT = 0x06;

/** The values that stand one behind the other in these bytes; null when they are no DER. */
function derItems(bytes) {
  const items = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at];
    let length = bytes[at + 1];
    let start = at + 2;
    if (length > 0x80 && length <= 0x84) {
      const count = length & 0x7f;
      length = bytes.subarray(start, start + count).reduce((sum, byte) => sum * 256 + byte, 0);
      // One spelling for each length (X.690 §10.1).
      if (length < 0x80 || (count > 1 && bytes[start] === 0)) return null;
      start += count;
    } else if (length === undefined || length >= 0x80) return null;
    if (start + length > bytes.length) return null;
    items.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return items;
}

/** What is in the one SEQUENCE that these bytes are, when its items have these tags; there may be more of them. */
function derSequence(bytes, tags) {
  const [outer, more] = derItems(bytes) ?? [];
  if (outer?.tag !== SEQUENCE || more) return null;
  const items = derItems(outer.content);
  return items && tags.every((tag, at) => items[at]?.tag === tag) ? items : null;
}

/** The kind of key and, where the kind leaves it open, the curve: `AlgorithmIdentifier` (RFC 5280 §4.1.1.2). */
function derKind(content) {
  const [kind, curve] = derItems(content) ?? [];
  if (kind?.tag !== OBJECT) return null;
  return { kind: OBJECTS[hex(kind.content)], curve: curve?.tag === OBJECT ? OBJECTS[hex(curve.content)] : undefined };
}

/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
function readSpki(der) {
  const items = derSequence(der, [SEQUENCE, BITS]);
  const kind = items?.length === 2 ? derKind(items[0].content) : null;
  return kind && items[1].content[0] === 0 ? { ...kind, key: items[1].content.subarray(1) } : null;
}

/** PrivateKeyInfo (RFC 5208 §5). */
function readPkcs8(der) {
  const items = derSequence(der, [INTEGER, SEQUENCE, OCTETS]);
  const kind = items ? derKind(items[1].content) : null;
  return kind ? { ...kind, key: items[2].content } : null;
}

/** Modulus and exponent of an RSA key in PKCS#1 (RFC 8017 appendix A.1), public or private; null when it is none. */
function readPkcs1(der, isPrivate) {
  const items = derSequence(der, Array(isPrivate ? 9 : 2).fill(INTEGER));
  if (!items || items.length !== (isPrivate ? 9 : 2)) return null;
  const [n, e] = (isPrivate ? items.slice(1) : items).map((item) => item.content);
  return isPositive(n) && isPositive(e) ? { n: withoutZeros(n), e: withoutZeros(e) } : null;
}

/** An INTEGER that is not negative, with no byte more than it needs (X.690 §8.3.2). */
const isPositive = (bytes) => bytes[0] < 0x80 && (bytes.length === 1 || bytes[0] > 0 || bytes[1] >= 0x80);

/** Zeros in front of a number mean nothing, and some issuers write them. */
function withoutZeros(bytes) {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? bytes.subarray(bytes.length) : bytes.subarray(first);
}

/** One value in DER. */
function derWrite(tag, ...contents) {
  const content = contents.flatMap((bytes) => [...bytes]);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Uint8Array.from([tag, ...length, ...content]);
}

const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** The identifier of this kind of key, or of this curve. */
function derObject(name) {
  return derWrite(OBJECT, unhex(Object.keys(OBJECTS).find((key) => OBJECTS[key] === name)));
}

const NULL = Uint8Array.of(0x05, 0x00);
const RSA_KIND = () => derWrite(SEQUENCE, derObject('RSA'), NULL);

/** SubjectPublicKeyInfo around a PKCS#1 public key, which WebCrypto does not read. */
const spkiOfPkcs1 = (der) => derWrite(SEQUENCE, RSA_KIND(), derWrite(BITS, [0], der));

/** PKCS#8 around a PKCS#1 or SEC1 private key, which WebCrypto does not read. */
function pkcs8Around(der, curve) {
  const kind = curve ? derWrite(SEQUENCE, derObject('EC'), derObject(curve)) : RSA_KIND();
  return derWrite(SEQUENCE, derWrite(INTEGER, [0]), kind, derWrite(OCTETS, der));
}

/** SEC1 for P-256, without its curve, is the shortest key there is: what is shorter only chance has made look so. */
const SHORTEST_KEY = 39;

/**
 * A key in DER, or a certificate: a SEQUENCE that is all there is, and begins with another one or with a number. Its length may be
 * written longer than it needs: what some program reads as a key is no secret.
 */
function isKeyDer(bytes) {
  const [tag, length, high, low] = bytes;
  const [start, size] = { 0x81: [3, high], 0x82: [4, high * 256 + low] }[length] ?? [2, length];
  return bytes.length >= SHORTEST_KEY && tag === SEQUENCE && bytes.length === start + size && [SEQUENCE, INTEGER].includes(bytes[start]);
}

/** A key in text, whatever stands in front of it: PEM, an OpenSSH or SSH2 file, JSON, or the bare body of a PEM file. */
function isKeyText(text) {
  const bare = text.trim().replace(/^["']+|["']+$/g, '').trim();
  return /-- ?BEGIN/.test(text) || bare.split('\n').some(isOpenSshLine) || (/^[{[]/.test(bare) && isJson(bare)) || isEncodedDer(bare);
}

/** `ssh-ed25519 AAAA…`, `ecdsa-sha2-nistp256 AAAA…`, perhaps with options in front. */
function isOpenSshLine(line) {
  const words = line.trim().split(/\s+/);
  const kind = words.findIndex((word) => /^(ssh-|ecdsa-sha2-|sk-)/.test(word));
  return kind >= 0 && Boolean(words[kind + 1]?.startsWith('AAAA'));
}

/** Also JSON that no key could be read from: nobody's secret is JSON. */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The body of a PEM file, or DER in base64url. */
function isEncodedDer(text) {
  try {
    return isKeyDer(bytesOf(atob(text.replaceAll('-', '+').replaceAll('_', '/'))));
  } catch {
    return false;
  }
}

/** Whether these bytes must never be a shared secret: a public key as secret is the oldest forgery there is. */
function looksLikeKey(bytes) {
  if (isKeyDer(bytes)) return true;
  try {
    return isKeyText(strictUtf8.decode(bytes));
  } catch {
    return false;
  }
}
