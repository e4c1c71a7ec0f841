// Asks for a key set, by a frame that may ask one address and never sees the token.

/** Longer than the frame itself waits: it says more. */
const PATIENCE_MILLISECONDS = 7000;
/** A frame that was let run says so before it is loaded; one that the server refused never does. */
const GRACE_MILLISECONDS = 500;
let askedFrame = null;

/** What is wrong with an address, before anything is asked; null when nothing is. */
function whyNotAskable(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return 'This is no address: it begins with https://.';
  }
  const isLocal = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.[0-9.]+$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) return 'Give an https address: http is for this machine alone, and nothing else is asked.';
  if (url.username || url.password) return 'The address holds a name or a password: leave it out. Key sets are public.';
  if (!/^[a-z0-9.-]+$|^\[[0-9a-f:.]+\]$/.test(url.hostname)) return 'The host of the address has characters that no host has.';
  return null;
}

/** Ends what was asked before, whether it came or not. */
function forgetFrame() {
  clearTimeout(askedFrame?.timer);
  askedFrame?.element.remove();
  askedFrame = null;
}

/** Fetches the key set; `answer` is called once, with its text or with what went wrong. */
function requestKeySet(text, answer) {
  forgetFrame();
  const why = whyNotAskable(text);
  if (why) {
    answer({ error: why });
    return;
  }
  const element = el('iframe', { id: 'frame', title: 'Fetches the key set', hidden: true, src: `/tools/fetch?url=${encodeURIComponent(text)}` });
  const own = { element, answer, isRunning: false };
  const giveUp = (error) => {
    if (askedFrame !== own) return;
    forgetFrame();
    answer({ error });
  };
  own.timer = setTimeout(() => giveUp('Nothing came within 7 seconds. Paste the key set instead.'), PATIENCE_MILLISECONDS);
  element.addEventListener('load', () =>
    setTimeout(() => own.isRunning || giveUp('This server does not let a page ask that address. Paste the key set instead.'), GRACE_MILLISECONDS));
  askedFrame = own;
  document.body.append(element);
}

addEventListener('message', (event) => {
  if (!askedFrame || event.origin !== location.origin || event.source !== askedFrame.element.contentWindow) return;
  const { isRunning, body, error } = event.data;
  if (isRunning) askedFrame.isRunning = true;
  if (typeof body !== 'string' && typeof error !== 'string') return;
  const { answer } = askedFrame;
  forgetFrame();
  answer(typeof error === 'string' ? { error } : whyNoKeySet(body));
});

/** The text of a key set; or that it is none. */
function whyNoKeySet(body) {
  const value = readLoosely(body);
  if (value === undefined) return { error: 'The address answers, but not with JSON: look for jwks_uri in the metadata of the issuer.' };
  return isObject(value) && Array.isArray(value.keys) ? { body } : { error: 'The address answers with JSON that is no key set: it has no list of keys. Look for jwks_uri in the metadata of the issuer.' };
}
