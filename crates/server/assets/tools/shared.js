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

const base64url = {
  encode(bytes) {
    let binary = '';
    for (const byte of new Uint8Array(bytes)) binary += String.fromCharCode(byte);
    return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  },
  /** RFC 4648 §5 without padding, one spelling for each value; otherwise null. */
  decode(text) {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
    return base64url.encode(bytes) === text ? bytes : null;
  },
};

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** PEM to its label and bytes; otherwise null. */
function readPem(text) {
  const found = text.match(/-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/);
  if (!found) return null;
  try {
    return { label: found[1], der: Uint8Array.from(atob(found[2].replace(/\s/g, '')), (letter) => letter.charCodeAt(0)) };
  } catch {
    return null;
  }
}

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
  if (CURVES[alg]) return { name: 'ECDSA', namedCurve: CURVES[alg], hash };
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

/** A button that copies what an element shows. */
for (const button of document.querySelectorAll('button[data-copy]')) {
  button.addEventListener('click', async () => {
    const from = $(button.dataset.copy);
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    const label = button.textContent;
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = label), 1500);
  });
}
