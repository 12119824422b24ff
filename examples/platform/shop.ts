import { createServer } from "node:http";

const jackfield = process.env.URL ?? "http://127.0.0.1:8700", shop = "http://127.0.0.1:9000";
const platform = process.env.PLATFORM ?? "";
const workspace = "/v1/workspaces/shop-4712", user = "user-18"; // of the customer who is signed in with you

async function call(method: string, path: string, body: unknown, token: string): Promise<any> {
  const headers = { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" };
  const answer = await fetch(jackfield + path, { method, headers, body: JSON.stringify(body) });
  const found = await answer.json(), problem = found.error ?? found; // of a Result, or of a refused request
  if (!answer.ok) throw new Error(`${problem.code}: ${problem.message ?? problem.detail} ${problem.hint ?? ""}`);
  return found;
}

async function connect(): Promise<string> {
  await call("PUT", workspace, { theme: { name: "The Shop" } }, platform);
  const wanted = { user, types: ["github/accessToken"], connection: "code", returnTo: `${shop}/connected` };
  return (await call("POST", `${workspace}/connect-sessions`, wanted, platform)).url;
}

async function connected(session: string, proof: string): Promise<string> {
  const done = await call("POST", `${workspace}/connect-sessions/${encodeURIComponent(session)}:confirm`, { proof, user }, platform);
  const { token } = await call("POST", `${workspace}/tokens`, { scope: "invoke", name: "web shop", expiresIn: 3600 }, platform);
  const invocation = { connector: "github", action: "getCurrentUser", connection: done.connection, inputs: {} };
  return (await call("POST", "/v1/invocations", invocation, token)).output.login;
}

createServer(async (request, response) => {
  const asked = new URL(request.url ?? "/", shop);
  try {
    if (asked.pathname === "/connect") response.writeHead(303, { Location: await connect() }).end();
    else if (asked.searchParams.has("proof"))
      response.end(`Connected as ${await connected(asked.searchParams.get("session") ?? "", asked.searchParams.get("proof") ?? "")}.`);
    else response.end("Nothing was connected."); // cancelled, or expired: the session has the reason
  } catch (error) {
    response.writeHead(502).end(String(error));
  }
}).listen(9000, "127.0.0.1");
