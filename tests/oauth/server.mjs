// A provider of OAuth 2.1 and OpenID Connect for tests: oidc-provider with its own pages to log in, whoever one says
// one is. `node server.mjs NODE_MODULES OPTIONS` prints its port; OPTIONS is JSON.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, given] = process.argv.slice(2);
const options = JSON.parse(given ?? '{}');
const require = createRequire(`${modules}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve(`${modules}/oidc-provider`)).href);

const server = createServer();
await new Promise((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'greenlight',
    client_secret: 'client-secret-0123456789',
    redirect_uris: options.redirects ?? ['http://127.0.0.1:1/unused'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  claims: { openid: ['sub'], email: ['email'] },
  scopes: ['openid', 'offline_access', 'email'],
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    userinfo: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: 'openid offline_access email', accessTokenFormat: 'opaque' }),
    },
  },
  issueRefreshToken: async () => options.refresh ?? true,
  rotateRefreshToken: () => true,
  ttl: {
    AccessToken: options.seconds ?? 3600,
    AuthorizationCode: 60, IdToken: 600, RefreshToken: 86400, Grant: 86400, Interaction: 600, Session: 86400,
  },
  cookies: { keys: ['a test'] },
  pkce: { required: () => true },
});
const counts = { refresh_token: 0, authorization_code: 0, revoked: 0, errors: [] };
provider.on('grant.success', (ctx) => { counts[ctx.oidc.params.grant_type] += 1; });
provider.on('grant.error', (ctx, error) => { counts.errors.push(error.error); });
provider.on('revocation.error', (ctx, error) => { counts.errors.push(error.error); });
provider.use(async (ctx, next) => {
  if (ctx.path === '/counts') { ctx.body = counts; return; }
  await next();
  if (ctx.path === '/token/revocation' && ctx.status === 200) counts.revoked += 1;
});
server.on('request', provider.callback());
console.log(server.address().port);
