"""Named parameters and scripts: nothing inside quotes, comments and casts is touched."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackfield_store.database.statements import split, translated

NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
QUOTED = st.one_of(
    st.text("ab:%'é; ", max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text('ab:%"; ', max_size=8).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.text("ab:%'\"; ", max_size=8).map(lambda text: f"--{text}\n"),
    st.text("ab:%'\"; \n", max_size=8).map(lambda text: f"/*{text}*/"),
    st.text("ab:%'; ", max_size=8).map(lambda text: f"$tag${text}$tag$"),
    st.sampled_from(["::text", " ::int ", "E'it\\'s :x ;'", "e'\\\\'"]),
)
PLAIN = st.text("abc =(),+%\n1", max_size=8)


@settings(deadline=None, database=None)
@given(
    st.lists(
        st.one_of(
            NAME.map(lambda name: (True, name)),
            st.one_of(QUOTED, PLAIN).map(lambda text: (False, text)),
        ),
        max_size=12,
    )
)
def test_only_parameters_change(pieces: list[tuple[bool, str]]) -> None:
    """Each ``:name`` becomes ``%(name)s``, each other percent sign is doubled, and every other
    character stays.
    """
    sql = " ".join(f" :{text}" if name else text for name, text in pieces)
    wanted = " ".join(f" %({text})s" if name else text.replace("%", "%%") for name, text in pieces)
    assert translated(sql).decode() == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT :a", "SELECT %(a)s"),
        ("SELECT :a::text, x::int", "SELECT %(a)s::text, x::int"),
        ("SELECT ':a', \":a\" -- :a", "SELECT ':a', \":a\" -- :a"),
        ("a LIKE '10%' AND b % 2 = :b_2", "a LIKE '10%%' AND b %% 2 = %(b_2)s"),
        ("/* :a\n:b */ :c $$ :d $$ $x$ :e $$ $x$", "/* :a\n:b */ %(c)s $$ :d $$ $x$ :e $$ $x$"),
        ("x[1:2], 'it''s :a', E'\\':a', :a1b", "x[1:2], 'it''s :a', E'\\':a', %(a1b)s"),
        ("(:a,:b)=:c", "(%(a)s,%(b)s)=%(c)s"),
    ],
)
def test_known_cases(sql: str, wanted: str) -> None:
    """The cases that occur in our statements."""
    assert translated(sql) == wanted.encode()


@settings(deadline=None, database=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["SELECT 1", "SELECT ';'", 'SELECT 1 AS ";"', "SELECT /*;*/ 2", "SELECT 3 -- ;\n"]
            )
        ),
        max_size=6,
    )
)
@example([])
def test_a_script_splits_into_its_statements(statements: list[tuple[str]]) -> None:
    """Semicolons in quotes and comments end nothing; each piece is one whole statement for SQLite
    too.
    """
    wanted = [statement for (statement,) in statements]
    pieces = list(split(" ;\n".join(wanted) + "; -- the end;\n"))
    assert pieces == [statement.strip() for statement in wanted]
    for piece in pieces:
        assert sqlite3.complete_statement(re.sub(r"--[^\n]*", "", piece) + ";")


def test_comments_alone_are_no_statement() -> None:
    """Comments and blanks between semicolons give nothing; a comment before a statement stays with
    it.
    """
    assert list(split("-- one;\n;; /* two; */ ;\n-- three\nSELECT 1;")) == ["-- three\nSELECT 1"]
