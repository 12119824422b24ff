// Lets Node.js call hosts with TLS through the provider that HTTPS_PROXY names; loaded by NODE_OPTIONS.
// fetch, and http clients without an agent for proxies, read no such variable: their connections with TLS go to the provider directly,
// which finds the host in the handshake. A connection that somebody has made through the proxy already is left as it is.
"use strict";
const tls = require("node:tls");
const { syncBuiltinESMExports } = require("node:module");

const proxy = process.env.HTTPS_PROXY && new URL(process.env.HTTPS_PROXY);
const own = new Set(["127.0.0.1", "::1", "localhost"]);
const connect = tls.connect;

function options(args) {
  const found = args.find((one) => one !== null && typeof one === "object") ?? {};
  const [port, host] = args;
  const named = typeof port === "number" ? { port, ...(typeof host === "string" ? { host } : {}) } : {};
  return { ...found, ...named };
}

function connected(...args) {
  const asked = options(args);
  const host = asked.host ?? asked.servername;
  if (asked.socket || asked.path || !host || own.has(host)) return connect.apply(tls, args);
  const listener = args.find((one) => typeof one === "function");
  const there = { host: proxy.hostname, port: Number(proxy.port), servername: asked.servername || host };
  return connect.call(tls, { ...asked, ...there, lookup: undefined }, listener);
}

if (proxy) {
  tls.connect = connected;
  syncBuiltinESMExports();
}
