"""What the actions of Amazon SES give back, under its own member names."""

from jackfield.connector import Field, Output

__all__ = ["Identities", "Sent"]


class Sent(Output):
    """Proof that SES accepted the message."""

    message_id: str = Field(
        alias="MessageId",
        title="Message ID",
        description="The id that SES gave the message. In the message's header it stands before '@email.amazonses.com' in us-east-1, and "
        "before '@<region>.amazonses.com' elsewhere.",
        schema={"minLength": 1},
    )


class Identities(Output):
    """A page of identities, or all of them."""

    identities: list[str] = Field(alias="Identities", title="Identities", description="Email addresses or domains.")
    next_token: str | None = Field(
        None, alias="NextToken", title="Next Token", description="There are more: give it as 'Next Token' to go on."
    )
