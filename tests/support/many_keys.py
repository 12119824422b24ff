"""Connector whose answers have as many secrets as it is asked for, with escapes that a search for
secrets undoes.
"""

KEY = "many-keys"
ACTION = "list"
SOURCE = '''
from jackfield.connector import Connector, Field, Inputs, Output

connector = Connector("many-keys", title="Many keys", version="1.0.0", connections=[])

class Asked(Inputs):
    """How many items."""

    items: int
    tags: list[str] | None = None

class Item(Output):
    """An item."""

    name: str
    key: str = Field(secret=True)

class Found(Output):
    """Items."""

    items: list[Item]

@connector.action("list", effect="read", needs_connection=False)
def list_items(asked: Asked) -> Found:
    """List items."""
    return Found(items=[Item(name=f"item {number} %41&amp;", key=f"key-{number:08}") for number in range(asked.items)])
'''
