// Prints which flow works with which client: ok when all of its tests passed, FAILED when one did not, – when there is none.
import fs from 'node:fs';

const CLIENTS = [
  'openid-client',
  'oauth4webapi',
  'oidc-client-ts',
  'Authlib',
  'requests-oauthlib',
  'openidconnect',
  'oauth2',
  'jose',
  'jsonwebtoken',
  'PyJWT',
];
const cells = new Map();
for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
  const [client, flow, outcome] = line.split('\t');
  const row = cells.get(flow) ?? {};
  row[client] = row[client] === 'FAILED' ? 'FAILED' : outcome;
  cells.set(flow, row);
}

const first = Math.max(0, ...[...cells.keys()].map((flow) => flow.length));
const line = (name, values) => [name.padEnd(first), ...values.map((value, i) => value.padEnd(CLIENTS[i].length))].join('  ').trimEnd();
console.log(`\n${line('', CLIENTS)}`);
for (const [flow, row] of cells) console.log(line(flow, CLIENTS.map((client) => row[client] ?? '–')));
