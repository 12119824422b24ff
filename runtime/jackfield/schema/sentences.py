"""One sentence for each keyword that can refuse a value."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from jackfield.kernel.errors import Detail, nearest
from jackfield.kernel.patterns import SLOW, slow_is_spent, sorted_pattern
from jackfield.kernel.pointers import MAX_NAME, child, cut, pointer, shown
from jackfield.schema.engine import names_rule
from jackfield.schema.explain import Explainer, StepBudget
from jackfield.schema.facts import described, described_each, types_of
from jackfield.schema.formats import FORMATS, JUDGED_HERE
from jackfield.schema.json_types import first_twins, is_same, kind_of, type_words, value_word
from jackfield.schema.nesting import homes, missing_leaves, parts_of
from jackfield.schema.wording import count, either, escaped, listed, name_of, one_of, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jackfield.schema.explain import Explainer, Fault, Sentence
    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json, Node

_MARKS = "[.'\u2019\\s]"
"""Regular expression of separators between groups of digits in numbers with a decimal comma."""
_COMMA = f"([+-]?[0-9]+|[+-]?[0-9]{{1,3}}(?:{_MARKS}[0-9]{{3}})+),([0-9]+)"
_GROUPED = "[+-]?[0-9]{1,3}(?:[,'\u2019\\s][0-9]{3})+(?:[.][0-9]+)?"
_SAYS_NOTHING = frozenset({"title", "description", "$comment", "type", "properties", "required"})


def any_of(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain why no branch matches."""
    branches = fault.node[str(fault.keyword)]
    if _only_names(branches) and isinstance(fault.value, dict):
        yield from _missing_names(scope, branches, fault)
        return
    likely = _likely(scope.facts, branches, fault.value)
    # whoever gives another value meant another branch
    other = len(likely) == 1 < len(branches) and _is_one_value(branches[likely[0]])
    if len(likely) == 1 and not other and scope.affords(fault.value):
        yield from scope.below(_branch(fault, likely[0]), fault.value, fault.path)
        return
    if len(likely) > 1 and _says_nothing(
        scope.facts, [branches[index] for index in likely], fault.value
    ):
        found = _nearest(scope, fault, likely)
        if found:
            yield from found
            return
    text = scope.shown_value(fault) if other else "" if likely else value_word(fault.value)
    actual = f", not {text}" if text else ""
    likely = [] if other else likely
    nodes = [branches[index] for index in likely] or list(branches)
    yield fault.detail(f"must be {described_each(scope.facts, nodes)}{actual}")


def _says_nothing(facts: SchemaFacts, nodes: list[Node], value: Json) -> bool:
    """Return whether a description of these branches would not distinguish the value, which has the
    type and the members that they require.
    """
    if isinstance(value, dict) and all(_names_present(facts, node, value) for node in nodes):
        return True
    return isinstance(value, dict | list) and described_each(facts, nodes) == value_word(value)


def _nearest(scope: Explainer, fault: Fault, likely: Sequence[int]) -> list[Detail]:
    """Return the faults of the branch with the fewest faults, without those that an equally near
    branch lacks; an empty list if the search costs too much.
    """
    found: list[list[Detail]] = []
    for index in likely:
        if not scope.affords(fault.value):
            return []
        found.append(list(scope.below(_branch(fault, index), fault.value, fault.path)))
    fewest = min(map(len, found))
    first, *others = [details for details in found if len(details) == fewest]
    return [detail for detail in first if all(detail in details for details in others)] or first


def one_of_them(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain why no branch matches, or which of the matching branches exclude each other."""
    branches = fault.node["oneOf"]
    fitting = [
        sub for index, sub in enumerate(branches) if scope.fits(_branch(fault, index), fault.value)
    ]
    if not fitting:
        yield from any_of(scope, fault)
    elif _only_names(branches):
        yield Detail(
            shown(child(fault.path, _names(fitting)[0])),
            f"give only one of {_name_list(branches)}",
            "oneOf",
        )
    else:
        yield fault.detail(
            f"must fit exactly one of the {count(len(branches), 'form')} that are allowed here, "
            f"and fits {len(fitting)}"
        )


def _missing_names(scope: Explainer, branches: Sequence[Node], fault: Fault) -> Iterator[Detail]:
    complete = [
        index
        for index, sub in enumerate(branches)
        if all(name in fault.value for name in _required_names(sub))
    ]
    if complete and scope.affords(fault.value):  # no member is missing; those present are invalid
        for index in complete:
            yield from scope.below(_branch(fault, index), fault.value, fault.path)
        return
    words = "at least one of" if fault.keyword == "anyOf" else "exactly one of"
    yield Detail(
        shown(child(fault.path, _names(branches)[0])),
        f"give {words} {_name_list(branches)}",
        "required",
    )


def _branch(fault: Fault, index: int) -> str:
    return child(child(fault.place, str(fault.keyword)), index)


def _only_names(branches: Sequence[Node]) -> bool:
    """Return True if the branches differ only in required members. Constants in members would
    distinguish branches in another way.
    """
    return all(
        not isinstance(sub, bool)
        and sub.get("required")
        and _SAYS_NOTHING.issuperset(sub)
        and not any(
            "const" in member or "enum" in member
            for member in sub.get("properties", {}).values()
            if isinstance(member, dict)
        )
        for sub in branches
    )


def _required_names(node: Node) -> list[str]:
    return [] if isinstance(node, bool) else list(node["required"])


def _names(branches: Sequence[Node]) -> list[str]:
    return [name for sub in branches for name in _required_names(sub)]


def _name_list(branches: Sequence[Node]) -> str:
    groups = [" with ".join(map(name_of, _required_names(sub))) for sub in branches]
    return listed(list(dict.fromkeys(groups)), "and")


def _is_one_value(node: Node) -> bool:
    return not isinstance(node, bool) and ("const" in node or len(node.get("enum", ())) == 1)


def _likely(facts: SchemaFacts, branches: Sequence[Node], value: Json) -> list[int]:
    """Return the branches that the caller probably meant: by the value's type, then by constants,
    then by the members present.
    """
    likely = [index for index, sub in enumerate(branches) if kind_of(value) in facts.accepted(sub)]
    if isinstance(value, dict):
        for narrow in (_constants_match, _names_present):
            likely = [index for index in likely if narrow(facts, branches[index], value)] or likely
    return likely


def _constants_match(facts: SchemaFacts, node: Node, value: Mapping[str, Json]) -> bool:
    return all(
        is_same(value.get(name), sub["const"])
        for part in facts.always([node])
        for name, sub in part.get("properties", {}).items()
        if not isinstance(sub, bool) and "const" in sub
    )


def _names_present(facts: SchemaFacts, node: Node, value: Mapping[str, Json]) -> bool:
    return all(name in value for part in facts.always([node]) for name in part.get("required", ()))


def not_this(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain that the value matches a ``not``."""
    refused = fault.node["not"]
    # naming the refused value would quote the secret
    if isinstance(refused, bool) or not refused or scope.is_secret(fault.path):
        message = "is not allowed here"
    elif _only_names([refused]) and "properties" not in refused:
        names = list(map(name_of, _required_names(refused)))
        message = f"must not have {listed(names, 'and')}{' together' if len(names) > 1 else ''}"
    elif set(refused) <= {"type", "const", "enum", "format", "$ref"}:
        message = f"must not be {described(scope.facts, refused)}"
    else:
        message = "is of a form that is not allowed here"
    yield fault.detail(message)


MAX_PARTS = 1 << 13
"""Limit for a complete search for faults: the value's parts times the errors that each may have.
Each error takes kilobytes.
"""
MOST_SEARCHED = 99
"""Maximum number of faults that are searched for in a value that is too large for a complete
search.
"""
MAX_TEXT = 32 << 20
"""Maximum characters in a value that is searched completely."""
MAX_COPIED = 512 << 20
"""Maximum estimated bytes that the engine copies into errors in a complete search (a part for each
level above it and each error).
"""
_PART = 100
"""Estimated bytes in the engine for a number, a name, or an array."""
MAX_PATTERN = 200
"""Maximum length of a pattern that a message quotes whole."""
MAX_HOMES = 3
"""Maximum number of objects that are named as places of a member."""
MAX_SUGGESTED = 20
"""Maximum unknown names of one object for which a similar known name is searched."""


def explain(facts: SchemaFacts, value: Json) -> Iterator[Detail]:
    """Explain every fault of a value, in the engine's order, with possible duplicates. For a very
    large value, explain only the first faults.
    """
    extent = _Extent(value)
    explainer = Explainer(
        facts,
        SENTENCES,
        value,
        odd=extent.odd,
        budget=StepBudget(facts.cost, MAX_PARTS // facts.spread),
    )
    if extent.copied > MAX_COPIED:
        yield Detail("", "is not what the schema describes; it is too large to be told where")
    elif (
        extent.parts * facts.spread <= MAX_PARTS
        and extent.text <= MAX_TEXT
        and extent.copied * facts.spread <= MAX_COPIED
    ):
        yield from explainer.details(facts.validator_at("").iter_errors(value))
    else:
        found = list(islice(explainer.piecewise("", value, ""), MOST_SEARCHED))
        yield from found
        first = "is" if len(found) == 1 else f"{len(found)} are"
        yield Detail(
            "", f"may have more faults: in a value of this size only the first {first} looked for"
        )


class _Extent:
    """Size of a value: parts, characters, and the bytes copied if each part and all above it fail.
    ``odd`` marks unusual names.
    """

    def __init__(self, value: Json) -> None:
        self.parts = self.text = self.copied = depth = 0
        self.odd = False
        level: list[tuple[Json, int]] = [(value, 0)]
        while level and self.copied <= MAX_COPIED:
            depth += 1
            below: list[tuple[Json, int]] = []
            for part, path in level:
                size = 0
                if isinstance(part, str):
                    size = len(part)
                elif isinstance(part, list):
                    below += [(item, path) for item in part]
                elif isinstance(part, dict):
                    size = sum(map(len, part))
                    self.odd = self.odd or any(
                        not name or name.lstrip("+").isdigit() for name in part
                    )
                    below += [(member, path + len(name)) for name, member in part.items()]
                self.text += size
                self.copied += (_PART + size) * depth + path
            self.parts += len(level)
            level = below


def _type(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    types, fraction = (
        types_of(fault.node),
        kind_of(fault.value) == "fraction" and "integer" in types_of(fault.node),
    )
    meant = (
        None
        if scope.is_secret(fault.path) or not {"number", "integer"} & {*types}
        else _number_meant(fault.value)
    )
    text = scope.shown_value(fault) if fraction or meant else value_word(fault.value)
    yield fault.detail(
        "must be "
        f"{either(type_words(types))}{f', not {text}' if text else ''}{f': write {meant}' if meant else ''}"
    )


def _number_meant(value: Json) -> str | None:
    """Return the JSON form of a number in another notation, with a decimal comma or groups of
    digits; None for any other value.
    """
    text = value.strip() if isinstance(value, str) and len(value) <= MAX_NAME else ""
    if found := re.fullmatch(_COMMA, text):
        whole, decimals = re.sub(_MARKS, "", found[1]), found[2]
        is_group = len(decimals) == 3 and found[1].lstrip("+-").isdigit()
        return (
            f"{whole}{decimals}, or {whole}.{decimals} with a point"
            if is_group
            else f"{whole}.{decimals}"
        )
    return re.sub("[,'\u2019\\s]", "", text) if re.fullmatch(_GROUPED, text) else None


def _enum(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    allowed, text = fault.node["enum"], scope.shown_value(fault)
    choice = "" if len(allowed) == 1 else "one of "
    if text is None:
        yield fault.detail(f"must be {choice}{one_of(allowed)}")
        return
    near = None
    if isinstance(fault.value, str) and len(fault.value) <= MAX_NAME:
        near = nearest(fault.value, [item for item in allowed if isinstance(item, str)])
    yield fault.detail(
        f"{text} is not "
        f"{choice}{one_of(allowed)}{f'; did you mean {quote(near)}?' if near is not None else ''}"
    )


def _limit(words: str) -> Sentence:
    def sentence(scope: Explainer, fault: Fault) -> Iterator[Detail]:
        text = scope.shown_value(fault)
        yield fault.detail(
            "must be "
            f"{words}{quote(fault.node[str(fault.keyword)])}{f', not {text}' if text else ''}"
        )

    return sentence


def _length(noun: str, words: str, adjective: str = "") -> Sentence:
    def sentence(scope: Explainer, fault: Fault) -> Iterator[Detail]:
        limit, actual = fault.node[str(fault.keyword)], len(fault.value)
        if not actual and limit == 1:
            yield fault.detail("must not be empty")
            return
        tail = "" if scope.is_secret(fault.path) else f", not {actual}"
        yield fault.detail(f"must {words} {count(limit, noun)}{adjective}{tail}")

    return sentence


def _pattern(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    expects = fault.node.get("x-jackfield", {}).get("expects")
    text, pattern = scope.shown_value(fault), scope.facts.author_pattern(fault.node["pattern"])
    phrase = (
        f"is not {expects}"
        if expects
        else f"does not match the pattern '{cut(pattern, MAX_PATTERN)}'"
    )
    yield fault.detail(f"{text} {phrase}" if text else phrase)


def _slow_pattern(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    pattern = fault.node["format"].removeprefix(SLOW)
    limit = sorted_pattern(pattern).limit or 0
    if len(fault.value) > limit:
        yield Detail(
            shown(fault.path),
            f"must be at most {count(limit, 'character')} long to be compared with its pattern",
            "pattern",
        )
        return
    expects, text = fault.node["x-jackfield"].get("expects"), scope.shown_value(fault)
    phrase = (
        f"is not {expects}"
        if expects
        else f"does not match the pattern '{cut(pattern, MAX_PATTERN)}'"
    )
    phrase += ", or is one text too many to be compared with it" if slow_is_spent() else ""
    yield Detail(shown(fault.path), f"{text} {phrase}" if text else phrase, "pattern")


def _format(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    name = fault.node["format"]
    if name in scope.facts.slow:
        yield from _slow_pattern(scope, fault)
        return
    phrase, judged = (
        f"is not {FORMATS.get(name) or f'of the format {name_of(name)}'}",
        JUDGED_HERE.get(name),
    )
    if judged is not None and not scope.is_secret(fault.path):
        phrase = judged.fault(fault.value) or phrase
    text = scope.shown_value(fault)
    yield fault.detail(f"{text} {phrase}" if text else phrase)


def _no_more_items(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain ``items: false``. The engine's errors for further items count as one fault of the
    array.
    """
    path, _, index = fault.path.rpartition("/")
    array = scope.value_at(fault.steps[:-1])
    yield from (
        _too_many(scope, path, len(fault.node.get("prefixItems", ())), len(array), "items")
        if index
        else ()
    )


def _unseen_items(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    node, items = fault.node, fault.value
    seen = list(_failed_parts(scope, fault))
    if any("items" in sub or "unevaluatedItems" in sub for sub in seen):
        return  # that part's own faults are reported
    first = max(len(sub.get("prefixItems", ())) for sub in (node, *seen))
    if node["unevaluatedItems"] is False:
        limit = max(first, len(items) - len(fault.error.kind.unexpected))
        if len(items) > limit:
            yield from _too_many(scope, fault.path, limit, len(items), "unevaluatedItems")
        return
    contains = f"{fault.place}/contains" if "contains" in node else None
    for index in range(first, len(items)):
        if contains is None or not scope.facts.validator_at(contains).is_valid(items[index]):
            yield from scope.below(
                f"{fault.place}/unevaluatedItems", items[index], child(fault.path, index)
            )


def _too_many(
    scope: Explainer, path: str, limit: int, actual: int, keyword: str
) -> Iterator[Detail]:
    tail = "" if scope.is_secret(path) else f", not {actual}"
    yield Detail(
        shown(path),
        f"must be at most {count(limit, 'item')} long{tail}" if limit else "must be empty",
        keyword,
    )


def _unique(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    twins = None if scope.is_secret(fault.path) else first_twins(fault.value)
    where = f": items {twins[0]} and {twins[1]} are equal" if twins else ""
    yield fault.detail(f"must not contain an item twice{where}")


def _contains(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    node, most = fault.node, fault.keyword == "maxContains"
    limit = node["maxContains"] if most else node.get("minContains", 1)
    part = scope.facts.validator_at(f"{fault.place}/contains")
    tail = "" if scope.is_secret(fault.path) else f", not {sum(map(part.is_valid, fault.value))}"
    are = "is" if limit == 1 else "are each"
    bound = f"{'most' if most else 'least'} {count(limit, 'item')}"
    words = f"must contain at {bound} that {are} {described(scope.facts, node['contains'])}{tail}"
    yield Detail(shown(fault.path), words, "maxContains" if most else "contains")


def _required(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain each missing member, with its own name; for a missing object, its required
    members.
    """
    name = fault.error.kind.property
    for steps in missing_leaves(
        scope.facts, fault.node.get("properties", {}).get(name, True), (name,)
    ):
        yield Detail(
            shown(fault.path + pointer(*steps)), f"{name_of(steps[-1])} is missing", "required"
        )


def _dependent(_scope: Explainer, fault: Fault) -> Iterator[Detail]:
    name = fault.error.kind.property
    for trigger, needed in fault.node["dependentRequired"].items():
        if trigger in fault.value and name in needed:
            message = f"{name_of(name)} is missing: it is needed together with {name_of(trigger)}"
            yield Detail(shown(child(fault.path, name)), message, "dependentRequired")


def _additional(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    yield from _unknown(scope, fault, _unexpected(fault))


def _unseen_members(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    parts = list(_failed_parts(scope, fault))
    names = [
        name
        for name in _unexpected(fault)
        if not any(_looks_at(scope.facts, sub, name) for sub in parts)
    ]
    if fault.node["unevaluatedProperties"] is False:
        yield from _unknown(scope, fault, names)
        return
    for name in names:
        yield from scope.below(
            f"{fault.place}/unevaluatedProperties", fault.value[name], child(fault.path, name)
        )


def _unexpected(fault: Fault) -> Iterable[str]:
    """Return the members that the schema does not define. If it defines none, the engine does not
    list them.
    """
    kind = fault.error.kind
    return list(kind.unexpected if hasattr(kind, "unexpected") else fault.value)


def _unknown(scope: Explainer, fault: Fault, names: Iterable[str]) -> Iterator[Detail]:
    noun = "a member of this object"
    if not fault.path:
        noun = f"{'an' if scope.facts.noun[:1] in 'aeiou' else 'a'} {scope.facts.noun}"
    known = dict.fromkeys(
        name for part in parts_of(scope.facts, fault.node) for name in part.get("properties", ())
    )
    for number, name in enumerate(names):
        message = f"{name_of(name)} is not {noun}"
        if number < MAX_SUGGESTED and len(name) <= MAX_NAME:
            message = _elsewhere(scope.facts, fault, name) or f"{message}{_suggestion(name, known)}"
        yield Detail(shown(child(fault.path, cut(name))), message, fault.keyword)


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {name_of(near)}?" if near else ""


def _elsewhere(facts: SchemaFacts, fault: Fault, name: str) -> str | None:
    """Return a sentence about the nested members in which an unknown name is defined, if these are
    few; else None.
    """
    found = homes(facts, fault.node, name)
    if not 0 < len(found) <= MAX_HOMES:
        return None
    places = listed([name_of(".".join(steps)) for steps in found], "and in")
    return (
        f"{name_of(name)} is in {places}; write "
        f"{escaped('.'.join((*found[0], name)))}{', for instance' if len(found) > 1 else ''}"
    )


def _looks_at(facts: SchemaFacts, node: Mapping[str, Json], name: str) -> bool:
    if (
        name in node.get("properties", ())
        or "additionalProperties" in node
        or "unevaluatedProperties" in node
    ):
        return True
    return any(facts.matches(pattern, name) for pattern in node.get("patternProperties", ()))


def _failed_parts(scope: Explainer, fault: Fault) -> Iterator[Mapping[str, Json]]:
    """Yield the failed parts of a schema for the same value, the only reason for which the engine
    calls their members unevaluated.

    Their own faults are reported already; reporting every member as unknown would hide these.
    """
    values = tuple(fault.error.instance_path)
    pending = [(tuple(fault.error.evaluation_path[:-1]), fault.node)]
    while pending:
        way, node = pending.pop()
        for sub_way, sub in _in_place(scope, node, way, values, fault.value):
            if isinstance(sub, dict):
                yield sub
                pending.append((sub_way, sub))


def _in_place(
    scope: Explainer,
    node: Mapping[str, Json],
    way: tuple[str | int, ...],
    values: tuple[str | int, ...],
    value: Json,
) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in node:
            yield (*way, keyword), scope.facts.targets[node[keyword]]
    for keyword in ("allOf", "anyOf", "oneOf"):
        if keyword == "allOf" or ((*way, keyword), values) in scope.failed:
            yield from (
                ((*way, keyword, index), sub) for index, sub in enumerate(node.get(keyword, ()))
            )
    if isinstance(value, dict):
        yield from (
            ((*way, "dependentSchemas", name), sub)
            for name, sub in node.get("dependentSchemas", {}).items()
            if name in value
        )
    for keyword in ("then", "else"):
        if ((*way, keyword), values) in scope.failed:
            yield (*way, keyword), node.get(keyword)


def _not(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain ``not``, and its use for ``propertyNames``: each bad name at its own place."""
    if names_rule(fault.node) is None:
        yield from not_this(scope, fault)
        return
    rule = f"{fault.place}/not/not/propertyNames"
    for name in fault.value:
        for detail in scope.below(rule, name, child(fault.path, name)):
            place = shown(child(fault.path, cut(name)))
            yield Detail(
                place, f"has a name that is not allowed: {detail.message}", "propertyNames"
            )


def _recursive(scope: Explainer, fault: Fault) -> Iterator[Detail]:
    """Explain a value by the target of a recursive reference, as long as there are steps left."""
    reference = fault.node[str(fault.keyword)]
    if scope.affords(fault.value):
        yield from scope.below(scope.facts.shallow.place_of(reference), fault.value, fault.path)
    else:
        yield Detail(
            shown(fault.path), f"must be {described(scope.facts, scope.facts.targets[reference])}"
        )


def _not_allowed(_scope: Explainer, fault: Fault) -> Iterator[Detail]:
    if fault.error.kind.name == "falseSchema":
        yield Detail(shown(fault.path), "is not allowed here")
    else:
        yield fault.detail("is not what the schema describes")


SENTENCES: Mapping[str | None, Sentence] = {
    None: _not_allowed,
    "type": _type,
    "enum": _enum,
    "const": _limit(""),
    "minimum": _limit("at least "),
    "maximum": _limit("at most "),
    "exclusiveMinimum": _limit("above "),
    "exclusiveMaximum": _limit("below "),
    "multipleOf": _limit("a multiple of "),
    "minLength": _length("character", "be at least", " long"),
    "maxLength": _length("character", "be at most", " long"),
    "minItems": _length("item", "be at least", " long"),
    "maxItems": _length("item", "be at most", " long"),
    "minProperties": _length("member", "have at least"),
    "maxProperties": _length("member", "have at most"),
    "pattern": _pattern,
    "format": _format,
    "items": _no_more_items,
    "unevaluatedItems": _unseen_items,
    "uniqueItems": _unique,
    "contains": _contains,
    "minContains": _contains,
    "maxContains": _contains,
    "required": _required,
    "dependentRequired": _dependent,
    "additionalProperties": _additional,
    "unevaluatedProperties": _unseen_members,
    "anyOf": any_of,
    "oneOf": one_of_them,
    "not": _not,
    "$ref": _recursive,
    "$dynamicRef": _recursive,
}
"""Functions that explain a fault, by keyword; None for ``false`` and for keywords without their own
sentence.
"""
