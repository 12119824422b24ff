"""The completion scripts. Each asks ``jackfield __complete`` on a Tab and offers what it answers: a word, a tab, its meaning."""

from __future__ import annotations

__all__ = ["SCRIPTS"]

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
"""The script of each shell."""
