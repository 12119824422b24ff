"""Workspaces in files, compared with the stored state and applied to it, in one transaction each.

A plan is an application that is rolled back: the functions behind HTTP and commands do all checks.
An object has changed if its displayed form differs before and after.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from jackfield.connections.secret_references import Secrets
from jackfield.kernel.canonical import canonical
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import (
    Detail,
    InvalidInvocation,
    JackfieldError,
    NotAllowed,
    Unavailable,
    did_you_mean,
)
from jackfield.kernel.pointers import child
from jackfield.schema import CompiledSchema
from jackfield_service.shell.resource.judged import judge, without_nulls
from jackfield_service.shell.resource.kinds import Done, Json, Kind, KindRow, kinds
from jackfield_service.shell.resource.meanings import as_set
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.state.documents import SETTINGS, shown_name
from jackfield_service.subjects.state.marks import marked, marks, set_marks, take_marks
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.access.settings import Settings
from jackfield_store.access.workspaces import Workspace
from jackfield_store.connections.connection_rows import PLACEHOLDER
from jackfield_store.database import Transaction
from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.state")
_ONE_AT_A_TIME = "SELECT id FROM installation"
_LOCK = "SELECT sequence FROM audit_heads WHERE workspace = :workspace"
_THERE = "SELECT name FROM workspaces WHERE name = :workspace"
_MADE, _CHANGED, _ENDED, _ADOPTED, _REFUSED = "make", "change", "end", "adopt", "refused"
_MOST_TOLD = 500


class StateMoved(InvalidInvocation):
    """Error for state or files that differ from the plan."""

    http_status = 409
    problem = "conflict"


class _Undone(Exception):
    """Signal that the work of a block is to be rolled back."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Outcome of an application in a workspace: a row for each object that differed from the files,
    and the number of unchanged objects. ``digest`` covers the files' state and the stored one;
    ``secrets``, by kind and name, are displayed once.
    """

    digest: str
    rows: list[Json]
    unchanged: int
    secrets: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def moves(self) -> bool:
        """True if an object is created, changed, ended or taken over."""
        return any(row["act"] in (_MADE, _CHANGED, _ENDED, _ADOPTED) for row in self.rows)


@dataclass(frozen=True, slots=True)
class How:
    """Options for applying files. ``label`` marks the objects that they create. With ``adopt`` they
    take over objects created by hand; with ``prune`` they remove objects of the label that the
    files no longer have.
    """

    label: str
    adopt: bool = False
    prune: bool = False


class State:
    """State of the workspaces that a caller manages. ``visit`` opens a workspace for its kinds, and
    ``put`` creates it or changes its settings; None if the caller may not.
    """

    def __init__(
        self,
        storage: Storage,
        visit: Callable[[str], Visit],
        find: Callable[[str], Workspace],
        put: Callable[[str, Json], tuple[Workspace, bool]] | None = None,
    ) -> None:
        self.storage, self.put, self.find, self.visit = storage, put, find, visit
        self.kinds = kinds()
        self._judges: dict[str, CompiledSchema] = {}

    def plan(self, workspace: str, document: Mapping[str, Json], how: How) -> Planned:
        """Return the changes that ``apply`` would make.

        :raises InvalidInvocation: for an unknown kind.
        """
        found = list[Planned]()
        work = self._work(workspace, document, how)
        with suppress(_Undone), self.storage.database.gather() as transaction:
            found.append(work.done(transaction))
            raise _Undone
        return found[0]

    def apply(
        self,
        workspace: str,
        document: Mapping[str, Json],
        how: How,
        seen: str | None,
        keep: Callable[[Planned], object],
    ) -> Planned:
        """Change a workspace to the state in a document, in one transaction. ``seen`` is the digest
        of its plan; ``keep`` gets the changes before they are committed.

        :raises StateMoved: if the digest differs.
        :raises InvalidInvocation: with all faults at once, if a change is refused.
        """
        work = self._work(workspace, document, how)
        with self.storage.database.gather() as transaction:
            planned = work.done(transaction)
            if seen not in (None, planned.digest):
                text = f"the workspace '{workspace}' is not what it was when this was planned"
                raise StateMoved(text, hint="Plan again, and look at what is different.")
            refuse({workspace: planned})
            keep(planned)
            if planned.moves:
                work.note(transaction, planned)
        return planned

    def marked(self, label: str) -> list[str]:
        """Return the existing workspaces in which files of a label have made something."""
        with self.storage.database.read() as transaction:
            found = marked(transaction, label)
        return [name for name in found if self._is_there(name)]

    def _is_there(self, workspace: str) -> bool:
        about = {"workspace": workspace}
        return workspace == DEFAULT or self.storage.database.look_up(_THERE, about) is not None

    def export(self, workspace: str, most: int | None = None) -> Json:
        """Return the document of a workspace's current state, with stored secrets masked; an
        applied mask keeps the secret. Objects that the caller may not change are left out.

        :raises InvalidInvocation: if it has more than ``most`` objects.
        """
        document = dict[str, Any]()
        with self.storage.database.read():
            settings = self.find(workspace).settings
            if self.put is not None and (changed := _changed(settings)):
                document[SETTINGS] = changed
            visit = self.visit(workspace)
            for kind in self.kinds.values():
                if not kind.is_for(visit):
                    continue
                try:
                    there = _all(kind, visit, most=None if most is None else most + 1)
                except InvalidInvocation as error:  # such as of a package that is not installed
                    _LOG.warning(
                        "%s of the workspace '%s' are left out: %s",
                        kind.name,
                        workspace,
                        error.message,
                    )
                    continue
                for one in there.values():
                    if one.twins:
                        _LOG.warning(
                            "%s: '%s' of the workspace '%s' is written once, and there is %s of "
                            "this name",
                            kind.name,
                            shown_name(one.name),
                            workspace,
                            _others(one),
                        )
                found = {
                    one.name: one.stated
                    for one in there.values()
                    if not kind.permanent or any(one.stated.values())
                }
                if found:
                    document[kind.name] = found
                if most is not None and len(found) > most:
                    text = f"the workspace '{workspace}' has more than {most:,} {kind.name}"
                    raise InvalidInvocation(text, hint="Run 'jackfield export' instead.")
        return document

    def _work(self, workspace: str, document: Mapping[str, Json], how: How) -> _Work:
        known = (SETTINGS, *self.kinds)
        for name in document:
            if name not in known:
                text = (
                    f"the workspace '{workspace}' has no '{name[:80]}'{did_you_mean(name, known)}"
                )
                raise InvalidInvocation(text, hint=f"It may have {', '.join(known)}.")
        document = {
            kind: things if kind == SETTINGS else self._without_nulls(kind, things)
            for kind, things in document.items()
        }
        visit, database = self.visit(workspace), self.storage.database
        is_there = self._is_there(workspace)
        if is_there:
            self.storage.vault.prepare(workspace)
        audit = Audit(
            database, lambda: self.storage.vault, workspace, visit.clock, visit.actor
        ).prepare()
        work = _Work(self, visit, workspace, document, how, audit, is_new=not is_there)
        work.ask_ahead()
        return work

    def _without_nulls(self, kind: str, things: Mapping[str, Json]) -> Json:
        """Return objects without members that are null, unless null is a valid value of the
        member.
        """
        compiled = self.judge(self.kinds[kind])
        return {name: without_nulls(spec, compiled) for name, spec in things.items()}

    def judge(self, kind: Kind[Any]) -> CompiledSchema:
        """Return the compiled schema for the members of an object."""
        if kind.name not in self._judges:
            self._judges[kind.name] = judge({**kind.schema, "required": []}, noun=kind.name)
        return self._judges[kind.name]


@dataclass(slots=True)
class _Work:
    state: State
    visit: Visit
    workspace: str
    document: Mapping[str, Json]
    how: How
    audit: Audit
    is_new: bool
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    rows: list[Json] = field(default_factory=list)
    unchanged: int = 0
    owned: dict[tuple[str, str], str] = field(default_factory=dict)
    there: dict[tuple[str, str], KindRow] = field(default_factory=dict)
    made: set[tuple[str, str]] = field(default_factory=set)
    ended: set[tuple[str, str]] = field(default_factory=set)
    secrets: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)

    def ask_ahead(self) -> None:
        """Query the servers that new objects describe, such as an MCP server for its tools, before
        the transaction, which must not wait for them.
        """
        for kind, wanted in self._stated():
            if kind.ahead is None or not wanted or not kind.is_for(self.visit):
                continue
            present = {} if self.is_new else _all(kind, self.visit, wanted.__contains__)
            for name, spec in wanted.items():
                if name not in present or not _holds(kind, spec, present[name].stated):
                    try:
                        self._require(kind, spec, present.get(name))
                        self.answers[kind.name, name] = kind.ahead(self.visit, name, spec)
                    except JackfieldError as error:  # told when it is made
                        self.answers[kind.name, name] = error

    def done(self, transaction: Transaction) -> Planned:
        """Apply the changes in a transaction, without the refused ones.

        :raises StateMoved: if another request creates the workspace meanwhile.
        """
        locks = self.state.storage.database.dialect.locks
        # the audit log of a new installation has no row yet that could be locked
        transaction.execute(_ONE_AT_A_TIME + locks, {})
        shared = (
            [DEFAULT]
            if self.is_new or any(kind.operators and wanted for kind, wanted in self._stated())
            else []
        )
        for name in dict.fromkeys((*shared, self.workspace)):
            transaction.execute(_LOCK + locks, {"workspace": name})
        if self.is_new and transaction.find(_THERE, {"workspace": self.workspace}) is not None:
            raise StateMoved(
                f"the workspace '{self.workspace}' was made meanwhile",
                hint="Plan again, and look at what is different.",
            )
        self.owned = marks(transaction, self.workspace)
        present = {} if self.is_new else self._present()
        settings = None if self.is_new else self.state.find(self.workspace).settings.to_json()
        self.there = {
            (kind, name): found
            for kind, things in present.items()
            for name, found in things.items()
        }
        digest = self._digest(present, settings)
        if not self._settle(transaction, settings):
            return Planned(digest, self.rows, self.unchanged, {})
        for kind, wanted in self._stated():
            for name, spec in wanted.items():
                self._make_so(transaction, kind, name, spec, present.get(kind.name, {}).get(name))
        for kind in reversed(self.state.kinds.values()):
            for found in present.get(kind.name, {}).values():
                if self.owned.get(
                    (kind.name, found.name)
                ) == self.how.label and found.name not in self.document.get(kind.name, {}):
                    self._end(transaction, kind, found)
        self.ended |= {
            (kind, name)
            for (kind, name), label in self.owned.items()
            if label == self.how.label
            and kind in present
            and name not in {**present[kind], **self.document.get(kind, {})}
        }
        self._tell_people()
        return Planned(digest, self.rows, self.unchanged, self.secrets)

    def note(self, transaction: Transaction, planned: Planned) -> None:
        """Mark created objects, and write one entry of the audit log that names all changed
        objects, in addition to each object's own.
        """
        set_marks(transaction, self.workspace, self.how.label, sorted(self.made))
        take_marks(transaction, self.workspace, sorted(self.ended))
        about: dict[str, Any] = {"digest": planned.digest, "label": self.how.label}
        for act in (_MADE, _CHANGED, _ENDED, _ADOPTED):
            about[act] = [
                f"{row['kind']}/{row['name']}" for row in planned.rows if row["act"] == act
            ][:_MOST_TOLD]
        self.audit.append(transaction, "workspace.applied", f"workspace:{self.workspace}", about)

    def _stated(self) -> Iterator[tuple[Kind[Any], Mapping[str, Json]]]:
        for kind in self.state.kinds.values():
            yield kind, self.document.get(kind.name, {})

    def _present(self) -> dict[str, dict[str, KindRow]]:
        found = dict[str, dict[str, KindRow]]()
        for kind, wanted in self._stated():
            of_label = {
                name
                for (one, name), label in self.owned.items()
                if one == kind.name and label == self.how.label
            }
            if kind.is_for(self.visit) and (wanted or of_label):
                found[kind.name] = _all(kind, self.visit, {*wanted, *of_label}.__contains__)
        return found

    def _digest(self, present: Mapping[str, Mapping[str, KindRow]], settings: Json | None) -> str:
        there = {
            kind: {name: found.stated for name, found in things.items()}
            for kind, things in present.items()
        }
        about = {
            "workspace": self.workspace,
            "stated": self.document,
            "there": there,
            "settings": settings,
            "marks": sorted([*key, label] for key, label in self.owned.items()),
            "how": [self.how.label, self.how.adopt, self.how.prune],
        }
        return f"sha256:{hashlib.sha256(b''.join(canonical(about))).hexdigest()}"

    def _settle(self, transaction: Transaction, before: Json | None) -> bool:
        """Create the workspace, or change its settings to the stated ones; return whether it exists
        afterwards.
        """
        wanted = self.document.get(SETTINGS, {})
        if before is not None and (
            not wanted or (self.state.put is not None and _within(wanted, before))
        ):
            self.unchanged += 1 if wanted else 0
            return True
        about = {"kind": "workspace" if before is None else SETTINGS, "name": self.workspace}
        with self._tried(transaction, about):
            if self.state.put is None:
                raise NotAllowed(
                    "not allowed: a workspace's token does not change settings",
                    hint="State them with a platform's token.",
                )
            warnings = self.state.put(self.workspace, wanted)[0].warnings
            told = {"warnings": [*warnings]} if warnings else {}
            after = self.state.find(self.workspace).settings.to_json()
            if before is None:
                self._row(_MADE, about, after=wanted, **told)
                return True
            changes = {
                name: {"before": before.get(name), "after": after.get(name)}
                for name in wanted
                if not _within(before.get(name), after.get(name))
            }
            if not changes:
                raise _Undone
            self._row(_CHANGED, about, members=changes, **told)
        return before is not None

    def _make_so(
        self,
        transaction: Transaction,
        kind: Kind[Any],
        name: str,
        spec: Json,
        found: KindRow | None,
    ) -> None:
        """Change an object to its stated form; its displayed form before and after decides whether
        it has changed.
        """
        key, about = (kind.name, name), {"kind": kind.name, "name": name}
        if found is not None and found.twins:
            self._row(
                "left",
                about,
                reason=f"{_others(found)} of this name, which no file can state",
            )
        if found is not None and kind.is_for(self.visit) and _holds(kind, spec, found.stated):
            self._same(key, about)
            return
        if kind.permanent and found is not None and not any(found.stated.values()):
            found = None
        with self._tried(transaction, about):
            self._require(kind, spec, found)
            if kind.passed is not None and (reason := kind.passed(spec, self.visit)):
                self._row("passed", about, reason=reason)
                raise _Undone
            after, done = self._done(kind, name, spec, found)
            told = {
                **({"secret": True} if done.secrets else {}),
                **({"afterwards": kind.after} if kind.after else {}),
                **({"warnings": [*done.warnings]} if done.warnings else {}),
            }
            if found is None:
                self._row(
                    _MADE,
                    about,
                    after={one: after.stated[one] for one in spec if one in after.stated},
                    **told,
                )
            else:
                self._tell_change(kind, about, spec, (found, after), told)
            self.made.add(key)
            self.there[key] = after
            if done.secrets:
                self.secrets.setdefault(kind.name, {})[name] = done.secrets

    def _tell_change(
        self,
        kind: Kind[Any],
        about: Mapping[str, str],
        spec: Json,
        moved: tuple[KindRow, KindRow],
        told: Json,
    ) -> None:
        """Record how an object has changed.

        :raises _Undone: if it has not, or must be left alone.
        """
        key, (found, after) = (kind.name, about["name"]), moved
        changes = _difference(kind, spec, found.stated, after.stated)
        if not changes and kind.secrets and found.shown["version"] != after.shown["version"]:
            told["reason"] = "a secret to which it refers has another content"
            changes = {
                "values": {
                    "before": found.stated["values"],
                    "after": after.stated["values"],
                }
            }
        if not changes:
            self._same(key, about)
            raise _Undone
        if self.owned.get(key) != self.how.label and not self.how.adopt:
            whose = (
                f"it is of the files with the label '{self.owned[key]}'"
                if key in self.owned
                else "it was made by hand"
            )
            self._row(
                "left",
                about,
                members=changes,
                reason=f"{whose}; {self._option('adopt')} takes it over",
            )
            raise _Undone
        if after.shown.get("id") != found.shown.get("id"):
            told |= (
                {"replaced": True, **hanging}
                if (hanging := self._hanging(kind, found))
                else {"replaced": True}
            )
        self._row(_CHANGED, about, members=changes, **told)

    def _same(self, key: tuple[str, str], about: Mapping[str, str]) -> None:
        """Count an object whose state equals the files'; take it over with ``adopt``."""
        self.unchanged += 1
        if self.how.adopt and self.owned.get(key) != self.how.label:
            self.made.add(key)
            self._row(_ADOPTED, about)

    def _done(
        self, kind: Kind[Any], name: str, spec: Json, found: KindRow | None
    ) -> tuple[KindRow, Done]:
        """Create or change an object, and return it, with what is told about it once."""
        answer = [self.answers[kind.name, name]] if (kind.name, name) in self.answers else []
        if answer and isinstance(answer[0], JackfieldError):
            raise InvalidInvocation(
                answer[0].message, details=answer[0].details, hint="Plan again when it answers."
            ) from None
        things, given = kind.opens(self.visit), self._resolved(kind, spec, found)
        done = (
            kind.make(things, name, given, *answer)
            if found is None
            else kind.change(things, found, given, *answer)
        )
        if done.row is None or done.row.name != name:
            raise InvalidInvocation(
                "it is not there under this name after it was made", hint="Choose another name."
            )
        return done.row, done

    def _require(self, kind: Kind[Any], spec: Json, found: KindRow | None) -> None:
        if not kind.is_for(self.visit):
            hint = "State it in files for 'jackfield apply'" + (
                "." if kind.operators else ", or send it with a token of the workspace."
            )
            raise NotAllowed(f"not allowed: this token does not change {kind.name}", hint=hint)
        members = kind.schema["properties"]
        for name in spec:
            if name not in members:
                hint = f"It may have {', '.join(members)}."
                raise InvalidInvocation(
                    f"the member '{name[:80]}' is unknown{did_you_mean(name, members)}", hint=hint
                )
        for name in kind.schema["required"]:
            if found is None and name not in spec:
                raise InvalidInvocation(f"the member '{name}' is missing", hint="State it.")
        if faults := self.state.judge(kind).judge(spec):
            count = "1 value is" if len(faults) == 1 else f"{len(faults)} values are"
            raise InvalidInvocation(
                f"{count} not valid", details=faults, hint="Correct what is stated."
            )

    def _resolved(self, kind: Kind[Any], spec: Json, found: KindRow | None) -> Json:
        """Replace references in members whose secrets must be stored by the secrets themselves."""
        values = spec.get("values")
        if not kind.secrets or not isinstance(values, Mapping):
            return spec
        stored = found.stated.get("values", {}) if found is not None else {}
        for name in sorted(kind.secrets & values.keys()):
            if values[name] == PLACEHOLDER and name not in stored:
                raise InvalidInvocation(
                    f"'{name}' is '{PLACEHOLDER}', which means an unchanged secret, but none is "
                    "stored here",
                    hint="State a reference to the secret.",
                )
            if isinstance(values[name], str) and values[name] != PLACEHOLDER:
                text = (
                    f"'{name}' must be a reference to the secret, such as {{\"$env\": "
                    f'"ACME_SECRET"}}'
                )
                raise InvalidInvocation(text, hint="A file must not contain secrets.")
        if self.visit.origin == "remote":
            self.visit.runtime.open_connections.check_references(values)
        given = {  # what is stored in another order stays, and is no change beside the secret
            name: stored[name] if as_set(stored.get(name)) == as_set(value) else value
            for name, value in Secrets(os.environ, self.visit.clock).resolve(values, ".").items()
        }
        return {**spec, "values": given}

    def _end(self, transaction: Transaction, kind: Kind[Any], found: KindRow) -> None:
        about, hanging = {"kind": kind.name, "name": found.name}, self._hanging(kind, found)
        if not self.how.prune:
            self._row(
                "left",
                about,
                reason=f"the files state it no more; {self._option('prune')} ends it"
                + (f", and {_others(found)} of this name" if found.twins else ""),
                **hanging,
            )
            return
        with self._tried(transaction, about):
            self._require(kind, {}, found)
            for one in (found, *found.twins):
                kind.end(kind.opens(self.visit), one)
            self.ended.add((kind.name, found.name))
            self.there.pop((kind.name, found.name), None)
            more = {"reason": f"and {_others(found)} of this name"} if found.twins else {}
            told = {"afterwards": kind.after} if kind.after else {}
            self._row(_ENDED, about, **hanging, **more, **told)

    def _hanging(self, kind: Kind[Any], found: KindRow) -> Json:
        things = kind.opens(self.visit)
        hangs = [each for one in (found, *found.twins) for each in kind.hangs(things, one)]
        return {"ends": hangs} if hangs else {}

    def _tell_people(self) -> None:
        """Record the steps that a person still has to take for the stated objects."""
        for kind, wanted in self._stated():
            found = (
                [one for name in wanted if (one := self.there.get((kind.name, name))) is not None]
                if kind.person is not None
                else []
            )
            for name, text in (
                (one.name, text) for one in found for text in (kind.person or tuple)(one)
            ):
                self._row("person", {"kind": kind.name, "name": name}, reason=text)

    def _option(self, name: str) -> str:
        return f"{name}=true" if self.visit.origin == "remote" else f"--{name}"

    @contextmanager
    def _tried(self, transaction: Transaction, about: Mapping[str, str]) -> Iterator[None]:
        """Roll back the block's changes if it ends with ``_Undone``, or is refused, which a row
        reports.
        """
        try:
            with transaction.savepoint():
                yield
        except _Undone:
            pass
        except Unavailable:
            raise
        except JackfieldError as error:
            shown = {**about, "name": shown_name(about["name"])}
            self._row(_REFUSED, shown, problem=_error_text(error))

    def _row(self, act: str, about: Mapping[str, str], **more: Any) -> None:
        self.rows.append({"workspace": self.workspace, **about, "act": act, **more})


def refuse(planned: Mapping[str, Planned]) -> None:
    """Refuse plans in which something is refused.

    :raises InvalidInvocation: with all faults at once.
    """
    rows = [row for one in planned.values() for row in one.rows if row["act"] == _REFUSED]
    details = [
        Detail(
            child(child(child("/workspaces", row["workspace"]), row["kind"]), row["name"]),
            row["problem"],
        )
        for row in rows
    ]
    if details:
        count = (
            "1 thing that is stated is"
            if len(details) == 1
            else f"{len(details)} things that are stated are"
        )
        raise InvalidInvocation(
            f"{count} refused: {details[0].message}", details=details, hint="Nothing was changed."
        )


def told(planned: Mapping[str, Planned]) -> Json:
    """Return the planned or completed changes in workspaces as a document, with the digest of all
    changes.
    """
    text = "\n".join(f"{name} {one.digest}" for name, one in sorted(planned.items()))
    rows = [row for one in planned.values() for row in one.rows]
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return {
        "digest": digest,
        "rows": rows,
        "unchanged": sum(one.unchanged for one in planned.values()),
    }


def require_seen(seen: str | None, planned: Mapping[str, Planned]) -> None:
    """Require that plans have the digest ``seen``, unless it is None.

    :raises StateMoved: if they differ.
    """
    if seen not in (None, told(planned)["digest"]):
        raise StateMoved(
            "files or state are not those of the plan",
            hint="Plan again, and look at what is different. Nothing was changed.",
        )


def _changed(settings: Settings) -> Json:
    usual, shown = Settings().to_json(), settings.to_json()
    counted = ("since", "paused")
    shown["guards"] = {
        name: {one: value for one, value in guard.items() if one not in counted}
        for name, guard in shown["guards"].items()
    }
    return {name: value for name, value in shown.items() if value != usual.get(name)}


def _every(_name: str) -> bool:
    return True


def _all(
    kind: Kind[Any], visit: Visit, wanted: Callable[[str], bool] = _every, most: int | None = None
) -> dict[str, KindRow]:
    """Return at most ``most`` objects of a kind whose names are ``wanted``, by name; of several
    objects of one name, the first, with its twins.
    """
    found = dict[str, KindRow]()
    for one in islice(kind.all(kind.opens(visit), wanted), most):
        first = found.get(one.name)
        found[one.name] = one if first is None else first._replace(twins=(*first.twins, one))
    return found


def _others(found: KindRow) -> str:
    count = len(found.twins)
    return f"another one ({found.twins[0].key})" if count == 1 else f"{count:,} others"


def _difference(
    kind: Kind[Any], stated: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Json:
    differing = (
        name
        for name in stated
        if kind.meaning(name, before.get(name)) != kind.meaning(name, after.get(name))
    )
    return {name: {"before": before.get(name), "after": after.get(name)} for name in differing}


def _holds(kind: Kind[Any], spec: Mapping[str, Any], stated: Mapping[str, Any]) -> bool:
    return all(
        name in stated and kind.meaning(name, stated[name]) == kind.meaning(name, value)
        for name, value in spec.items()
    )


def _within(wanted: Any, present: Any) -> bool:
    """Return whether the wanted settings are contained in the present ones. The order of their
    lists has no meaning.
    """
    if isinstance(wanted, Mapping) and isinstance(present, Mapping):
        return all(_within(value, present.get(name)) for name, value in wanted.items())
    return bool(as_set(wanted) == as_set(present))


def _error_text(error: JackfieldError) -> str:
    details = "; ".join(
        f"{one.path}: {one.message}"
        for one in error.details[:5]
        if one.message not in error.message
    )
    return f"{error.message} ({details})" if details else error.message
