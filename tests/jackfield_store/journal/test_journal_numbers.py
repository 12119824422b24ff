"""Numbers that JSON does not have, of answers whose Results the journal keeps."""

from __future__ import annotations

from jackfield import Jackfield
from jackfield.testing import Answer, Provider
from virtual_calls import KEYS


def test_a_number_that_is_none_is_kept_by_each_database(database_url: str) -> None:
    """NaN and Infinity of an answer are null in the journal of SQLite and of PostgreSQL, and in the
    replay of a key.
    """
    body = b'{"FinalMetricDataList":[{"MetricName":"m","Value":NaN},{"MetricName":"n","Value":-Infinity}]}'
    with Provider([Answer(content=body)]) as provider:
        connection = {"type": "aws/apiKeySecret", "values": {**KEYS, "endpoint": provider.url}}
        with Jackfield(
            connections=[{"connections": {"m": connection}}], database_url=database_url
        ) as jackfield:
            asked = {
                "connector": "aws.sagemaker",
                "action": "describeTrainingJob",
                "connection": "m",
                "inputs": {"TrainingJobName": "t"},
                "idempotencyKey": "one",
            }
            first, again = jackfield.invoke(asked).to_json(), jackfield.invoke(asked).to_json()
    assert [one["Value"] for one in first["output"]["FinalMetricDataList"]] == [None, None]
    assert (again["output"], again["meta"]["replayed"], len(provider.requests)) == (
        first["output"],
        True,
        1,
    )
