"""Shared inputs of actions of ``aws.s3``, under S3's own names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import Field, Inputs
from jackfield_aws.regions import ANY_REGION_EXPECTED, ANY_REGION_PATTERN

Region = Annotated[str, WithJsonSchema({"type": "string", "pattern": ANY_REGION_PATTERN})]
Texts = Annotated[
    dict[str, str], WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}})
]


def text(title: str, description: str, *, alias: str, default: Any = None, **more: Any) -> Any:
    """Declare a text input under S3's own name."""
    return Field(default, alias=alias, title=title, description=description, blank="absent", **more)


class Located(Inputs):
    """Place of an object."""

    aws_region: Region = Field(
        title="AWS Region",
        description=(
            "The bucket's region, such as us-west-2 or eu-west-1; of another server that "
            "speaks S3 what it calls its region."
        ),
        from_connection="region",
        options="awsRegions",
        trim=True,
        lowercase=True,
        blank="absent",
        expects=ANY_REGION_EXPECTED,
    )
    bucket: str = Field(
        alias="Bucket",
        title="Bucket",
        description="The bucket.",
        options="Bucket",
        schema={"minLength": 1},
    )
    key: str = Field(
        alias="Key",
        title="Key",
        description="The object's key.",
        schema={"minLength": 1, "maxLength": 1024},
    )
    expected_bucket_owner: str | None = text(
        "Expected Bucket Owner",
        "The account that must own the bucket.",
        alias="ExpectedBucketOwner",
    )
    request_payer: str | None = text(
        "Request Payer",
        "Who pays for a bucket whose requester pays.",
        alias="RequestPayer",
        schema={"enum": ["requester"]},
    )


class Described(Located):
    """Object to write, with the properties that S3 stores with its content."""

    content_type: str | None = text(
        "Content Type", "The media type; by default the file's own.", alias="ContentType"
    )
    content_encoding: str | None = text(
        "Content Encoding", "How the content is encoded, such as gzip.", alias="ContentEncoding"
    )
    content_disposition: str | None = text(
        "Content Disposition",
        "How browsers present the object, such as attachment.",
        alias="ContentDisposition",
    )
    content_language: str | None = text(
        "Content Language", "The content's language.", alias="ContentLanguage"
    )
    cache_control: str | None = text(
        "Cache Control", "How long it may be cached.", alias="CacheControl"
    )
    metadata: Texts | None = Field(
        None,
        alias="Metadata",
        title="Metadata",
        description="Names and values that S3 keeps with the object.",
    )
    storage_class: str | None = text(
        "Storage Class", "Where S3 keeps the object, such as STANDARD_IA.", alias="StorageClass"
    )
    server_side_encryption: str | None = text(
        "Server-Side Encryption",
        "How S3 encrypts the object: AES256, aws:kms or aws:kms:dsse.",
        alias="ServerSideEncryption",
    )
    kms_key: str | None = text("KMS Key ID", "The KMS key for that.", alias="SSEKMSKeyId")
    acl: str | None = text("ACL", "A canned ACL, such as bucket-owner-full-control.", alias="ACL")
    tagging: str | None = text(
        "Tagging", "Tags, encoded as a query: project=a&class=b.", alias="Tagging"
    )

    @property
    def described(self) -> dict[str, Any]:
        """Parameters of the request that begins to write the object."""
        found = self.model_dump(by_alias=True, exclude_none=True, include=_DESCRIBING)
        return dict(found)


_DESCRIBING = {*Described.model_fields} - {*Located.model_fields}
