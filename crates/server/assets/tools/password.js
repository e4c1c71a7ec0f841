const KINDS = { lower: 'abcdefghijklmnopqrstuvwxyz', upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', digits: '0123456789', symbols: '!#$%&()*+,-./:;<=>?@[]^_{|}~' };

/** A number below the limit, each as likely as the other: draws that would make the lower ones likelier are thrown away. */
function below(limit) {
  const fair = Math.floor(2 ** 32 / limit) * limit;
  for (;;) {
    const [drawn] = crypto.getRandomValues(new Uint32Array(1));
    if (drawn < fair) return drawn % limit;
  }
}

const worth = (bits) =>
  bits < 40 ? 'Weak: a stolen hash gives it away within hours.'
    : bits < 70 ? 'Fair: good enough behind a login that counts attempts, not for a key.'
      : bits < 128 ? 'Strong: out of reach of guessing.'
        : 'As strong as a key: no computer will ever guess it.';

function number(id) {
  const field = $(id);
  const value = Math.round(Number(field.value));
  return Math.min(Math.max(Number.isFinite(value) ? value : 0, Number(field.min)), Number(field.max));
}

function make() {
  let alphabet = Object.entries(KINDS).filter(([name]) => $(name).checked).map(([, letters]) => letters).join('');
  if ($('clear').checked) alphabet = alphabet.replace(/[0Oo1lI|]/g, '');
  const length = number('length');
  if (alphabet.length < 2) {
    $('passwords').textContent = '';
    $('worth').textContent = 'Choose at least one kind of characters.';
    return;
  }
  const one = () => Array.from({ length }, () => alphabet[below(alphabet.length)]).join('');
  $('passwords').textContent = Array.from({ length: number('count') }, one).join('\n');
  const bits = length * Math.log2(alphabet.length);
  $('worth').textContent = `${length} characters out of ${alphabet.length}: ${Math.floor(bits)} bits. ${worth(bits)}`;
}
for (const id of ['length', 'count', 'clear', ...Object.keys(KINDS)]) $(id).addEventListener('input', make);
// Random numbers are there all the same.
if (!hasCrypto) $('no-crypto').textContent = CHANGEABLE;
$('again').addEventListener('click', make);
make();
