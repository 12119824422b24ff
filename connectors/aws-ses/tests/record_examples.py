"""Record the examples of all actions on the AWS simulator: ``PYTHONPATH=tests/support python connectors/aws-ses/tests/record_examples.py``.

The recordings hold the exact requests of each action, which the grade of the connector replays. Run it after a change of requests that is
meant, and review the difference.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from fake_aws import FakeAws
from jackfield.testing import Subject
from jackfield_market.testing.project import Project
from jackfield_market.testing.recorded_examples import record

ANSWERS = {
    "SendBulkEmail": {"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": f"0102018f-{number}"} for number in (1, 2)]},
}
"""Answers that the simulator's model cannot make up."""


def main() -> None:
    """Write ``recordings`` beside this file."""
    with FakeAws(answers=ANSWERS) as aws, tempfile.TemporaryDirectory() as folder:
        key = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "secret/of+acme"}
        values = {**key, "endpoint": aws.url, "region": "eu-west-1"}
        file = Path(folder) / "connections.json"
        file.write_text(json.dumps({"connections": {"simulator": {"type": "aws/apiKeySecret", "values": values}}}), encoding="utf-8")
        os.environ |= {"JACKFIELD_CONNECTIONS": str(file), "JACKFIELD_DATABASE_URL": "none", "JACKFIELD_HOME": folder}
        record(Subject.of_project(Project.read(Path(__file__).parents[1])), "simulator")
    Path(__file__).with_name("recordings").joinpath("example-doctor.json").unlink()  # it asks DNS, which is not recorded


if __name__ == "__main__":
    main()
