/** Why a token or key is refused: the library's stable code, and a sentence. */
class Refusal extends Error {
  constructor(code, sentence) {
    super(sentence ?? SENTENCES[code]);
    this.code = code;
  }
}

/** What each code of the library says (docs/codes.md). */
const SENTENCES = {
  token_too_large: 'The token is larger than 16 KiB, or its header than 8 KiB.',
  token_malformed: 'The token is not three base64url segments joined by dots (RFC 7515 §7.1): there is no signature to check.',
  token_encrypted: 'The token has five segments: it is encrypted (RFC 7516), which is not supported.',
  base64_invalid: 'A part of the token is not strict base64url without padding (RFC 7515 §2).',
  json_invalid: 'This is not one JSON object in UTF-8, or it is nested deeper than 32 levels.',
  member_duplicate: 'A name stands twice in one JSON object (RFC 7515 §4): programs read it differently.',
  header_invalid: 'The header is not what RFC 7515 §4.1 describes: alg, kid or typ is missing or of the wrong type or length.',
  header_critical: 'The header demands an extension (crit or b64) that no JWT needs (RFC 7515 §4.1.11).',
  algorithm_not_allowed: 'The key decides the algorithm, and the token names another one (RFC 8725 §3.1).',
  algorithm_mismatch: 'The key belongs to another algorithm than the header names (RFC 8725 §3.1).',
  key_id_missing: 'The token names no kid, and the set has not exactly one key of its algorithm.',
  signature_invalid: 'The signature does not verify: the token was changed, or another key signed it.',
  claim_missing: 'exp is missing: a token that never expires is refused.',
  claim_wrong_type: 'A registered claim has another type than RFC 7519 §4.1 gives it: it is wrong, not absent.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  key_too_short: 'The key is too short: RSA keys have 2,048 to 8,192 bits.',
  key_weak: 'The key protects nothing: RSA of a broken generator (ROCA, CVE-2017-15361), or an Ed25519 point of small order.',
  key_looks_public: 'This is a key file, not a secret: as an HMAC secret a public key would let everybody sign.',
  key_invalid: 'The key cannot be read, or its parts do not fit together.',
  key_unsupported: "The key's type, curve, algorithm or use is not supported.",
  key_mismatch: 'The key does not fit the algorithm.',
  key_set_private: 'The key set holds private members: whoever publishes it has lost its keys.',
  key_set_symmetric: 'The key set holds a shared secret where only public keys belong.',
  key_id_duplicate: 'Two keys of the set have the same kid.',
  key_set_too_large: 'A key set has 1 MiB and 100 keys at most.',
};

const MAX_DEPTH = 32;

/**
 * JSON that every parser reads alike (RFC 8259): no member twice after unescaping, no lone surrogates, no number that overflows,
 * nothing behind the end. Objects come without a prototype, so that a member `constructor` is there only when it was written.
 */
class JsonReader {
  constructor(text, { depth = MAX_DEPTH, duplicates = false } = {}) {
    Object.assign(this, { text, at: 0, left: depth, duplicates });
  }

  read() {
    const value = this.value();
    this.space();
    if (this.at !== this.text.length) this.fail();
    return value;
  }

  fail() {
    throw new Refusal('json_invalid');
  }

  /** What a sticky pattern finds here. */
  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) this.fail();
    this.at += found.length;
    return found;
  }

  space() {
    this.take(/[ \n\r\t]*/y);
  }

  value() {
    this.space();
    switch (this.text[this.at]) {
      case '{': return this.nested(() => this.object());
      case '[': return this.nested(() => this.array());
      case '"': return this.string();
      case 't': return this.take(/true/y) && true;
      case 'f': return this.take(/false/y) && false;
      case 'n': return this.take(/null/y) && null;
      default: return this.number();
    }
  }

  nested(read) {
    if (this.left-- === 0) this.fail();
    this.at += 1;
    const value = read();
    this.left += 1;
    return value;
  }

  object() {
    const members = Object.create(null);
    this.each('}', () => {
      this.space();
      const name = this.string();
      if (!this.duplicates && has(members, name)) throw new Refusal('member_duplicate');
      this.space();
      this.take(/:/y);
      members[name] = this.value();
    });
    return members;
  }

  array() {
    const items = [];
    this.each(']', () => items.push(this.value()));
    return items;
  }

  each(end, read) {
    this.space();
    if (this.text[this.at] === end) {
      this.at += 1;
      return;
    }
    for (;;) {
      read();
      this.space();
      const mark = this.text[this.at];
      if (mark !== ',' && mark !== end) this.fail();
      this.at += 1;
      if (mark === end) return;
    }
  }

  string() {
    // The engine's own parser resolves the escapes of a literal that is already known to be one.
    const literal = this.take(/"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y);
    const text = literal.includes('\\') ? JSON.parse(literal) : literal.slice(1, -1);
    if (hasLoneSurrogate(text)) this.fail();
    return text;
  }

  number() {
    const value = Number(this.take(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y));
    if (!Number.isFinite(value)) this.fail();
    return value;
  }
}

/** Half of a character: no UTF-8 has it. */
function hasLoneSurrogate(text) {
  return /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/** Whether a member was written; what every object inherits was not. */
const has = (members, name) => Object.hasOwn(members, name);
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** One strict JSON object; bytes or text. */
function readObject(source) {
  let text = source;
  if (typeof source !== 'string') {
    try {
      text = strictUtf8.decode(source);
    } catch {
      throw new Refusal('json_invalid');
    }
  }
  if (!/^[ \n\r\t]*\{/.test(text)) throw new Refusal('json_invalid');
  return new JsonReader(text).read();
}

/** As most parsers read JSON, of members that stand twice the last; undefined when it is none. */
function readLoosely(text) {
  try {
    return new JsonReader(text, { depth: 127, duplicates: true }).read();
  } catch {
    return undefined;
  }
}

/** JSON text without the white space between its parts; what it says stays as it was written, even if it says it twice. */
function compact(text) {
  return text.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|[ \n\r\t]+/g, (_, string) => string ?? '');
}

/** JSON text on many lines, every number and member as it was written. */
function pretty(text) {
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  return compact(text).replace(/"[^"\\]*(?:\\.[^"\\]*)*"|\{\}|\[\]|[{}[\],:]/g, (mark) => {
    if (mark === '{' || mark === '[') depth += 1;
    if (mark === '}' || mark === ']') depth -= 1;
    if (mark === ',' || mark === '{' || mark === '[') return mark + line();
    if (mark === '}' || mark === ']') return line() + mark;
    return mark === ':' ? ': ' : mark;
  });
}
