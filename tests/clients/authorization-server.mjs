// An OpenID provider on loopback for the tests: everybody is Ada, who approves at once. It prints its address and ends with its input.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

let groups = ['support']
const consents = {}
const known = new Set(['web', 'console', 'native'])
const configuration = {
  clients: [
    {
      client_id: 'web', client_secret: 'web-secret-of-the-test', grant_types: ['authorization_code', 'refresh_token', 'client_credentials',
        'urn:ietf:params:oauth:grant-type:device_code'], redirect_uris: ['https://jackfield.example/oauth2/callback'],
      response_types: ['code'], scope: 'openid offline_access mail.read mail.send', application_type: 'web',
    },
    {
      client_id: 'console', client_secret: 'secret-of-the-console', grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1:8080/login/callback'], response_types: ['code'], scope: 'openid profile groups offline_access',
      application_type: 'native', token_endpoint_auth_method: 'client_secret_basic',
      backchannel_logout_uri: 'http://127.0.0.1:8080/login/logout', backchannel_logout_session_required: true,
    },
    {
      client_id: 'native', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/oauth2/callback', 'http://localhost/oauth2/callback'], response_types: ['code'], scope: 'openid offline_access mail.read',
      application_type: 'native',
    },
  ],
  scopes: ['openid', 'offline_access', 'mail.read', 'mail.send', 'profile', 'groups', 'jackfield:read', 'jackfield:invoke'],
  claims: { openid: ['sub'], profile: ['name'], groups: ['groups'] },
  features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true }, revocation: { enabled: true },
    introspection: { enabled: true }, clientCredentials: { enabled: true }, userinfo: { enabled: true }, backchannelLogout: { enabled: true },
    registration: { enabled: true },
    // a resource that a client names gets tokens of its own: signed ones, for nothing else
    resourceIndicators: { enabled: true, useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({ audience: resource, scope: 'jackfield:read jackfield:invoke', accessTokenFormat: 'jwt', accessTokenTTL: 3600 }) } },
  extraTokenClaims: () => ({ workspace: 'default' }),
  // who has registered itself asks Ada each time
  loadExistingGrant: ({ oidc }) => {
    const granted = oidc.result?.consent?.grantId ?? (known.has(oidc.client.clientId) ? oidc.session.grantIdFor(oidc.client.clientId) : undefined)
    return granted && oidc.provider.Grant.find(granted)
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
  // that of an exchange is too short to be used: the first call refreshes it
  ttl: { AccessToken: (_context, token) => (token.gty?.includes('refresh_token') ? 3600 : 30), RefreshToken: 86400, AuthorizationCode: 60, DeviceCode: 600, Interaction: 600, Session: 600, Grant: 86400, IdToken: 600 },
  findAccount: async (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, name: 'Ada Lovelace', groups }) }),
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ['a-key-of-the-test'] },
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, configuration)
  const answer = provider.callback()
  const counts = {}
  server.on('request', async (request, response) => {
    const path = request.url.split('?')[0]
    counts[path] = (counts[path] ?? 0) + 1
    if (path === '/groups') { groups = request.url.split('?')[1]?.split(',') ?? []; response.end(); return }
    if (path === '/counts') { response.end(JSON.stringify(counts)); return }
    if (!path.startsWith('/interaction/')) { answer(request, response); return }
    try {
      const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
      if (prompt.name === 'login') {
        await provider.interactionFinished(request, response, { login: { accountId: 'ada' } }, { mergeWithLastSubmission: false })
        return
      }
      const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
      grant.addOIDCScope(params.scope ?? '')
      if (params.resource) {
        // at first she lets it look around only
        const asked = consents[params.client_id] = (consents[params.client_id] ?? 0) + 1
        grant.addResourceScope(params.resource, asked === 1 ? 'jackfield:read' : params.scope)
        if (asked === 1) grant.rejectResourceScope(params.resource, 'jackfield:invoke')
      }
      await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true })
    } catch (error) { response.statusCode = 500; response.end(String(error)) }
  })
  console.log(issuer)
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
