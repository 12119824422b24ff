"""Record the examples of all actions on the AWS simulator.

    PYTHONPATH=.:tests/support python connectors/aws-ses/tests/record_examples.py

The recordings hold the exact requests of each action, which the grade of the connector replays. Run
it after a change of requests that is meant, and review the difference.
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
from ses_lives import age


def main() -> None:
    """Write ``recordings`` beside this file."""
    with FakeAws(verification_seconds=0) as aws, tempfile.TemporaryDirectory() as folder:
        key = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "secret/of+acme"}
        values = {**key, "endpoint": aws.url, "region": "eu-west-1"}
        file = Path(folder) / "connections.json"
        file.write_text(
            json.dumps(
                {"connections": {"simulator": {"type": "aws/apiKeySecret", "values": values}}}
            ),
            encoding="utf-8",
        )
        os.environ |= {
            "JACKFIELD_CONNECTIONS": str(file),
            "JACKFIELD_DATABASE_URL": "none",
            "JACKFIELD_HOME": folder,
        }
        subject = Subject.of_project(Project.read(Path(__file__).parents[1]))
        subject.manifest.raw["actions"].sort(key=age)
        record(subject, "simulator")
    # it asks DNS, which is not recorded
    Path(__file__).with_name("recordings").joinpath("example-doctor.json").unlink()


if __name__ == "__main__":
    main()
