// Runs one action of Nango, for `jackfield prove --nango -- FILE PROVIDER [CONNECTION]`; the last word is a file with its input.
// Nango's server sends an action's requests, and repeats them. Its rules are taken from @nangohq/shared, which Nango published up to
// 0.49.0; the rest of the object that an action gets is that of @nangohq/runner-sdk. Both are installed beside the action.
import { existsSync, readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const words = process.argv.slice(2);
const input = JSON.parse(readFileSync(words.pop(), "utf8"));
const [file, provider, connectionFile] = words;
const here = createRequire(join(process.cwd(), "index.js"));

function place(name) {
  const paths = [process.cwd()];
  try {
    paths.push(dirname(here.resolve("nango")));
  } catch {
    // it is looked for beside the action alone
  }
  return here.resolve(name, { paths });
}

const loaded = async (path) => import(pathToFileURL(path).href);

async function actionOf(path) {
  if (!existsSync(path)) throw new Error(`there is no file '${path}'`);
  const { build } = here(place("esbuild"));
  const built = await build({ entryPoints: [path], bundle: true, format: "cjs", platform: "node", external: ["nango"], write: false });
  const one = new Module(path);
  one.filename = path;
  one.paths = Module._nodeModulePaths(dirname(path));
  const own = one.require.bind(one);
  one.require = (name) => (name === "nango" ? { createAction: (given) => given } : own(name));
  one._compile(built.outputFiles[0].text, path);
  const found = one.exports.default;
  return typeof found === "function" ? found : found.exec;
}

const { NangoActionBase } = await loaded(place("@nangohq/runner-sdk"));
const { default: sender } = await loaded(join(dirname(place("@nangohq/shared")), "services", "proxy.service.js"));
const credentials = { type: "OAUTH2", access_token: "made-up", raw: {} };
const connection = {
  connection_id: "made-up", provider_config_key: provider, credentials, connection_config: {}, metadata: {},
  ...(connectionFile ? JSON.parse(readFileSync(connectionFile, "utf8")) : {}),
};

class Nango extends NangoActionBase {
  nango = {
    userAgent: "nango",
    getConnection: async () => connection,
    getToken: async () => connection.credentials.access_token,
    getIntegration: async () => ({ data: { unique_key: provider, provider } }),
    getEnvironmentVariables: async () => [],
    setMetadata: async (_provider, _connection, metadata) => (connection.metadata = metadata),
    updateMetadata: async (_provider, _connection, metadata) => Object.assign(connection.metadata, metadata),
  };

  async proxy(given) {
    const config = { ...this.getProxyConfig(given), connectionId: connection.connection_id };
    const { response } = await sender.route(config, { connection, providerName: provider, existingActivityLogId: "made-up" });
    if (response instanceof Error) throw response;
    return response;
  }

  log() {}
}

const run = await actionOf(resolve(file));
await run(new Nango({ connectionId: connection.connection_id, providerConfigKey: provider, provider, scriptType: "action", isCLI: true }), input);
process.exit(0);
