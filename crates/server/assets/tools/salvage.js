// A token taken apart, with everything in it that can be read, whole or not; and what is damaged.

/** Something that a colleague would point at. Levels: error, warning, note. */
const finding = (level, code, place, text) => ({ level, code, place, text });

/** Decodes what is base64url, and reads past what is not: a character that is none counts as zeros. */
function decodeDamaged(segment, place, found) {
  const whole = base64url.decode(segment);
  if (whole) return whole;
  const damaged = (text) => found.push(finding('error', 'base64_invalid', place, text));
  const body = segment.replace(/=+$/, '');
  if (body.length < segment.length) damaged('ends in = signs: base64url in a token has no padding (RFC 7515 §2); strict verifiers refuse it');
  const letters = [...body];
  const foreign = letters.flatMap((letter, at) => (/[A-Za-z0-9+/_-]/.test(letter) ? [] : [at]));
  if (/[+/]/.test(body)) damaged('has + or /: that is plain base64; tokens use - and _ (RFC 4648 §5); strict verifiers refuse it');
  if (foreign.length) {
    const more = foreign.length > 1 ? `, and ${foreign.length - 1} more` : '';
    damaged(`character ${foreign[0] + 1} is ${JSON.stringify(letters[foreign[0]])}${more}: base64url does not have it; what stood there is lost`);
  }
  const bytes = bytesOf(atobLoosely(letters));
  if (letters.length % 4 === 1) damaged(`has ${letters.length} characters, a length that base64url cannot have: it was cut, or never encoded`);
  else if (hasSpareBits(letters)) damaged('ends in bits that must be zero: the last character was changed or the end is missing');
  return bytes;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const sextet = (letter) => Math.max(ALPHABET.indexOf({ '-': '+', _: '/' }[letter] ?? letter), 0);

function atobLoosely(letters) {
  const standard = letters.map((letter) => ALPHABET[sextet(letter)]).join('');
  return atob(standard.length % 4 === 1 ? standard.slice(0, -1) : standard);
}

const hasSpareBits = (letters) => (sextet(letters.at(-1) ?? 'A') & { 2: 15, 3: 3 }[letters.length % 4]) !== 0;

/** A text that nothing can be made of is not tried at each of its commas. */
const MOST_TRIES = 200;
/** What is longer is no token. */
const MOST_SALVAGED_LETTERS = 65536;

/** JSON that is cut off or damaged: as many of its members as can be read, and whether those are all that was there. */
function salvageObject(bytes) {
  let text;
  try {
    text = strictUtf8.decode(bytes);
    const whole = readLoosely(text);
    if (isObject(whole)) return { members: whole, isWhole: true, text };
  } catch {
    // Told by whoever asks.
  }
  text ??= new TextDecoder().decode(bytes);
  // Control characters cannot stand in JSON: here they are what damage left behind.
  const visible = text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
  const tries = endingsOf(visible).slice(visible.length > MOST_SALVAGED_LETTERS ? -MOST_TRIES / 10 : -MOST_TRIES).reverse();
  for (const [end, closing] of tries) {
    const members = readLoosely(visible.slice(0, end) + closing);
    if (isObject(members)) return { members: Object.keys(members).length ? members : null, isWhole: false, text };
  }
  return { members: null, isWhole: false, text };
}

/** The places where the text could end, and what closes everything that is open there. */
function endingsOf(text) {
  const endings = [];
  const open = [];
  const closing = () => [...open].reverse().join('');
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const mark = text[at];
    if (isInString && mark === '\\') at += 1;
    else if (mark === '"') {
      isInString = !isInString;
      if (!isInString) endings.push([at + 1, closing()]);
    } else if (!isInString) {
      if (mark === '{' || mark === '[') open.push(mark === '{' ? '}' : ']');
      if (mark === ',') endings.push([at, closing()]);
      if ((mark === '}' || mark === ']') && open.at(-1) === mark) {
        open.pop();
        endings.push([at + 1, closing()]);
      }
    }
    if (open.length > 200) break;
  }
  if (!isInString) endings.push([text.length, closing()]);
  else {
    // A value that was cut in the middle is shown with an ellipsis; half an escape is left out.
    const escape = text.lastIndexOf('\\');
    endings.push([escape >= 0 && text.length - escape < 6 ? escape : text.length, `…"${closing()}`]);
  }
  return endings;
}

/** The members behind a break, when the end of the object is whole: whatever follows a comma and a name, and reads as the rest of it. */
function readTail(bytes) {
  const text = new TextDecoder().decode(bytes);
  for (const { index } of [...text.matchAll(/,"/g)].slice(0, MOST_TRIES)) {
    const members = readLoosely(`{${text.slice(index + 1)}`);
    if (isObject(members)) return members;
  }
  return null;
}

/** With the members behind the break: a character that is lost moves everything that follows, so every shift is tried. */
function readBeyond(segment, members) {
  if (segment.length > MOST_SALVAGED_LETTERS) return members;
  const tails = [0, 1, 2, 3].map((shift) => readTail(decodeDamaged(segment.slice(shift), '', []))).filter(Boolean);
  const count = (tail) => Object.keys(tail).length;
  const longest = tails.reduce((best, tail) => (best && count(best) > count(tail) ? best : tail), null);
  return longest ? Object.assign(Object.create(null), longest, members) : members;
}

/** Header or claims: what can be read, and whether that is all. */
function readPart(segment, place, found) {
  const before = found.length;
  const bytes = decodeDamaged(segment, place, found);
  const { members: first, isWhole, text } = salvageObject(bytes);
  const members = isWhole ? first : readBeyond(segment, first);
  if (!isWhole) {
    const count = members ? Object.keys(members).length : 0;
    const told = members ? `is cut off or damaged: ${count} of its members can be read` : segment ? 'holds no JSON object that can be read' : 'is missing';
    found.push(finding('error', 'json_invalid', place, told));
  } else {
    try {
      readObject(bytes);
    } catch (error) {
      found.push(finding('error', error.code, place, `${error.message} Of members that stand twice the last is shown.`));
    }
  }
  return { members, text, isWhole: isWhole && found.length === before };
}

const SHAPES = {
  1: 'is one part of a token, without dots: a signed token has three (RFC 7515 §7.1)',
  2: 'has two parts: the signature is missing, the token was cut off',
};

/** Takes a token apart; null when nothing in it can be read. */
function readToken(token) {
  const segments = token.split('.');
  const isEncrypted = segments.length === 5;
  const damage = [];
  if (segments.length !== 3 && !isEncrypted) {
    const text = SHAPES[segments.length] ?? `has ${segments.length} parts: a signed token has three, an encrypted one five; the first three are shown`;
    damage.push(finding('error', 'token_malformed', 'token', text));
  }
  const nothing = { members: null, text: '', isWhole: true };
  let header = readPart(segments[0], 'header', damage);
  let claims = isEncrypted || segments.length < 2 ? nothing : readPart(segments[1], 'claims', damage);
  if (segments.length === 1 && header.members && !has(header.members, 'alg')) {
    [header, claims] = [claims, header];
    for (const one of damage) if (one.place === 'header') one.place = 'claims';
  }
  const text = { header: header.text, claims: claims.text };
  const signature = isEncrypted || segments.length < 3 ? new Uint8Array() : decodeDamaged(segments[2], 'signature', damage);
  const isReadable = Boolean(header.members ?? claims.members);
  return {
    token, segments, isEncrypted, isReadable, damage, signature, text,
    header: header.members, claims: claims.members,
    isWhole: isReadable && header.isWhole && claims.isWhole && segments.length > 1,
  };
}
