const NAMES = ['SHA-256', 'SHA-384', 'SHA-512'];
let turn = 0;

async function digest(name, bytes, secret) {
  if (!secret) return crypto.subtle.digest(name, bytes);
  const key = await crypto.subtle.importKey('raw', utf8.encode(secret), { name: 'HMAC', hash: name }, false, ['sign']);
  return crypto.subtle.sign('HMAC', key, bytes);
}

/** Hexadecimal or base64 of any spelling, as hexadecimal: also a line of sha256sum, its BSD form, and groups between spaces or colons. */
function normal(text) {
  const typed = text.trim().replace(/^SHA[0-9-]+ ?\(.*\) = /i, '').replace(/^sha(256|384|512)[-:]/i, '');
  for (const candidate of [typed.replace(/^\\/, '').split(/\s+/)[0], typed.replace(/[\s:]/g, '')]) {
    if (/^[0-9a-f]+$/i.test(candidate) && [64, 96, 128].includes(candidate.length)) return candidate.toLowerCase();
    const bytes = base64url.decode(candidate.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''));
    if ([32, 48, 64].includes(bytes?.length)) return hex(bytes);
  }
  return null;
}

async function show() {
  const own = ++turn;
  if (!hasCrypto) return;
  const file = $('file').files[0];
  const bytes = file ? await file.arrayBuffer() : utf8.encode($('text').value);
  const secret = $('secret').value;
  const expected = normal($('expected').value);
  const rows = [];
  let same = false;
  for (const name of NAMES) {
    const value = hex(await digest(name, bytes, secret));
    const fits = expected !== null && expected === value;
    same ||= fits;
    const fact = el('dd', { className: 'mono', id: name.toLowerCase() }, value);
    if (fits) fact.append(' ', el('span', { className: 'stamp ok' }, 'The same'));
    rows.push(el('dt', {}, secret ? `HMAC ${name}` : name), fact);
  }
  if (own !== turn) return;
  $('digests').replaceChildren(...rows);
  if (!$('expected').value.trim()) stamp(null);
  else stamp(same ? 'The same' : expected ? 'Another' : 'No digest', same ? 'ok' : 'bad');
}
for (const id of ['text', 'secret', 'expected', 'file']) $(id).addEventListener('input', show);
show();
