// Calls of a live server through the types that openapi-typescript made: origin and token come from the environment, JSON goes to stdout.
import type { components, paths } from "./api";

type Schemas = components["schemas"];
type Good<Path extends keyof paths, Method extends keyof paths[Path], Status> = paths[Path][Method] extends {
  responses: Record<Status & PropertyKey, { content: { "application/json": infer Body } }>;
}
  ? Body
  : never;

declare const process: { env: Record<string, string | undefined>; stdout: { write(text: string): void } };

const origin = process.env.JACKFIELD_ORIGIN ?? "";
const headers = { Authorization: `Bearer ${process.env.JACKFIELD_TOKEN ?? ""}`, "Content-Type": "application/json" };

async function call<Body>(method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await fetch(origin + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) {
    const problem = (await answer.json()) as Schemas["Problem"];
    throw new Error(`${method} ${path}: ${problem.status} ${problem.detail}`);
  }
  return answer.status === 204 ? (undefined as Body) : ((await answer.json()) as Body);
}

async function main(): Promise<void> {
  const draft: Schemas["NewConnection"] = { name: "attic", type: "echo/token", values: { token: "t-4711" } };
  const created = await call<Good<"/v1/connections", "post", 201>>("POST", "/v1/connections", draft);
  const wanted: Schemas["Invocation"] = {
    connector: "echo",
    action: "say",
    connection: created.name,
    inputs: { text: "hello" } satisfies Schemas["echo.say"],
  };
  const result = await call<Good<"/v1/invocations", "post", 200>>("POST", "/v1/invocations", wanted);
  const said: unknown = result.output?.["text"];
  const query: NonNullable<paths["/v1/invocations"]["get"]["parameters"]["query"]> = { status: "succeeded", limit: 5 };
  const found = await call<Good<"/v1/invocations", "get", 200>>("GET", `/v1/invocations?status=${query.status}&limit=${query.limit}`);
  const ids: string[] = found.items.map((entry) => entry.invocationId);
  await call<void>("DELETE", `/v1/connections/${created.name}`);
  const audit = await call<Good<"/v1/audit", "get", 200>>("GET", "/v1/audit?object=connection:attic");
  const events: string[] = audit.items.map((item) => item.event);
  process.stdout.write(JSON.stringify({ version: created.version, status: result.status, said, found: ids.includes(result.meta.invocationId), events }));
}

main().catch((error: unknown) => {
  throw error;
});
