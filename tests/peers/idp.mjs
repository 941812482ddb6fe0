// idp - an OpenID provider (npm oidc-provider) on a loopback port, for tests: no browser, no pages.
// In: a folder with node_modules; people by PUT /test/people; who logs in, by login_hint.
// Out: "ready <issuer>" on stdout, then tokens by the code flow; it ends when its stdin does.
//
// POST /test/rotate gives all keys up for new ones: the published set has no old key any more.
// Clients are b2b-RS256, b2b-PS256, b2b-ES256 and b2b-EdDSA: an id_token is signed by that algorithm
// and has the client as its audience.  An access token (RFC 9068) is for urn:b2b:directory.
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// What oidc-provider takes from Node 22; Debian 12 has Node 18.
globalThis.crypto ??= webcrypto;
URL.parse ??= (url, base) => {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
};

const modules = createRequire(`${process.argv[2]}/`);
const { Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')));

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const RESOURCE = 'urn:b2b:directory';
const PERSONAL = ['sub', 'oid', 'tid', 'hd', 'groups', 'amr', 'acr', 'auth_time'];
const MFA = 'https://refeds.org/profile/mfa';
const people = new Map(); // name: claims, and how home asks for its proof (amr, acr, auth_time)
let generation = 0;
let provider;

function makeKey(alg) {
  const [kind, options] = {
    RS256: ['rsa', { modulusLength: 2048 }],
    PS256: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    EdDSA: ['ed25519', {}],
  }[alg];
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${generation}` };
}

function claimsOf(name) {
  const { amr, acr, auth_time: authTime, ...claims } = people.get(name) ?? {};
  return { email: `${name}@home.example`, email_verified: true, ...claims, sub: name };
}

function makeProvider() {
  generation += 1;
  const made = new Provider(issuer, {
    jwks: { keys: ALGORITHMS.map(makeKey) },
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    clients: ALGORITHMS.map((alg) => ({
      client_id: `b2b-${alg}`,
      client_secret: 'secret',
      redirect_uris: [`${issuer}/cb`],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      id_token_signed_response_alg: alg,
      token_endpoint_auth_method: 'client_secret_post',
    })),
    acrValues: ['1', MFA],
    claims: { openid: PERSONAL, email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // what a scope asks for stands in the id_token itself
    cookies: { keys: ['cookies'] },
    extraTokenClaims: (ctx, token) => token.accountId && claimsOf(token.accountId),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource, client) => ({
          scope: 'directory',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: client.idTokenSignedResponseAlg } },
        }),
        useGrantedResource: () => true,
      },
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => claimsOf(id) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc;
      const grant = new made.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email');
      grant.addResourceScope(RESOURCE, 'directory');
      await grant.save();
      return grant;
    },
    pkce: { required: () => false },
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  });
  return { made, serve: made.callback() };
}

async function logIn(request, response) {
  const { params } = await provider.made.interactionDetails(request, response);
  const { amr = ['pwd'], acr = '1', auth_time: ts } = people.get(params.login_hint) ?? {};
  const login = { accountId: params.login_hint, amr, acr, ...(ts && { ts }) };
  await provider.made.interactionFinished(request, response, { login });
}

async function readJson(request) {
  let text = '';
  for await (const part of request) text += part;
  return JSON.parse(text);
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, issuer);
  if (request.method === 'PUT' && pathname === '/test/people') {
    Object.entries(await readJson(request)).forEach(([name, person]) => people.set(name, person));
    response.end();
  } else if (request.method === 'POST' && pathname === '/test/rotate') {
    provider = makeProvider();
    response.end();
  } else if (pathname === '/cb') {
    response.end();
  } else if (pathname.startsWith('/interaction/')) {
    await logIn(request, response);
  } else {
    await provider.serve(request, response);
  }
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  });
});
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const issuer = `http://127.0.0.1:${server.address().port}`;
provider = makeProvider();
process.stdin.on('end', () => process.exit(0)).resume();
console.log(`ready ${issuer}`);
