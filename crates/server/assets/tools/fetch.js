// Runs in a frame of its own, which may ask one address and knows nothing of the token.
const url = new URLSearchParams(location.search).get('url');
const tell = (message) => parent.postMessage(message, location.origin);
(async () => {
  try {
    const answer = await fetch(url, { credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' });
    const body = await answer.text();
    if (!answer.ok) tell({ error: `The address answers ${answer.status}.` });
    else if (body.length > 1048576) tell({ error: 'The answer is larger than 1 MiB: this is no key set.' });
    else tell({ body });
  } catch {
    tell({ error: 'The address cannot be asked from a browser: it is down, or does not allow other sites (CORS). Paste the key set instead.' });
  }
})();
