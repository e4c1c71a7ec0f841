'use strict';
const $ = (id) => document.getElementById(id);
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** An element with properties and children; text is never read as markup. */
function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) key in made ? (made[key] = value) : made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A text of letters below 256, one byte each. */
const bytesOf = (binary) => Uint8Array.from(binary, (letter) => letter.charCodeAt(0));

const base64url = {
  encode(bytes) {
    let binary = '';
    for (const byte of new Uint8Array(bytes)) binary += String.fromCharCode(byte);
    return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  },
  /** RFC 4648 §5 without padding, one spelling for each value; otherwise null. */
  decode(text) {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
    const bytes = bytesOf(atob(text.replaceAll('-', '+').replaceAll('_', '/')));
    return base64url.encode(bytes) === text ? bytes : null;
  },
};

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

function writePem(label, der) {
  let binary = '';
  for (const byte of new Uint8Array(der)) binary += String.fromCharCode(byte);
  return `-----BEGIN ${label}-----\n${btoa(binary).replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
}

const HASHES = { 256: 'SHA-256', 384: 'SHA-384', 512: 'SHA-512' };
const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** What WebCrypto calls a JWS algorithm (RFC 7518 §3.1, RFC 9864); null when it does not know it. */
function cryptoName(alg) {
  const hash = HASHES[alg.slice(2)];
  if (/^HS(256|384|512)$/.test(alg)) return { name: 'HMAC', hash };
  if (/^RS(256|384|512)$/.test(alg)) return { name: 'RSASSA-PKCS1-v1_5', hash };
  if (/^PS(256|384|512)$/.test(alg)) return { name: 'RSA-PSS', hash, saltLength: Number(alg.slice(2)) / 8 };
  if (Object.hasOwn(CURVES, alg)) return { name: 'ECDSA', namedCurve: CURVES[alg], hash };
  if (alg === 'EdDSA' || alg === 'Ed25519') return { name: 'Ed25519' };
  return null;
}

/** RFC 7638: SHA-256 over the required members in alphabetical order. */
async function thumbprint(jwk) {
  const names = { EC: ['crv', 'kty', 'x', 'y'], RSA: ['e', 'kty', 'n'], OKP: ['crv', 'kty', 'x'], oct: ['k', 'kty'], AKP: ['alg', 'kty', 'pub'] }[jwk.kty];
  if (!names || names.some((name) => typeof jwk[name] !== 'string')) return null;
  const members = Object.fromEntries(names.map((name) => [name, jwk[name]]));
  return base64url.encode(await crypto.subtle.digest('SHA-256', utf8.encode(JSON.stringify(members))));
}

const UNITS = [[31557600, 'year'], [2629800, 'month'], [86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']];

function span(seconds) {
  const [size, name] = UNITS.find(([size]) => Math.abs(seconds) >= size) ?? [1, 'second'];
  const count = Math.floor(Math.abs(seconds) / size);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

function moment(seconds, now) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return 'no time that a calendar has';
  const exact = `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const away = seconds - now;
  return `${exact} · ${Math.abs(away) < 1 ? 'now' : away < 0 ? `${span(away)} ago` : `in ${span(away)}`}`;
}

function stamp(text, kind) {
  const place = $('stamp');
  place.hidden = !text;
  place.className = `stamp ${kind ?? 'off'}`;
  place.textContent = text ?? '';
}

/** Plain HTTP gives a page no cryptography, unless it is of this machine. */
const hasCrypto = Boolean(globalThis.crypto?.subtle);
const NO_CRYPTO = 'This browser gives the page no cryptography (WebCrypto), so nothing can be computed here. Open it by https or on localhost, or save it and open the file.';
const CHANGEABLE = 'Whoever sits between here and the server could have changed this page: it did not come by https.';
if (!hasCrypto) {
  $('no-crypto').hidden = false;
  $('no-crypto').textContent = `${NO_CRYPTO} ${CHANGEABLE}`;
}

/** A saved page has no server behind it: what needs one says so, or goes. */
const isSaved = location.protocol === 'file:';
if (isSaved) {
  const where = el('p', { className: 'muted small' }, 'A saved page: the other tools are where it came from.');
  document.querySelector('nav').replaceChildren(el('span', { className: 'brand' }, 'Carnet tools'), where);
}

/** A button that copies what an element shows. */
for (const button of document.querySelectorAll('button[data-copy]')) {
  button.addEventListener('click', async () => {
    const from = $(button.dataset.copy);
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(from.value ?? from.textContent);
      button.textContent = 'Copied';
    } catch {
      // Not by https, or not allowed: marked, so that the keyboard can.
      getSelection().selectAllChildren(from);
      button.textContent = 'Press Ctrl-C';
    }
    setTimeout(() => (button.textContent = label), 1500);
  });
}
