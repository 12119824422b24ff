"""Workflow files of Thand, written and run as a user does it."""

from __future__ import annotations

from typing import Any

import yaml
from tests.jackfield_formats.foreign_files import write

from shell import Answer, Shell

PROVIDER = {
    "name": "Ops mail",
    "description": "alerts",
    "provider": "email",
    "enabled": True,
    "config": {
        "platform": "ses",
        "from": '${ .MAIL_FROM // "alerts@sender.test" }',
        "region": "eu-west-1",
        "access_key_id": "k1",
        "secret_access_key": "s1",
    },
}
CONFIG = {
    "provider": "mail-eu",
    "subject": "Access on",
    "to": ["kim@rcpt.test", "lee@rcpt.test"],
    "body": {"text": "You are in.", "html": "<h1>You are in.</h1>"},
}


class Runner:
    """Runs workflow files of the test's own folder."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def file(self, workflows: Any, providers: Any = None) -> None:
        """Write the file, with the usual provider unless others are given."""
        content = {
            "version": "1.0",
            "providers": {"mail-eu": PROVIDER} if providers is None else providers,
            "workflows": workflows,
        }
        write(self._shell.folder, "flow.yaml", yaml.safe_dump(content, sort_keys=False))

    def steps(self, config: Any, **step: Any) -> None:
        """Write a file with one workflow of one step of the list form."""
        self.file(
            [
                {
                    "name": "granted",
                    "steps": [{"task": "notify", "type": "email", "config": config, **step}],
                }
            ]
        )

    def do(self, *tasks: Any) -> None:
        """Write a file with one workflow of the DSL form."""
        document = {"dsl": "1.0.0-alpha5", "namespace": "n", "name": "granted", "version": "1.0.0"}
        self.file(
            {
                "granted": {
                    "name": "Access granted",
                    "enabled": True,
                    "workflow": {"document": document, "do": list(tasks)},
                }
            }
        )

    def run(self, *words: str) -> Answer:
        """Run it."""
        return self._shell.run("run", "flow.yaml", *words)

    def step(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The only step of the outcome."""
        answer = self.run(*words)
        assert answer.code == code, answer.out + answer.err
        (only,) = answer.json["steps"]
        found: dict[str, Any] = only
        return found

    def refusal(self, *words: str) -> str:
        """The message of a run that is refused as a whole."""
        answer = self.run(*words)
        assert answer.code == 2, answer.out
        return str(answer.json["error"]["message"])


def notify(**words: Any) -> dict[str, Any]:
    """A DSL task that notifies."""
    return {
        "tell": {
            "thand": "notify",
            "with": {
                "provider": "mail-eu",
                "to": "kim@rcpt.test",
                "message": "You are in.",
                **words,
            },
        }
    }
