// Runs one action of an Activepieces piece, as its engine does, for `jackfield prove --activepieces -- PACKAGE ACTION`.
// The last word is a file with {"auth": …, "propsValue": {…}}. The exit code says whether the action threw.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [name, action, file] = process.argv.slice(2);
const given = JSON.parse(readFileSync(file, "utf8"));
const piece = Object.values(createRequire(join(process.cwd(), "index.js"))(name)).find((one) => typeof one?.actions === "function");
const found = piece?.actions()[action];
if (!found) {
  const names = Object.keys(piece?.actions() ?? {}).join(", ") || "none";
  console.error(`${name} has no action '${action}'. It has: ${names}.`);
  process.exit(2);
}
const kept = new Map();
const store = {
  get: async (key) => kept.get(key) ?? null,
  put: async (key, value) => kept.set(key, value) && value,
  delete: async (key) => void kept.delete(key),
};
const unknown = "made-up";
await found.run({
  auth: given.auth,
  propsValue: given.propsValue ?? {},
  executionType: "BEGIN",
  store,
  files: { write: async () => "file://made-up" },
  connections: { get: async () => given.auth },
  tags: { add: async () => {} },
  server: { apiUrl: process.env.HTTPS_PROXY, publicUrl: process.env.HTTPS_PROXY, token: unknown },
  project: { id: unknown, externalId: async () => undefined },
  flows: { current: { id: unknown, version: { id: unknown } } },
  step: { name: action },
  run: { id: unknown, stop() {}, pause() {}, respond() {}, createWaitpoint: async () => ({}), waitForWaitpoint() {} },
  generateResumeUrl: () => process.env.HTTPS_PROXY,
});
