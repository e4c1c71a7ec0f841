// node-oidc-provider as it is measured: node server.js PORT FOLDER-OF-THE-KEYS. The parties are those of bench/load/src/oauth.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import Provider from 'oidc-provider';
import { Memory } from './memory.js';

const [port, folder] = process.argv.slice(2);
const key = (algorithm) => ({ ...JSON.parse(readFileSync(path.join(folder, `${algorithm}.jwk`), 'utf8')), alg: algorithm, use: 'sig' });
const secret = 'a-secret-of-more-than-32-characters-for-all';
const confidential = { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' };
const signing = { 'https://api.example.com': 'ES256', 'https://legacy.example.com': 'RS256' };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: Memory,
  jwks: { keys: [key('ES256'), key('RS256')] },
  cookies: { keys: ['signs the cookies, as is advised'] },
  clients: [
    {
      ...confidential,
      client_id: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://web.example.com/cb'],
      response_types: ['code'],
      scope: 'openid profile email read:orders',
      id_token_signed_response_alg: 'ES256',
    },
    {
      ...confidential, client_id: 'service', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'read:orders',
    },
    {
      ...confidential, client_id: 'api', grant_types: [], redirect_uris: [], response_types: [],
    },
  ],
  scopes: ['openid', 'profile', 'email', 'read:orders'],
  claims: { openid: ['sub'], profile: ['name', 'updated_at'], email: ['email', 'email_verified'] },
  findAccount: async (_ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: 'Alice', updated_at: 1, email: 'alice@example.com', email_verified: true }),
  }),
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: () => true,
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (_ctx, audience) => ({
        audience,
        scope: 'read:orders',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 900,
        jwt: { sign: { alg: signing[audience] } },
      }),
    },
  },
  ttl: {
    AccessToken: 900, AuthorizationCode: 60, ClientCredentials: 900, Grant: 2_592_000, IdToken: 900, Interaction: 3_600, RefreshToken: 604_800, Session: 2_592_000,
  },
});

const server = provider.listen(Number(port), '127.0.0.1');
// While the last of many browsers logs in, the connections of the first must not go.
server.keepAliveTimeout = 120_000;
