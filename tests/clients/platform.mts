// A platform's everyday calls through types that openapi-typescript made: what came of a call, and why not, are unions.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

declare const process: { env: Record<string, string | undefined> };

type Schemas = components["schemas"];
const { JACKFIELD_ORIGIN: baseUrl = "", JACKFIELD_TOKEN = "" } = process.env;

function as(token: string) {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

function good<Data>(answer: { data?: Data; error?: unknown }): Data {
  if (answer.error !== undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data as Data;
}

// What a call came to, or the problem of a request that was none: told apart by the status, which is a word or a number.
function told(error: Schemas["Result"] | Schemas["Problem"]): string {
  switch (error.status) {
    case "succeeded": case "failed": case "in_doubt": case "waiting":
      return error.error === undefined ? error.status : next(error.error);
    default:
      return `${error.status} ${error.code}`;
  }
}

// Each code of a Result: a new one does not compile.
function next(error: NonNullable<Schemas["Result"]["error"]>): string {
  switch (error.code) {
    case "invalid_input":
      return (error.details ?? []).map((one) => one.path).join(" ");
    case "in_doubt":
      return "look first";
    case "rate_limited": case "quota_exceeded": case "unavailable": case "timeout":
      return `again after ${error.retryAfterSeconds ?? 1} s`;
    case "approval_required": case "cancelled": case "conflict": case "forbidden": case "idempotency_conflict": case "internal":
    case "invalid_connection": case "invalid_invocation": case "invalid_output": case "not_allowed": case "not_found": case "rejected":
    case "unauthenticated": case "unknown_action": case "unknown_connection": case "unknown_connector":
      return error.message;
    default: {
      const none: never = error.code;
      return none;
    }
  }
}

const api = as(JACKFIELD_TOKEN);
const made = good(await api.POST("/v1/connections", { body: { name: "shop", type: "echo/token", values: { token: "t-4711" } } }));
const named = { path: { name: made.name } };
const tag = (await api.GET("/v1/connections/{name}", { params: named })).response.headers.get("ETag") ?? "";
const change = (match: string) =>
  api.PUT("/v1/connections/{name}", { params: { ...named, header: { "If-Match": match } }, body: { values: { token: "t-4712" } } });
const stale = await change('"99"');
const replaced = good(await change(`W/${tag}`));

const call = { connector: "echo", action: "say", connection: made.name } as const;
const say = (inputs: Schemas["echo.say"], key: string) => api.POST("/v1/invocations", { body: { ...call, inputs, idempotencyKey: key } });
const done = await say({ text: "hello" }, "order-1");
const bad = await api.POST("/v1/invocations", { body: { ...call, inputs: {} } });
const stranger = await as("jf_wrong").POST("/v1/invocations", { body: call });
const queued = good(
  await api.POST("/v1/invocations", {
    params: { header: { Prefer: "respond-async" } },
    body: { ...call, inputs: { text: "later" } satisfies Schemas["echo.say"], idempotencyKey: "order-2" },
  }),
);
const id: string = "invocationId" in queued ? queued.invocationId : queued.meta.invocationId;
const entry = good(await api.GET("/v1/invocations/{id}", { params: { path: { id } } }));

const invocations: string[] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const page: Schemas["EntryList"] = good(await api.GET("/v1/invocations", { params: { query: { limit: 1, ...(cursor ? { cursor } : {}) } } }));
  invocations.push(...page.items.map((one) => one.invocationId));
  cursor = page.nextCursor;
}
const filter = { connector: "echo" } satisfies Schemas["NewCallback"]["filter"];
const callback = await api.POST("/v1/callbacks", { body: { url: "https://shop.example/hook", filter } });
good(await api.DELETE("/v1/connections/{name}", { params: named }));
const gone = await api.GET("/v1/connections/{name}", { params: named });

console.log(
  JSON.stringify({
    stale: stale.error?.status,
    replaced: replaced.version,
    done: done.error === undefined && "output" in done.data ? done.data.output?.["text"] : null,
    bad: bad.error && told(bad.error),
    stranger: stranger.error && told(stranger.error),
    entry: entry.invocationId === id && invocations.includes(id),
    filter: callback.error === undefined ? callback.data.filter?.["connector"] : callback.error.detail,
    gone: gone.error?.code,
  }),
);
