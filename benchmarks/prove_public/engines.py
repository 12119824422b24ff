"""Actions of engines of integrations: a piece of Activepieces as it is published, and an action of
Nango.
"""

from __future__ import annotations

from functools import partial

from benchmarks.prove_public.software import Promise, Software

_Piece = partial(Software, place="activepieces", options=("--activepieces",))
_SENT = '{"POST /api/chat.postMessage": {"body": {"ok": true, "ts": "1.2", "channel": "C1"}}}'
_NANGO_ACTION = """
import { createAction } from 'nango';

export default createAction({
  description: 'Send a message',
  exec: async (nango, input) => {
    const answer = await nango.post({ endpoint: '/chat.postMessage', data: input, retries: RETRIES });
    return answer.data;
  },
});
"""
_NANGO = Promise(
    "as many retries as are given, default 0",
    "https://github.com/NangoHQ/nango/blob/master/docs/guides/platform/proxy-requests.mdx",
)


def _nango(name: str, retries: str, settings: str) -> Software:
    return Software(
        name,
        ("nango", "@nangohq/shared@0.49.0"),
        _NANGO,
        place="nango",
        settings=settings,
        options=("--nango",),
        answers=_SENT,
        words=("{folder}/send.ts", "slack"),
        arguments='{"channel": "C1", "text": "hi"}',
        ours="slack/postMessage",
        files={"send.ts": _NANGO_ACTION.replace("RETRIES", retries)},
    )


SOFTWARE = (
    _Piece(
        "Activepieces, Slack",
        ("@activepieces/piece-slack",),
        Promise(),
        words=("@activepieces/piece-slack", "send_channel_message"),
        arguments=(
            '{"auth": {"access_token": "made-up", "data": {}}, "propsValue": {"channel": '
            '"C1", "text": "hi", "sendAsBot": true}}'
        ),
        answers=_SENT,
        ours="slack/postMessage",
    ),
    _Piece(
        "Activepieces, Todoist",
        ("@activepieces/piece-todoist",),
        Promise(),
        words=("@activepieces/piece-todoist", "create_task"),
        arguments=(
            '{"auth": {"access_token": "made-up", "data": {}}, "propsValue": {"content": '
            '"lamp", "project_id": "1"}}'
        ),
        ours="todoist/createTask",
    ),
    _nango(
        "Nango, an action with retries",
        "3",
        "retries: 3, as its templates have; rules of @nangohq/shared 0.49.0",
    ),
    _nango("Nango, an action without retries", "0", "rules of @nangohq/shared 0.49.0"),
)
