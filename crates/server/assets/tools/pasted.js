// A token as people paste it: with Bearer, cookie names, quotes, JSON and line breaks around it (RFC 6750 §2.1, RFC 6265 §4.2.1).

const QUOTES = ['"', "'", '`', '“', '‘'];
const FRONTS = ['authorization:', 'dpop:', 'set-cookie:', 'cookie:', 'bearer ', 'bearer\n', 'dpop '];
/** Byte order marks, escapes, marks of direction, and what stands for bytes that are no text. */
const INVISIBLE = /[\p{Cc}\ufeff\ufffd\u200b-\u200f\u202a-\u202e\u2060\u00ad]/u;
/** Nobody wraps a token more often than this. */
const MOST_WRAPPERS = 32;

/** The token alone. */
function strip(pasted) {
  let rest = pasted.trim();
  for (let turn = 0; turn < MOST_WRAPPERS; turn += 1) {
    const inner = stripOnce(rest);
    if (inner === null) break;
    rest = inner;
  }
  return rest.replace(/[^\S\ufeff]/g, '');
}

/** Without the invisible at both ends. No pattern: one walks a long run in the middle from each of its letters. */
function withoutInvisible(text) {
  let [from, to] = [0, text.length];
  while (from < to && INVISIBLE.test(text[from])) from += 1;
  while (from < to && INVISIBLE.test(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

/** Without what is outermost; null when nothing is around it. */
function stripOnce(text) {
  const seen = withoutInvisible(text);
  if (seen.length < text.length) return seen.trim();
  if (QUOTES.includes(text[0])) return unquoted(text);
  const inside = text.startsWith('{') ? tokenInJson(readLoosely(text)) : undefined;
  if (inside !== undefined) return inside;
  const lower = text.slice(0, 20).toLowerCase();
  const front = FRONTS.find((prefix) => lower.startsWith(prefix));
  if (front) return text.slice(front.length).trim();
  if (/["'`”’,;\\]$/.test(text)) return text.slice(0, -1).trim();
  return tokenInCookies(text);
}

function unquoted(text) {
  const inner = text.slice(1);
  return (inner.endsWith(text[0]) ? inner.slice(0, -1) : inner).replace(/["'`”’]+$/, '').trim();
}

const beginsAsToken = (text) => text.startsWith('eyJ') || text.startsWith('carnet_rt.');

/** Whether this `=` is padding behind a header, and what stands in front of it no name. */
const isPadded = (name, value) => beginsAsToken(name.trim()) || /^=*\./.test(value);

/** The longest value of `name=value; other=value` that has dots; one that begins as tokens do goes first. */
function tokenInCookies(text) {
  const weight = (value) => [beginsAsToken(value), value.includes('.'), value.length].map(Number);
  const values = text.split(/[;&\n]/).flatMap((pair) => {
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    return at < 0 || !value.trim() || name.includes('.') || isPadded(name, value) ? [] : [value.trim()];
  });
  const heavier = (one, other) => weight(one).reduce((found, part, at) => found || part - weight(other)[at], 0);
  return values.sort(heavier).at(-1) ?? null;
}

const TOKEN_NAMES = ['access_token', 'id_token', 'token', 'jwt', 'refresh_token'];

/** The first member of a token response, at any depth and by its name, that begins as tokens do. */
function tokenInJson(value) {
  if (typeof value === 'string') return beginsAsToken(value) ? value : undefined;
  if (value === null || typeof value !== 'object') return undefined;
  const members = Array.isArray(value) ? value : [...TOKEN_NAMES, ...Object.keys(value).sort()].map((name) => value[name]);
  for (const one of members) {
    const found = tokenInJson(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Carnet's own refresh tokens, whole or cut: `carnet_rt.FAMILY.GENERATION.MAC`, no JWT; otherwise null. */
function readRefreshToken(token) {
  const [kind, family, generation, mac, ...more] = token.split('.');
  if (kind !== 'carnet_rt') return null;
  const isNumber = /^(0|[1-9][0-9]{0,18})$/.test(generation ?? '');
  const isWhole = Boolean(family) && isNumber && base64url.decode(mac ?? '')?.length === 32 && more.length === 0;
  return { family: family || null, generation: isNumber ? generation : null, isWhole };
}
