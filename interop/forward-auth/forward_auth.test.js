// What a proxy lets through when Carnet decides, for every proxy that docs/forward-auth.md configures.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { APP, PROXIES, WORKLOAD, ask, hits, session, start, stop, stopCarnet, svid, token } from './support.js';

const bearer = (claims) => `Authorization: Bearer ${token(claims)}`;
const page = ['Accept: text/html,*/*;q=0.8', 'Sec-Fetch-Mode: navigate'];

/** Refused, and the service has not heard of it. */
function refused(answer, statuses, what = '') {
  assert.ok(statuses.includes(answer.status), `${answer.status} instead of ${statuses} ${what}`);
  assert.deepEqual(answer.seen, [], what);
}
const ANY = [400, 401, 403, 404, 405];

/** Nobody but user_1 is named to the service, and that once. */
function honest(answer, user, what) {
  const told = answer.told('X-User-ID').filter((value) => value !== '');
  assert.deepEqual(told, answer.seen.length > 0 && user ? [user] : [], what);
}

const CASES = {
  'a token opens, and the service is told who asks': async (proxy) => {
    const answer = await ask(proxy, '/orders/7?a=b%2Fc&d', [bearer()]);
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.seen[0].method, answer.seen[0].url], ['GET', '/orders/7?a=b%2Fc&d']);
    assert.deepEqual(answer.told('X-User-ID'), ['user_1']);
    assert.deepEqual(answer.told('X-User-Roles'), ['editor,reviewer']);
    assert.deepEqual(answer.told('Authorization').filter(Boolean), []);
  },
  'no token: 401 with a challenge': async (proxy) => {
    const answer = await ask(proxy, '/orders');
    refused(answer, [401]);
    const challenges = answer.answered('WWW-Authenticate');
    assert.match(challenges, /^Bearer/);
    for (const scheme of ['Bearer ', 'DPoP ']) assert.equal(challenges.split(scheme).length, 2, challenges);
  },
  'a wrong scope: 403 with a challenge': async (proxy) => {
    const answer = await ask(proxy, '/orders', [bearer({ scope: 'read:users' })]);
    refused(answer, [403]);
    assert.match(answer.answered('WWW-Authenticate'), /error="insufficient_scope"/);
  },
  'expired, of another issuer, for another API, damaged: 401': async (proxy) => {
    const past = Math.floor(Date.now() / 1000) - 60;
    for (const claims of [{ exp: past }, { iss: 'https://evil.test' }, { aud: 'https://other.test' }]) {
      refused(await ask(proxy, '/orders', [bearer(claims)]), [401], JSON.stringify(claims));
    }
    refused(await ask(proxy, '/orders', [`${bearer().slice(0, -8)}AAAAAAAA`]), [401]);
  },
  'two tokens open nothing': async (proxy) => {
    refused(await ask(proxy, '/orders', [bearer(), bearer()]), ANY);
    refused(await ask(proxy, `/orders?access_token=${token()}`), ANY);
  },
  'X-User-ID of a client is not believed': async (proxy) => {
    for (const name of ['X-User-ID', 'x-user-id', 'X-USER-ID']) {
      const spoofed = [`${name}: admin`, `${name}: root`, 'X-User-Roles: admin'];
      const known = await ask(proxy, '/orders', [bearer({ roles: [] }), ...spoofed]);
      assert.equal(known.status, 200);
      honest(known, 'user_1', name);
      const open = await ask(proxy, '/open', spoofed);
      assert.equal(open.status, 200);
      honest(open, undefined, name);
      for (const answer of [known, open]) assert.deepEqual(answer.told('X-User-Roles').filter(Boolean), []);
    }
  },
  'nor is any name that a service takes for it': async (proxy) => {
    for (const name of ['X_User_ID', 'X.User.ID', 'X-User_ID', 'x_user-id', 'X~User~ID', 'X!User`ID']) {
      honest(await ask(proxy, '/orders', [bearer(), `${name}: admin`]), 'user_1', name);
      honest(await ask(proxy, '/open', [`${name}: admin`]), undefined, name);
    }
  },
  'nor which service calls: Carnet says it': async (proxy) => {
    const caller = `Authorization: Bearer ${svid()}`;
    const known = await ask(proxy, '/inner', [caller]);
    assert.deepEqual([known.status, known.told('X-Calling-Service')], [200, [WORKLOAD]]);
    for (const [target, headers] of [['/open', []], ['/orders', [bearer()]], ['/inner', [caller]]]) {
      const answer = await ask(proxy, target, headers);
      const silent = target === '/inner' ? ['X-Identity-Assertion'] : ['X-Calling-Service', 'X-Identity-Assertion'];
      for (const name of silent) assert.deepEqual(answer.told(name).filter(Boolean), [], `${target} ${name}`);
      for (const name of ['X-Calling-Service', 'X-Identity-Assertion', 'X_Calling_Service']) {
        const answer = await ask(proxy, target, [...headers, `${name}: forged`]);
        assert.ok([200, ...ANY].includes(answer.status), `${answer.status} ${target} ${name}`);
        assert.deepEqual(answer.told(name).filter((value) => value.includes('forged')), [], `${target} ${name}`);
      }
    }
  },
  'nor what a client says of its certificate, or of the frame of the message': async (proxy) => {
    for (const name of [
      'Client-Cert', 'X-Forwarded-Client-Cert', 'X-Forwarded-Tls-Client-Cert', 'SSL-Client-Verify', 'SSL_Client_Verify', 'X-SSL-Client-CN', 'X-Client-DN', 'X-ARR-ClientCert',
      'X-Amzn-Mtls-Clientcert', 'Content_Length', 'Transfer_Encoding', 'Content_Type', 'Content.Length',
    ]) {
      for (const target of ['/orders', '/open']) {
        const answer = await ask(proxy, target, [bearer(), `${name}: forged`]);
        assert.deepEqual(answer.told(name).filter((value) => value.includes('forged')), [], `${name} ${target}`);
      }
    }
  },
  'nor what it says of where it comes from': async (proxy) => {
    for (const name of [
      'Forwarded', 'Forwarded-For', 'X-Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Scheme',
      'X-Forwarded-SSL', 'X-Forwarded-Server', 'X-Real-IP', 'Client-IP', 'X-Client-IP', 'X-Cluster-Client-IP', 'True-Client-IP', 'X-Originating-IP', 'X-ProxyUser-IP',
      'CF-Connecting-IP', 'CF-IPCountry', 'CF-Visitor', 'Fastly-Client-IP', 'CloudFront-Viewer-Address', 'X-Azure-ClientIP', 'X-Vercel-Forwarded-For', 'Fly-Client-IP',
      'DO-Connecting-IP', 'Incap-Client-IP', 'Ali-CDN-Real-IP', 'CDN-Src-IP', 'Front-End-HTTPS', 'X-Scheme', 'X-URL-Scheme', 'X-Proto', 'X-Host', 'CF_Connecting_IP',
      'X-Forwarded-Uri', 'X-Forwarded-Method', 'X-Forwarded-Path', 'X-Forwarded-Host-Override',
      // Envoy says these itself.
      ...(proxy.startsWith('envoy') ? [] : ['X-Envoy-Internal', 'X-Envoy-Original-Host', 'X-Envoy-External-Address']),
    ]) {
      for (const target of ['/orders', '/open']) {
        const answer = await ask(proxy, target, [bearer(), `${name}: 192.0.2.66`, `${name}: forged`]);
        const said = answer.told(name).filter((value) => /192\.0\.2\.66|forged/.test(value));
        assert.deepEqual(said, [], `${name} ${target}`);
      }
    }
    const plain = await ask(proxy, '/open');
    assert.equal(plain.status, 200);
    assert.deepEqual(plain.told('X-Forwarded-For'), ['127.0.0.1']);
  },
  'a service gets no cookie that is not its own': async (proxy) => {
    const both = await ask(proxy, '/open', ['Cookie: own=secret; a=2']);
    assert.deepEqual([both.status, both.told('Cookie')], [200, ['a=2']]);
    const lines = await ask(proxy, '/open', ['Cookie: a=1', 'Cookie: own=secret; b=2', 'Cookie: c=3']);
    if (lines.seen.length > 0) assert.doesNotMatch(lines.told('Cookie').join(), /own|secret/);
    else refused(lines, ANY);
    const one = await ask(proxy, '/orders', [bearer(), 'Cookie: own=secret']);
    assert.deepEqual([one.status, one.told('Cookie').filter(Boolean)], [200, []]);
  },
  'a WebSocket opens for pages that may, where a route lets it through': async (proxy) => {
    const begun = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];
    for (const origin of ['https://evil.test', 'null']) {
      refused(await ask(proxy, '/live', [...begun, 'Upgrade: websocket', `Origin: ${origin}`], { connection: 'close, upgrade' }), [403], origin);
      refused(await ask(proxy, '/live', [...begun, `Origin: ${origin}`]), [403], origin);
    }
    refused(await ask(proxy, '/open', begun), [403, 501]);
    assert.equal((await ask(proxy, '/live', [...begun, 'Origin: http://api.test'])).status, 200);
    assert.equal((await ask(proxy, '/live', ['Origin: https://evil.test'])).status, 200, 'no handshake');
    const joined = await ask(proxy, '/live', [...begun, 'Upgrade: WebSocket', 'Origin: http://api.test'], { connection: 'upgrade' });
    assert.deepEqual([joined.status, joined.told('Upgrade').map((name) => name.toLowerCase())], [101, ['websocket']]);
    refused(await ask(proxy, '/open', [...begun, 'Upgrade: websocket', 'Origin: http://api.test'], { connection: 'close, upgrade' }), [403, 501]);
  },
  'and no other protocol, wherever it is asked for': async (proxy) => {
    const offered = [
      ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'], ['Upgrade: h2c'], ['Upgrade: H2C'], ['Upgrade: foo'], ['Upgrade: TLS/1.0'], ['Upgrade: h2c, websocket'], ['Upgrade: websocket, h2c'],
      ['Upgrade: websocket', 'Upgrade: h2c'], ['Upgrade: h2c', 'Upgrade: websocket'], ['Upgrade: websocket/13'], ['HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'],
    ];
    for (const headers of offered) {
      for (const target of ['/open', '/live']) {
        for (const connection of ['close, Upgrade, HTTP2-Settings', 'close, upgrade']) {
          const answer = await ask(proxy, target, headers, { connection });
          // Of two, some proxies know the first alone, and it alone reaches the service.
          const first = target === '/live' && headers.length === 2 && headers[0] === 'Upgrade: websocket';
          assert.ok([200, ...ANY, 501].includes(answer.status) || (first && answer.status === 101), `${answer.status} ${headers} ${target}`);
          const told = answer.told('Upgrade').filter((name) => !first || name !== 'websocket');
          assert.deepEqual([told, answer.told('HTTP2-Settings')], [[], []], `${headers} ${target}`);
        }
      }
    }
  },
  'a session opens windows and calls, and its cookie stays here': async (proxy) => {
    const cookie = `Cookie: ${session(proxy)}; a=1`;
    const site = (name, more = []) => [...page, 'Sec-Fetch-Dest: document', `Sec-Fetch-Site: ${name}`, ...more];
    const script = ['X-CSRF: 1', 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Mode: cors'];
    const at = (headers, more = {}) => ask(proxy, '/app/1', headers, { host: APP, ...more });
    for (const headers of [site('same-origin', [cookie]), site('none', [cookie]), [...script, cookie]]) {
      const answer = await at(headers);
      assert.equal(answer.status, 200, `${headers}`);
      honest(answer, 'user_1', 'session');
      assert.match(answer.told('Authorization').join(), /^Bearer eyJ/);
      assert.deepEqual(answer.told('Cookie').filter(Boolean), []);
    }
    for (const headers of [site('same-origin'), site('cross-site', [cookie]), site('same-site', [cookie])]) {
      const answer = await at(headers);
      refused(answer, [302]);
      assert.match(answer.answered('Location'), /^\/bff\/login\?returnUrl=%2Fapp%2F1$/);
    }
    refused(await at(['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors', cookie]), [403]);
    refused(await at(site('same-origin', [cookie]), { method: 'POST', body: 'a=b' }), [403]);
    refused(await at(script), [401]);
    refused(await ask(proxy, '/app/1', [...script, cookie], { host: 'api.test' }), ANY);
    const open = await ask(proxy, '/open', [cookie], { host: 'api.test' });
    assert.deepEqual(open.told('Cookie'), ['a=1']);
    if (proxy === 'nginx') assert.equal((await ask(proxy, '/bff/user', [...script, cookie], { host: APP })).status, 200);
  },
  'Connection takes nothing away that the service is told': async (proxy) => {
    for (const listed of ['close, X-User-ID', 'close, x-user-roles, Authorization']) {
      const answer = await ask(proxy, '/orders', [bearer()], { connection: listed });
      if (answer.seen.length > 0) honest(answer, 'user_1', listed);
      else refused(answer, ANY, listed);
    }
  },
  'no spelling of a path opens another': async (proxy) => {
    for (const target of [
      '/open/../orders', '/open/%2e%2e/orders', '/open/.%2E/orders', '/open/..%2forders', '/open%2f..%2forders', '/open/..%5corders',
      '/open\\..\\orders', '/open/..;/orders', '/orders;/open', '/orders;x', '//orders', '/%6frders', '/./orders',
      '/orders%00', '/orders?/open', '/orders?x=/../open', '/orders#/open', '/orders%23/open', '/orders/../orders', '/Orders', '/',
      'http://evil.test/orders', 'http://api.test/open/../orders', '*',
    ]) {
      refused(await ask(proxy, target), ANY, target);
    }
    // What seems to be open must not be something else for the service.
    for (const target of ['/orders/../open', '/orders/%2e%2e/open', '/open#/../orders', '/open/#/../../orders', '/open//../orders']) {
      const answer = await ask(proxy, target);
      for (const hit of answer.seen) assert.match(hit.url, /^\/open(\/(orders)?)?$/, target);
    }
  },
  'the method that counts is the one that was sent': async (proxy) => {
    const reader = bearer();
    const writer = bearer({ scope: 'write:orders' });
    refused(await ask(proxy, '/orders', [reader], { method: 'POST', body: '{}' }), [403]);
    refused(await ask(proxy, '/orders', [reader], { method: 'DELETE' }), [403]);
    refused(await ask(proxy, '/orders', [writer]), [403]);
    const answer = await ask(proxy, '/orders', [writer], { method: 'POST', body: '{"a":1}' });
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.seen[0].method, answer.seen[0].body], ['POST', '{"a":1}']);
    for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X_HTTP_Method_Override']) {
      const overridden = await ask(proxy, '/orders', [reader, `${name}: DELETE`]);
      assert.deepEqual(overridden.told(name), [], name);
    }
  },
  'however many lines a request has, the next one is answered': async (proxy) => {
    for (let count = 70; count <= 103; count++) {
      const values = (name) => Array.from({ length: count }, (_, at) => `${name(at)}: ${at}`);
      for (const headers of [values((at) => `X-Line-${at}`), values(() => 'X-Line'), values(() => 'Accept')]) {
        const { status } = await ask(proxy, '/open', headers);
        // Some make a fault of a question that has become too long: what is refused is refused.
        assert.ok([200, 400, 431, ...(proxy === 'haproxy' ? [] : [403, 500, 503])].includes(status), `${status} ${count}`);
      }
      assert.equal((await ask(proxy, '/open')).status, 200, `after ${count}`);
    }
  },
  'no header decides what is asked about': async (proxy) => {
    const forged = [
      'X-Original-URL: http://api.test/open', 'X-Original-Method: OPTIONS', 'X-Forwarded-Uri: /open', 'X-Forwarded-Method: GET',
      'X-Forwarded-Host: open.test', 'X-Forwarded-Proto: https', 'X-Rewrite-URL: /open', 'X-Envoy-Original-Path: /open',
      'User-Agent: kube-probe/1.30',
    ];
    refused(await ask(proxy, '/orders', forged), ANY);
    for (const header of forged) refused(await ask(proxy, '/orders', [header]), ANY, header);
    for (const header of forged) refused(await ask(proxy, '/orders', [header, bearer({ scope: '' })]), ANY, header);
    for (const name of ['X-Original-URL', 'X-Rewrite-URL']) {
      assert.deepEqual((await ask(proxy, '/open', [`${name}: /orders`])).told(name).filter(Boolean), [], name);
    }
  },
  'a host in capitals has the same rules': async (proxy) => {
    for (const host of ['admin.test', 'ADMIN.test', 'Admin.Test', 'admin.test:80']) {
      refused(await ask(proxy, '/open', [], { host }), [401], host);
    }
  },
  'what is no host opens nothing': async (proxy) => {
    for (const host of [
      'a/open?', 'api.test:80/open?', 'admin.test/open', 'api.test/open#', 'api.test?/open', 'api.test\\open', 'x:y@api.test/open?', 'api.test,open/open',
      'api.test open', '/open?', '[::1]/open?',
    ]) {
      refused(await ask(proxy, '/orders', [], { host }), ANY, host);
    }
  },
  'a browser that opens a page is sent to the login': async (proxy) => {
    const answer = await ask(proxy, '/pages/1?a=b', page);
    refused(answer, [302]);
    assert.match(answer.answered('Location'), /^\/login\?to=%2Fpages%2F1%3Fa%3Db$/);
  },
  'a script, a form and a bad token are not': async (proxy) => {
    refused(await ask(proxy, '/pages/1', ['Accept: application/json']), [401]);
    refused(await ask(proxy, '/pages/1', ['Accept: text/html', 'Sec-Fetch-Mode: cors']), [401]);
    refused(await ask(proxy, '/pages/1', ['Accept: text/html', 'X-Requested-With: XMLHttpRequest']), [401]);
    refused(await ask(proxy, '/pages/1', page, { method: 'POST', body: 'a=b' }), [401]);
    refused(await ask(proxy, '/pages/1', [...page, bearer({ exp: 1 })]), [401]);
    refused(await ask(proxy, '/orders', page), [401]);
  },
};
const DOWN = 'without Carnet nothing opens';

const cells = {};
const cell = (name, proxy, body) =>
  test(`${proxy}: ${name}`, { timeout: 60_000 }, async () => {
    (cells[name] ??= {})[proxy] = 'FAILED';
    await body();
    cells[name][proxy] = 'ok';
  });

before(start, { timeout: 60_000 });
for (const proxy of PROXIES) for (const [name, body] of Object.entries(CASES)) cell(name, proxy, () => body(proxy));
test('Carnet ends', stopCarnet);
for (const proxy of PROXIES) {
  cell(DOWN, proxy, async () => {
    for (const [target, headers] of [['/orders', [bearer()]], ['/open', []], ['/orders', []]]) {
      const answer = await ask(proxy, target, headers);
      assert.ok(answer.status >= 400, `${answer.status}`);
      assert.deepEqual(answer.seen, []);
    }
  });
}

after(async () => {
  await stop();
  const first = Math.max(...[...Object.keys(cells), DOWN].map((name) => name.length));
  const line = (name, values) => [name.padEnd(first), ...values.map((value, at) => value.padEnd(PROXIES[at].length))].join('  ').trimEnd();
  console.log(`\n${line('', PROXIES)}`);
  for (const [name, row] of Object.entries(cells)) console.log(line(name, PROXIES.map((proxy) => row[proxy] ?? '–')));
  console.log(`\n${hits.length} requests reached the service.`);
});
