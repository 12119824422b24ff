"""``jackfield prove`` on Node.js: hosts with TLS without a setting for a proxy, and actions of
Nango and Activepieces.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main

_FAST = (
    "--silence",
    "1s",
    "--json",
    "--only",
    "refused",
    "--only",
    "taken-reset",
    "--only",
    "taken-500",
)
_BODY = "method: 'POST', body: JSON.stringify({sku: 'lamp'})"
_FETCH = """
const order = async () => {
  const answer = await fetch('https://api.example.com/orders', {METHOD});
  if (!answer.ok) throw new Error(`status ${answer.status}`);
};
""".replace("METHOD", _BODY)
_HTTPS = """
const https = require('https');
const order = () => new Promise((done, failed) => https.request('https://api.example.com:8443/orders', {method: 'POST'}, (answer) => {
  answer.resume().on('end', () => answer.statusCode < 300 ? done() : failed(new Error('status')));
}).on('error', failed).end('{}'));
"""
_ONCE = "order().catch((error) => { console.error(error.message); process.exit(1); });"
_TWICE = (
    "order().catch((error) => { if (error.message === 'status 422') throw error; return "
    "order(); });"
)


@pytest.fixture
def prove(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The command, run in ``tmp_path``; it returns the exit code and what it says."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not on PATH")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["prove", *_FAST, *words])
        return code, json.loads(capsys.readouterr().out)

    return run


def _laid(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    ("program", "write", "verdict"),
    [
        (_FETCH + _ONCE, "POST api.example.com/orders", "told as unknown"),
        (_FETCH + _TWICE, "POST api.example.com/orders", "sent twice"),
        (_HTTPS + _ONCE, "POST api.example.com/orders", "told as unknown"),
        (_HTTPS + "order().catch(order);", "POST api.example.com/orders", "sent twice"),
    ],
    ids=["fetch", "fetch that repeats", "https", "https that repeats"],
)
def test_a_program_of_node_is_proved_without_a_setting_for_a_proxy(
    program: str, write: str, verdict: str, tmp_path: Path, prove: Any
) -> None:
    """Clients that read no variable for proxies reach the provider, which finds the host in the
    handshake.
    """
    _laid(tmp_path, {"order.cjs": program})
    code, said = prove("--", "node", "order.cjs")
    found = said["cases"][0]["writes"][0]
    assert (code, found["write"], found["verdict"]) == (
        int(verdict == "sent twice"),
        write,
        verdict,
    )


def test_it_says_what_node_says(tmp_path: Path, prove: Any) -> None:
    """An error that nobody catches is followed by the version of Node.js, which says nothing."""
    _laid(tmp_path, {"order.cjs": _FETCH + "order();"})
    _code, said = prove("--", "node", "order.cjs")
    cells = said["cases"][0]["writes"][0]["situations"]
    assert next(cell["said"] for cell in cells if cell["situation"] == "refused").endswith(
        "Error: status 422"
    )


def test_loopback_is_left_alone(tmp_path: Path, prove: Any) -> None:
    """A connection with TLS to this machine is not led elsewhere: nothing listens there, so it
    fails.
    """
    _laid(tmp_path, {"order.cjs": _FETCH.replace("api.example.com", "127.0.0.1:9") + _ONCE})
    code, said = prove("--", "node", "order.cjs")
    assert (code, said["error"]["code"]) == (2, "invalid_invocation")


_PIECE = _FETCH + (
    "const run = async (context) => {\n"
    "  if (context.auth !== 'made-up' || context.propsValue.sku !== 'lamp') throw new Error('no "
    "inputs');\n"
    "  await context.store.put('last', 1);\n"
    "  await (REPEATS ? order().catch(order) : order());\n"
    "};\n"
    "module.exports = {shopAuth: {}, shop: {actions: () => ({create_order: {run}})}};\n"
)


@pytest.mark.parametrize(
    ("repeats", "verdict"), [("true", "sent twice"), ("false", "told as unknown")]
)
def test_an_action_of_activepieces_is_proved(
    repeats: str, verdict: str, tmp_path: Path, prove: Any
) -> None:
    """It runs as its engine runs it, with what --arguments gives it."""
    _laid(
        tmp_path,
        {
            "node_modules/piece-shop/index.js": _PIECE.replace("REPEATS", repeats),
            "given.json": '{"auth": "made-up", "propsValue": {"sku": "lamp"}}',
        },
    )
    _code, said = prove(
        "--activepieces", "--arguments", "given.json", "--", "piece-shop", "create_order"
    )
    assert said["cases"][0]["writes"][0]["verdict"] == verdict


def test_an_action_that_the_piece_has_not_is_refused(tmp_path: Path, prove: Any) -> None:
    """The message has the names of those that it has."""
    _laid(
        tmp_path,
        {
            "node_modules/piece-shop/index.js": _PIECE.replace("REPEATS", "false"),
            "given.json": "{}",
        },
    )
    code, said = prove(
        "--activepieces", "--arguments", "given.json", "--", "piece-shop", "create_oder"
    )
    assert code == 2
    assert "It has: create_order." in said["error"]["message"]


_ESBUILD = """
const fs = require('fs');
exports.build = async (given) => ({outputFiles: [{text: fs.readFileSync(given.entryPoints[0], 'utf8')}]});
"""
_SDK = """
export class NangoActionBase {
  constructor(given) { Object.assign(this, given); }
  getProxyConfig(config) { return {...config, providerConfigKey: this.providerConfigKey}; }
  post(config) { return this.proxy({...config, method: 'POST'}); }
}
"""
_SENDER = """
export default {
  async route(config, {connection, providerName}) {
    for (let left = config.retries ?? 0; ; left--) {
      const sent = {method: config.method, body: JSON.stringify(config.data), headers: {token: connection.credentials.access_token}};
      const answer = await fetch(`https://${providerName}.example.com${config.endpoint}`, sent).catch((error) => error);
      if (answer.ok) return {response: {data: await answer.json()}};
      if (!left || answer.status === 422) return {response: new Error('failed')};
    }
  },
};
"""
_ACTION = """
const {createAction} = require('nango');
exports.default = createAction({exec: async (nango, input) => nango.post({endpoint: '/orders', data: input, retries: RETRIES})});
"""


@pytest.mark.parametrize(("retries", "verdict"), [("3", "sent twice"), ("0", "told as unknown")])
def test_an_action_of_nango_is_proved(
    retries: str, verdict: str, tmp_path: Path, prove: Any
) -> None:
    """Its requests go through the packages of Nango that are installed beside it; here they are
    small stand-ins.
    """
    kinds = {
        "esbuild/index.js": _ESBUILD,
        "@nangohq/runner-sdk/index.js": _SDK,
        "@nangohq/shared/index.js": "",
    }
    packages = {
        f"node_modules/{name}": text
        for name, text in (kinds | {"@nangohq/shared/services/proxy.service.js": _SENDER}).items()
    }
    modules = {
        f"node_modules/@nangohq/{name}/package.json": '{"type": "module", "main": "index.js"}'
        for name in ("runner-sdk", "shared")
    }
    _laid(
        tmp_path,
        packages
        | modules
        | {"order.cjs": _ACTION.replace("RETRIES", retries), "input.json": '{"sku": "lamp"}'},
    )
    _code, said = prove("--nango", "--arguments", "input.json", "--", "order.cjs", "shop")
    found = said["cases"][0]["writes"][0]
    assert (found["write"], found["verdict"]) == ("POST shop.example.com/orders", verdict)


def test_an_action_needs_its_input(prove: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --arguments it is refused, with what the file has to have."""
    assert main(["prove", "--nango", "--", "order.ts", "shop"]) == 2
    assert "--arguments FILE" in capsys.readouterr().err


def test_one_action_of_a_connector_is_proved(prove: Any) -> None:
    """CONNECTOR/ACTION proves that one; another name is refused."""
    code, said = prove("github/createIssue")
    assert (code, [case["name"] for case in said["cases"]]) == (0, ["createIssue"])
    code, said = prove("github/createIsue")
    assert (code, said["error"]["code"]) == (2, "invalid_invocation")
