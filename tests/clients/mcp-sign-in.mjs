// A client of MCP made with the TypeScript SDK, which knows nothing but a URL. It signs in, and prints what it did.
// With the grant 'refresh_token' it comes back with a token that no longer holds; without, it runs a tool for which it needs a wider scope.
// Usage: node mcp-sign-in.mjs URL TOOL ARGUMENTS GRANTS
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const [url, tool, given, ...grants] = process.argv.slice(2)
const redirectUrl = 'http://127.0.0.1:3030/callback'
const kept = {}
const asked = []
const cookies = {}

// A browser in which Ada approves: it follows redirects until they lead back to this client.
async function approve(address) {
  let at = address
  for (let hop = 0; hop < 12 && !String(at).startsWith(redirectUrl); hop += 1) {
    const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(at, { redirect: 'manual', headers: { cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s)
      cookies[name] = value
    }
    if (!answer.headers.has('location')) throw new Error(`${at}: ${answer.status} ${await answer.text()}`)
    at = new URL(answer.headers.get('location'), at)
  }
  return new URL(at).searchParams.get('code')
}

const provider = {
  get redirectUrl() { return redirectUrl },
  get clientMetadata() { return { client_name: 'A client', redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none', application_type: 'native', grant_types: grants } },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => { kept.verifier = verifier },
  redirectToAuthorization: (address) => { kept.page = address; asked.push(address.searchParams.get('scope')) },
}

// Connect and do something; sign in whenever the server asks for it.
async function signedIn(act) {
  for (let times = 0; times < 4; times += 1) {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
    const client = new Client({ name: 'a-client', version: '1.0.0' })
    try {
      await client.connect(transport)
      const found = await act(client)
      await client.close()
      return found
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error
      await transport.finishAuth(await approve(kept.page))
    }
  }
  throw new Error(`asked to sign in again and again: ${asked}`)
}

const looked = await signedIn((client) => client.listTools())
const first = { asked: [...asked], granted: kept.tokens.scope, tools: looked.tools.length }
let then
if (grants.includes('refresh_token')) {
  kept.tokens = { ...kept.tokens, access_token: 'is-no-longer-valid' }
  then = { tools: (await signedIn((client) => client.listTools())).tools.length }
} else {
  const called = await signedIn((client) => client.callTool({ name: tool, arguments: JSON.parse(given) }))
  then = { failed: Boolean(called.isError), granted: kept.tokens.scope }
}
console.log(JSON.stringify({ first, then: { asked: asked.length, ...then } }))
