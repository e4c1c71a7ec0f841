// Runs in a frame of its own, which may ask one address and knows nothing of the token.
const url = new URLSearchParams(location.search).get('url');
const tell = (message) => parent.postMessage(message, location.origin);
const MOST_BYTES = 1024 * 1024;
const PATIENCE_MILLISECONDS = 5000;

/** The body as text, read piece by piece: an endless one ends at its limit. */
async function read(answer) {
  if (!answer.body) return '';
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let count = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    count += value.length;
    if (count > MOST_BYTES) return null;
    text += decoder.decode(value, { stream: true });
  }
}

async function ask() {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), PATIENCE_MILLISECONDS);
  try {
    const answer = await fetch(url, { credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer', signal: stop.signal });
    if (!answer.ok) return { error: `The address answers ${answer.status}.` };
    const body = await read(answer);
    return body === null ? { error: 'The answer is larger than 1 MiB: this is no key set.' } : { body };
  } catch {
    return stop.signal.aborted
      ? { error: 'The address does not answer whole within 5 seconds.' }
      : { error: 'The address cannot be asked from a browser: it is down, sends elsewhere, or does not allow other sites (CORS). Paste the key set instead.' };
  } finally {
    // A body that is not wanted any more is not read on.
    stop.abort();
  }
}
tell({ isRunning: true });
ask().then(tell);
