// A certified OpenID provider for one test session: node provider.mjs CONFIG.json
//
// The configuration has `port`, `jwks` (private keys), `redirect_uri` of the pages' log-in, and
// `groups` of every account. Whoever logs in as NAME, with any password, is NAME.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
// It is installed in a folder of its own, far from this file.
const entry = pathToFileURL(`${config.modules}/oidc-provider/lib/index.js`);
const { Provider } = await import(entry);
const issuer = `http://127.0.0.1:${config.port}`;

const provider = new Provider(issuer, {
  jwks: config.jwks,
  cookies: { keys: ['of one test session'] },
  clients: [
    {
      client_id: 'panda-client',
      token_endpoint_auth_method: 'none', // it sends no secret to the device endpoint
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      response_types: [],
      redirect_uris: [],
    },
    {
      client_id: 'panda-web',
      client_secret: 'web-secret',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      redirect_uris: [config.redirect_uri],
    },
  ],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username', 'groups'],
  },
  conformIdTokenClaims: false, // PanDA's client reads the name from the ID token
  pkce: { required: (_ctx, client) => client.clientId === 'panda-web' },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id} example`,
      preferred_username: id,
      groups: config.groups,
    }),
  }),
});

// PanDA's client sends a blank behind its scopes, which issuers in the field let pass.
provider.use(async (ctx, next) => {
  if (ctx.method === 'POST' && ctx.path === '/device/auth') {
    let text = '';
    for await (const piece of ctx.req) text += piece;
    const said = Object.fromEntries(new URLSearchParams(text));
    ctx.req.body = { ...said, ...(said.scope && { scope: said.scope.trim() }) };
  }
  await next();
});

provider.listen(config.port, '127.0.0.1', () => console.log('ready'));
