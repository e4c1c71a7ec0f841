const MEANING = {
  iss: 'issuer: who made it', sub: 'subject: whom it is about', aud: 'audience: for whom it is meant', exp: 'refused from then on',
  nbf: 'refused until then', iat: 'when it was made', jti: 'its own name', scope: 'what it may be used for', client_id: 'the app that asked for it',
  sid: 'the session behind it', fam: 'the refresh family behind it', roles: 'what the user is here', role: 'what the user is here', permissions: 'what the user may do here',
  azp: 'the app that it was made for', nonce: 'ties it to one login request', auth_time: 'when the user last proved who they are', acr: 'how strongly', amr: 'by which means',
  cnf: 'the key that its holder must prove', act: 'who acts for the subject', email: 'e-mail address', name: 'name',
};
const TIMES = ['exp', 'nbf', 'iat', 'auth_time', 'updated_at'];
/** More is not drawn: nobody reads it, and the page would stand still. */
const MOST_ROWS = 500;
const MOST_LETTERS = 20000;
/** Nothing that is larger is read: it is no token, and reading it would take longer than typing. */
const MOST_PASTED_LETTERS = 200000;
const SECONDS = () => Math.floor(Date.now() / 1000);
/** The token that is shown; null while there is none, or while the editors hold no JSON. */
let shown = null;

function line(claims, now) {
  const from = claims.iat ?? claims.nbf;
  if (!isTime(claims.exp) || !isTime(from) || claims.exp <= from) return null;
  const gone = Math.min(Math.max((now - from) / (claims.exp - from), 0), 1) * 200;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 200 9');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'life');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${Math.round(gone / 2)} percent of its life of ${span(claims.exp - from)} are over`);
  for (const [name, x, y, width, height] of [['all', 0, 2, 200, 5], ['gone', 0, 2, gone, 5], ['now', Math.min(gone, 199), 0, 1, 9]]) {
    const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [key, value] of Object.entries({ class: name, x, y, width, height })) rect.setAttribute(key, value);
    svg.append(rect);
  }
  return svg;
}

const cut = (text) => (text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}… (${text.length} characters)` : text);

function explain(claims, now) {
  const entries = Object.entries(claims);
  const rows = entries.slice(0, MOST_ROWS).flatMap(([name, value]) => {
    const when = TIMES.includes(name) && typeof value === 'number' ? moment(value, now) : null;
    const fact = el('dd', {}, cut(when ?? (typeof value === 'string' ? value : JSON.stringify(value))));
    if (when) fact.dataset.time = name;
    if (Object.hasOwn(MEANING, name)) fact.append(el('span', { className: 'explained' }, MEANING[name]));
    const life = name === 'exp' && line(claims, now);
    if (life) fact.append(life);
    return [el('dt', {}, cut(name)), fact];
  });
  if (entries.length > MOST_ROWS) rows.push(el('dt', {}, '…'), el('dd', {}, `The first ${MOST_ROWS} of ${entries.length} claims are shown.`));
  return rows;
}

const WORDS = { error: ['bad', 'Wrong: '], warning: ['wait', 'Careful: '], note: ['', 'Note: '] };

function showFindings(found) {
  const items = found.slice(0, MOST_ROWS).map(({ level, code, place, text }) => {
    const [className, word] = WORDS[level];
    const item = el('li', {}, el('span', { className }, word), `${cut(place)} ${text}.`);
    Object.assign(item.dataset, { code, place });
    return item;
  });
  if (found.length > MOST_ROWS) items.push(el('li', {}, `The first ${MOST_ROWS} of ${found.length} findings are shown.`));
  $('findings').replaceChildren(...(items.length ? items : [el('li', {}, 'Nothing. Whether it is genuine, only the signature tells.')]));
}

function showStamp({ isWhole, claims }, now) {
  if (!isWhole) return stamp('Damaged', 'bad');
  if (!isTime(claims?.exp)) return stamp('Decoded', 'off');
  if (secondsOf(claims, 'exp') <= now) return stamp('Expired', 'bad');
  return secondsOf(claims, 'nbf') > now ? stamp('Not yet valid', 'wait') : stamp('Not expired', 'ok');
}

function showRefreshToken({ family, generation, isWhole }) {
  stamp('Refresh token', 'off');
  const told = family && generation ? `generation ${generation} of the family ${family}` : 'cut off';
  const items = [`A Carnet refresh token: ${told}. It says nothing else; only the server can check it. Whoever holds it can act as its user: do not paste live ones anywhere.`];
  if (!isWhole) items.push('It is damaged or cut off: a whole one is carnet_rt.FAMILY.GENERATION.MAC.');
  $('findings').replaceChildren(...items.map((text) => el('li', {}, text)));
}

function fillEditors(header, claims) {
  $('header').value = header;
  $('claims').value = claims;
}

/** What an editor shows of a part: on many lines when it is whole, or what can be read. */
const editable = (text) => (readLoosely(text) === undefined ? cut(text) : pretty(text));

/** Everything that is said of the reading, but for its signature; again when time has changed it. */
async function showReading(reading, now) {
  reading.judgedAt = now;
  const found = reading.isReadable ? findingsOf(reading, now)
    : [finding('error', 'token_unreadable', 'token', 'is nothing that can be read as one: neither header nor payload is a JSON object'), ...reading.damage];
  showFindings(found);
  showStamp(reading, now);
  const guessed = await (reading.guessed ??= guessedFinding(reading));
  if (guessed && shown === reading) showFindings(sorted([...found, guessed]));
}

/** What no verifier would take apart is not taken apart here; the check below the key refuses it. */
function showTooLarge(length) {
  stamp('Too large', 'bad');
  showFindings([finding('error', 'token_too_large', 'token', `has ${length} characters: it is larger than any token, and nothing of it is read`)]);
}

/** Of what is too large no more than its size is known. */
function readPasted(pasted) {
  if (pasted.length > MOST_PASTED_LETTERS) return { token: pasted, isTooLarge: true };
  const token = strip(pasted);
  const refresh = readRefreshToken(token);
  return refresh || !token ? { refresh } : readToken(token);
}

function show(writeJson = true) {
  const pasted = $('token').value;
  // To break the lines of that much text is slow.
  $('token').wrap = pasted.length > MOST_PASTED_LETTERS ? 'off' : 'soft';
  const { refresh, ...reading } = readPasted(pasted);
  shown = reading.token ? reading : null;
  const isTooLarge = shown?.isTooLarge;
  $('findings-part').hidden = !shown && !refresh;
  $('parts').hidden = !shown || isTooLarge;
  $('explained-part').hidden = !shown?.claims;
  if (writeJson) fillEditors(editable(shown?.text?.header ?? ''), editable(shown?.text?.claims ?? ''));
  if (!shown) stamp(null);
  if (refresh) showRefreshToken(refresh);
  if (isTooLarge) showTooLarge(pasted.length);
  else if (shown) showParts(shown);
  follow();
  return check();
}

function showParts(reading) {
  const [header = '', claims = '', signature = ''] = reading.segments;
  const spans = [header, claims, signature].map((segment, at) => el('span', { className: 'hps'[at] }, cut(segment)));
  $('parts').replaceChildren(spans[0], '.', spans[1], '.', spans[2]);
  const now = SECONDS();
  $('explained').replaceChildren(...explain(reading.claims ?? {}, now));
  showReading(reading, now);
}

/** The timer to the next moment at which the page would say something else. */
let timer;
/** What a timer can wait at most (HTML §8.6): longer waits end at once. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

/**
 * The seconds from which on something else is found, stamped or refused. Around them the distance doubles from point to point, so that
 * what happened "30 seconds ago" has not been said for hours, and nobody is told the same every second.
 */
function turningPoints(claims) {
  const [exp, nbf, iat] = ['exp', 'nbf', 'iat'].map((name) => secondsOf(claims, name) ?? NaN);
  const distances = Array.from({ length: 20 }, (_, turn) => LEEWAY_SECONDS * 2 ** turn);
  return [exp, nbf, iat - 60, exp - YEAR, ...distances.flatMap((far) => [exp + far, nbf - far, iat - far])].filter(Number.isFinite);
}

/** A hundredth of the token's life later, while a line is drawn of it that is not full. */
function nextStep({ exp, iat, nbf }, now) {
  const isGrowing = document.querySelector('svg.life') && now < exp;
  return isGrowing ? now + Math.max(Math.ceil((exp - (iat ?? nbf)) / 100), 1) : Infinity;
}

/** Sets the one timer to the next moment that changes something. */
function follow() {
  clearTimeout(timer);
  if (!shown?.claims) return;
  const { claims, judgedAt } = shown;
  const next = Math.min(...turningPoints(claims).filter((point) => point > judgedAt), nextStep(claims, SECONDS()));
  if (next < Infinity) timer = setTimeout(passTime, Math.min(next * 1000 - Date.now(), MOST_MILLISECONDS));
}

/** Words and line of the times change where they stand: whoever marks text to copy it is not disturbed. The rest is judged anew when it must be. */
function passTime() {
  if (!shown?.claims) return;
  const { claims, judgedAt } = shown;
  const now = SECONDS();
  for (const fact of document.querySelectorAll('#explained [data-time]')) fact.firstChild.data = moment(claims[fact.dataset.time], now);
  const life = document.querySelector('svg.life');
  life?.replaceWith(line(claims, now));
  const points = turningPoints(claims);
  const passed = (at) => points.filter((point) => point <= at).length;
  if (passed(now) !== passed(judgedAt)) {
    showReading(shown, now);
    check();
  }
  follow();
}

let asked = 0;

/** What is said under the key; without a text, nothing is. Whatever is still being checked has nothing to say any more. */
function say(outcome, text = '', code = '') {
  asked += 1;
  const place = $('verdict');
  place.hidden = !text;
  place.className = `notice ${{ valid: 'ok', untold: 'wait', late: 'wait', refused: 'danger' }[outcome] ?? ''}`;
  Object.assign(place.dataset, { outcome: outcome ?? '', code });
  place.replaceChildren(text, ...(code ? [' ', el('code', {}, code)] : []));
}

/** The words for a refusal; a good signature is not silent about what is wrong behind it. */
function sayRefusal(error) {
  if (error instanceof NotCheckable) return say('untold', error.message);
  if (!(error instanceof Refusal)) return say('refused', `This cannot be checked: ${error.message}`);
  const isLate = ['token_expired', 'token_not_yet_valid'].includes(error.code);
  const first = error.isSigned ? 'The signature verifies, but ' : 'Refused. ';
  const text = error.isSigned ? error.message.replace(/^The /, 'the ') : error.message;
  return say(isLate ? 'late' : 'refused', first + text, error.code);
}

function sayValid({ algorithm, inFuture }, { isPrivate }) {
  const future = inFuture ? ' iat lies in the future: a clock is wrong.' : '';
  const careful = isPrivate ? ' The key is a private one: checking needs only its public half.' : '';
  say('valid', `Valid. The signature verifies (${algorithm.name}), and the times are right. Issuer, audience and type are yours to check.${future}${careful}`);
}

/** As the library does it: the keys first, then the token. */
async function check() {
  say();
  const turn = asked;
  const key = $('key').value;
  if (!key.trim() || !shown) return;
  if (!hasCrypto) return say('untold', NO_CRYPTO);
  const { token, header } = shown;
  try {
    const keys = await readKeys(key, header?.alg);
    const verified = await verifyToken(token, keys, SECONDS());
    if (turn === asked) sayValid(verified, keys);
  } catch (error) {
    if (turn === asked) sayRefusal(error);
  }
}

/** Header and claims as edited become a token; with a shared secret it is signed anew, otherwise the old signature stays and fails. */
async function rebuild() {
  say();
  const turn = asked;
  const texts = [$('header').value, $('claims').value];
  const [header, claims] = texts.map(readLoosely);
  if (!isObject(header) || !isObject(claims)) {
    // The token above is not what the editors hold: nothing is said of it until they hold a token again.
    shown = null;
    for (const id of ['parts', 'findings-part', 'explained-part']) $(id).hidden = true;
    stamp('No JSON yet', 'wait');
    return;
  }
  const signed = texts.map((text) => base64url.encode(utf8.encode(compact(text)))).join('.');
  let signature = strip($('token').value).split('.')[2] ?? '';
  if (algorithmOf(header.alg)?.type === 'oct' && $('key').value.trim() && hasCrypto) {
    try {
      const key = (await readKeys($('key').value, header.alg)).find(header.kid, algorithmOf(header.alg));
      signature = base64url.encode(await crypto.subtle.sign('HMAC', key.imported, utf8.encode(signed)));
    } catch {
      // Said below the key.
    }
  }
  if (turn !== asked) return;
  $('token').value = `${signed}.${signature}`;
  show(false);
}

if (isSaved) $('fetch-form').replaceChildren(el('p', { className: 'hint muted small' }, 'A saved page cannot fetch key sets: paste them.'));
else {
  $('fetch-form').addEventListener('submit', (event) => {
    event.preventDefault();
    say('untold', 'Asking for the key set…');
    requestKeySet($('jwks-url').value.trim(), ({ body, error }) => {
      if (error) return say('refused', error);
      $('key').value = body;
      return check();
    });
  });
}
$('token').addEventListener('input', () => show());
$('key').addEventListener('input', () => {
  // A set that comes late does not take the place of what was typed.
  forgetFrame();
  check();
});
for (const id of ['header', 'claims']) $(id).addEventListener('input', rebuild);
// Timers stand still while a machine sleeps: whoever comes back must not read what was true before.
document.addEventListener('visibilitychange', passTime);
show();
