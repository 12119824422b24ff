"""``jackfield completion``: completion scripts for shells, and ``jackfield __complete WORDS…
CURRENT``, which they call on each Tab.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged, topics
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb, Verbs
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.local import home

if TYPE_CHECKING:
    from jackfield.catalog import Catalog

_BASH = r"""# bash completion for jackfield:  source <(jackfield completion bash)
_jackfield() {
    local line word prefix cursor=$COMP_CWORD
    local -a words=()
    # bash splits words at '=' and ':'; join them again, and offer only what follows the last of these
    for ((i = 1; i <= cursor; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#words[@]})) && [[ $word == [=:]* || ${words[-1]} == *[=:] && ${words[-1]} != -* ]] && ((i > 1)); then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    ((${#words[@]})) || words=("")
    prefix=${words[-1]%"${COMP_WORDS[cursor]}"}
    [[ ${COMP_WORDS[cursor]} == [=:]* ]] && prefix=${words[-1]}
    COMPREPLY=()
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        word=${word#"$prefix"}
        [[ -n $word ]] && COMPREPLY+=("$word")
    done < <(jackfield __complete -- "${words[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o default -F _jackfield jackfield
"""

_ZSH = r"""#compdef jackfield
# zsh completion for jackfield:  jackfield completion zsh > "${fpath[1]}/_jackfield"
_jackfield() {
    local line word
    local -a open closed
    for line in "${(@f)$(jackfield __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        word=${line%%$'\t'*}
        word=${word//:/\\:}
        [[ $line == *$'\t'* ]] && word+=":${line#*$'\t'}"
        if [[ ${line%%$'\t'*} == *= ]]; then open+=("$word"); else closed+=("$word"); fi
    done
    (( $#open )) && _describe -t inputs 'input' open -S ''
    (( $#closed )) && _describe -t words 'word' closed
    (( $#open + $#closed )) || _files
}
if [[ $funcstack[1] == _jackfield ]]; then _jackfield "$@"; else compdef _jackfield jackfield; fi
"""

_FISH = r"""# fish completion for jackfield:  jackfield completion fish | source
function __jackfield_complete
    set -l words (commandline -opc) (commandline -ct)
    jackfield __complete -- $words[2..] 2>/dev/null
end
complete -c jackfield -a '(__jackfield_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""Completion script of each shell."""

Candidates = Iterator[tuple[str, str]]
_OFFERED = 1000


def _declare(parser: Parser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS))


def _run(arguments: Namespace, output: Output) -> int:
    output.text(SCRIPTS[arguments.shell])
    return 0


VERBS = {"": Verb("Print a shell completion script.", _declare, _run)}


def complete(words: Sequence[str]) -> list[str]:
    """Return candidates for the last of ``words``, with a tab and a description if known; an empty
    list after an error.
    """
    *before, current = (words[1:] if words[:1] == ["--"] else words) or [""]
    try:
        found = [
            (word, about)
            for word, about in _candidates(before, current)
            if word.startswith(current) and _is_due(word, current)
        ]
    except JackfieldError:  # a broken connector or file offers no candidates
        return []
    return [f"{word}\t{_one_line(about)}" if about else word for word, about in found]


def _is_due(word: str, current: str) -> bool:
    """Return whether to offer a candidate now: values of an input only after its name is
    complete.
    """
    return word.endswith("=") != ("=" in current) if "=" in word else True


def _one_line(text: str) -> str:
    first = text.strip().partition("\n")[0]
    return "".join(letter for letter in first if letter.isprintable())[:100]


def _candidates(before: Sequence[str], current: str) -> Candidates:
    if not before:
        yield from sorted(
            (name.partition(".")[0], about)
            for commands in topics().values()
            for name, about in commands.items()
        )
        return
    name, *words = before
    found = (
        built_in(name)
        if name in BUILT_IN
        else load_plugged(plugged()[name])
        if name in plugged()
        else {}
    )
    if callable(found):
        return
    verbs: Verbs = found
    if "" in verbs:
        yield from _arguments(name, verbs[""].parser(name), words, current)
    elif not words:
        yield from ((key, verb.summary) for key, verb in verbs.items())
    elif words[0] in verbs:
        command = f"{name} {words[0]}"
        yield from _arguments(command, verbs[words[0]].parser(command), words[1:], current)


def _arguments(command: str, parser: Parser, words: Sequence[str], current: str) -> Candidates:
    option = parser.flags.get(words[-1]) if words else None
    if option is not None and option.nargs != 0:
        yield from ((str(choice), "") for choice in option.choices or ())
        if words[-1] == "--connection":
            yield from (_connection_types if command == "schema" else _connections)(
                _positional(parser, words)
            )
        return
    if current.startswith("-"):
        yield from ((flag, action.help or "") for flag, action in parser.flags.items())
        return
    found = _POSITIONAL.get(command)
    if found is not None:
        yield from found(_positional(parser, words))


def _positional(parser: Parser, words: Sequence[str]) -> list[str]:
    found, takes_next = [], False
    for word in words:
        option = parser.flags.get(word)
        if not takes_next and option is None:
            found.append(word)
        takes_next = option is not None and option.nargs != 0
    return found


def _catalog() -> Catalog:
    from jackfield.catalog import installed_here

    return installed_here(os.environ)


def _connectors(words: Sequence[str]) -> Candidates:
    if not words:
        yield from ((entry.key, entry.title) for entry in _catalog().entries())


def _actions(words: Sequence[str]) -> Candidates:
    if len(words) != 1:
        yield from _connectors(words)
        return
    yield from ((action.key, action.title) for action in _catalog().find(words[0]).actions.values())


def _inputs(words: Sequence[str]) -> Candidates:
    if len(words) < 2:
        yield from _actions(words)
        return
    action = _catalog().find(words[0]).actions.get(words[1])
    properties = action.inputs.get("properties") if action is not None else None
    for name, schema in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(schema, dict):
            continue
        yield f"{name}=", schema.get("title") or ""
        choices = [True, False] if schema.get("type") == "boolean" else schema.get("enum") or ()
        yield from (
            (f"{name}={str(choice).lower() if isinstance(choice, bool) else choice}", "")
            for choice in choices
        )


def _option_sources(words: Sequence[str]) -> Candidates:
    if len(words) != 1:
        yield from _connectors(words)
        return
    for source in _catalog().find(words[0]).raw.get("optionSources", ()):
        yield source["key"], source.get("title", "")


def _connection_types(words: Sequence[str]) -> Candidates:
    if words:
        yield from (
            (kind.key, kind.title) for kind in _catalog().find(words[0]).connection_types.values()
        )


def _connections(_words: Sequence[str]) -> Candidates:
    from jackfield.connections.connection_lookup import Connections, sources_from

    yield from ((item.name, item.type) for item in Connections(sources_from(os.environ)).files())
    if (
        os.environ.get("JACKFIELD_DATABASE_URL") or os.environ.get("JACKFIELD_HOME") or "none"
    ) != "none":
        yield from _stored_connections(os.environ.get("JACKFIELD_WORKSPACE") or "default")


def _stored_connections(workspace: str) -> Candidates:
    """List connections of a configured database. The default database is not opened, since each Tab
    would then import the pipeline.
    """
    from jackfield.cli import logs
    from jackfield.composition import composed
    from jackfield.kernel.clock import SystemClock

    logs.configure()
    store = composed(workspace, None, os.environ, SystemClock(), lambda: None, None)
    store.storage.migrates = False
    with closing(store.storage):
        opened = store.connection_table
        yield from (
            (item.name, item.type)
            for item in (opened().list(limit=_OFFERED) if opened is not None else ())
        )


def _shells(words: Sequence[str]) -> Candidates:
    if not words:
        yield from ((shell, "") for shell in SCRIPTS)


def _names(words: Sequence[str]) -> Candidates:
    if not words:
        yield from _connections(words)


def _installed(words: Sequence[str]) -> Candidates:
    from jackfield.catalog.installations import InstallationFolder

    if not words:
        yield from dict.fromkeys(
            (point.name, "") for point in InstallationFolder(home(os.environ)).points()
        )


_POSITIONAL: Mapping[str, Callable[[Sequence[str]], Candidates]] = {
    "invoke": _inputs,
    "connectors show": _connectors,
    "schema": _actions,
    "options": _option_sources,
    **dict.fromkeys(
        [
            f"connections {verb}"
            for verb in ("show", "test", "replace", "rename", "remove", "export", "policy")
        ],
        _names,
    ),
    "completion": _shells,
    **dict.fromkeys(["upgrade", "uninstall"], _installed),
}
