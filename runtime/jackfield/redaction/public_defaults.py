"""Secrets that everybody knows: what simulators, images and guides give as a key or a password (docs/reference/masking.md).

Outputs are not searched for them: they hide nothing, and most are words, whose masks would damage data.
"""

from __future__ import annotations

from collections.abc import Mapping

PUBLIC_DEFAULTS: Mapping[str, str] = {
    "test": "LocalStack, https://docs.localstack.cloud/aws/capabilities/config/credentials/",
    "testing": "moto, https://docs.getmoto.org/en/latest/docs/getting_started.html",
    "minioadmin": "MinIO, https://min.io/docs/minio/linux/reference/minio-server/settings/root-credentials.html",
    "minio123": "MinIO before 2021, https://github.com/minio/minio/blob/RELEASE.2020-12-29T23-29-29Z/docs/orchestration/docker-compose/docker-compose.yaml",
    "minio": "MinIO before 2021, the same file",
    "secret": "Laravel Homestead, https://laravel.com/docs/homestead",
    "S3RVER": "s3rver, https://github.com/jamhall/s3rver#s3rver-1",
    "verySecretKey1": "Zenko CloudServer, https://s3-server.readthedocs.io/en/latest/GETTING_STARTED.html",
    "x": "ElasticMQ, https://github.com/softwaremill/elasticmq",
    "abc": "fake-s3, https://github.com/jubos/fake-s3/wiki/Supported-Clients",
    "123": "fake-s3, the same page in its other examples, https://github.com/jubos/fake-s3/wiki/Supported-Clients",
    "dummy": "DynamoDB Local in guides: it takes any key, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.UsageNotes.html",
    "DUMMYEXAMPLEKEY": "DynamoDB Local, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.DownloadingAndRunning.html",
    "fakeSecretAccessKey": "DynamoDB Local, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.UsageNotes.html",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==": "Azurite, https://learn.microsoft.com/azure/storage/common/storage-use-azurite",
    "guest": "RabbitMQ, https://www.rabbitmq.com/docs/access-control#default-state",
    "changeme": "Elasticsearch's images, https://www.elastic.co/guide/en/elasticsearch/reference/5.0/security-getting-started.html",
    "mysecretpassword": "PostgreSQL's image, https://hub.docker.com/_/postgres",
    "postgres": "PostgreSQL's image in guides, named as its user, https://hub.docker.com/_/postgres",
    "example": "images of MongoDB and MySQL, https://hub.docker.com/_/mongo",
    "my-secret-pw": "MySQL's image, https://hub.docker.com/_/mysql",
    "foobared": "Redis's configuration file, https://github.com/redis/redis/blob/7.0/redis.conf",
    "admin": "Grafana, ActiveMQ and Keycloak, https://grafana.com/docs/grafana/latest/setup-grafana/sign-in-to-grafana/",
    "artemis": "ActiveMQ Artemis, https://activemq.apache.org/components/artemis/documentation/latest/docker.html",
    "neo4j": "Neo4j, https://neo4j.com/docs/operations-manual/current/configuration/set-initial-password/",
    "password": "JFrog Artifactory, https://jfrog.com/help/r/jfrog-platform-administration-documentation",
    "root": "Vault's server for development, https://developer.hashicorp.com/vault/docs/concepts/dev-server",
    "myroot": "Vault's image, https://hub.docker.com/r/hashicorp/vault",
    "dev-only-token": "Vault's tutorials, https://developer.hashicorp.com/vault/tutorials",
    "tiger": "Oracle's user scott, https://docs.oracle.com/cd/B19306_01/server.102/b14200/intro001.htm",
}
"""Value, and where it is published. At most 40."""


def is_public(secret: str) -> bool:
    """Return whether a secret is one of the public defaults."""
    return secret.strip() in PUBLIC_DEFAULTS
