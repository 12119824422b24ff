"""Synonyms for words of a query: the words that people use ("text message", "show", "server"), and
the words in names of actions.
"""

from __future__ import annotations

from functools import cache

from jackfield.catalog.query_words import query_words, stem, words_of
from jackfield.kernel.dataclass import dataclass

_VERBS = """
create: add new make register build
add: create put attach insert
new: create
make: create
open: create
register: create add verify
insert: put create
delete: remove drop destroy terminate
remove: delete detach
drop: delete
erase: delete
destroy: delete terminate
list: describe search
show: get list describe
see: get list describe
view: get describe
find: search list get lookup describe
search: find list filter
lookup: find get
get: describe list read download
read: get list describe receive
fetch: get
retrieve: get
download: get
check: get describe
change: update modify set put
edit: update modify
modify: update
update: modify change put
rename: update
set: put update modify
adjust: update modify
store: put create save
save: put create store
write: put create
upload: put
put: create upload
send: publish post put
post: send publish create
publish: post create send
emit: put publish send
reply: post send
notify: send publish post
start: run launch create begin
launch: run start create
run: start invoke execute
trigger: start run invoke dispatch
execute: run start invoke
invoke: run
call: invoke request
stop: cancel end terminate
end: stop terminate
cancel: stop delete
close: update
restart: reboot rerun
reboot: restart
rerun: restart
turn: enable put set
enable: put set
disable: delete put
switch: enable set
assign: add
invite: add
approve: review
verify: create check
pick: get
return: get list
take: create
cut: create
count: get list
submit: create start
deploy: update create
"""
"""Verbs of everyday speech, each with the verbs of keys that it may stand for."""

_NOUNS = """
ami: image
app: application
bill: cost billing
bug: issue
cdn: cloudfront distribution
channel: conversation
chat: message conversation
conversation: channel
cron: schedule rule
database: db
databases: db
db: database
directory: folder
disk: volume
dm: conversation message
document: object file
emoji: reaction
error: failure
expense: cost
file: object content
files: objects contents
firewall: security waf
folder: prefix directory
history: events messages
job: task run
k8s: kubernetes eks
kubernetes: eks
label: tag
machine: instance
member: user
members: users
money: payment balance
notification: message
password: secret
people: users members
permission: policy
permissions: policy
person: user
phone: sms
photo: image
picture: image
pr: pull
process: execution
profile: user
project: repository
purchase: payment
record: item
redis: elasticache
repo: repository
repos: repositories
row: item
script: command
server: instance
servers: instances
setting: parameter configuration
settings: configuration attributes
shell: command
sms: text message
spend: cost
spending: cost
sql: statement query
ssl: certificate tls
state: status
status: state
story: issue
table: tables
task: job
teammate: user reviewer
ticket: issue
tls: certificate
url: link
value: parameter
vm: instance
vms: instances
website: site
"""
"""Nouns of queries, each with the words of keys and texts that mean the same."""

_PHRASES = """
bug report: issue
container image: image
direct message: conversation
get all: list
get many: list
get every: list
dns record: dns
docker image: docker image
how much: cost
log in: login
look up: find
parameter store: ssm parameter
phone number: phone
set up: create
shut down: stop
sign in: login
speech to text: transcribe
spin up: launch
step function: stepfunctions
step functions: stepfunctions
text message: sms
text to speech: speech
turn off: disable
turn on: enable
virtual machine: vm
who am i: whoami identity
"""
"""Phrases of queries, each with the words that replace it."""


@dataclass(frozen=True, slots=True)
class Term:
    """Word of a query with its synonyms."""

    word: str
    others: tuple[str, ...] = ()
    is_verb: bool = False


def terms_of(text: str) -> list[Term]:
    """Return the distinct words of a query, longest first, without stop words, each with its
    synonyms.
    """
    verbs, nouns, phrases = _tables()
    found = []
    for word in query_words(_rewritten(words_of(text), phrases)):
        root = stem(word)
        is_verb = root in verbs
        found.append(Term(word, verbs[root] if is_verb else nouns.get(root, ()), is_verb))
    return found


def _rewritten(words: list[str], phrases: dict[str, str]) -> str:
    found, at, roots = [], 0, [stem(word) for word in words]
    while at < len(words):
        size = next(
            (
                size
                for size in (4, 3, 2)
                if " ".join(roots[at : at + size]) in phrases and at + size <= len(words)
            ),
            1,
        )
        found.append(phrases[" ".join(roots[at : at + size])] if size > 1 else words[at])
        at += size
    return " ".join(found)


@cache
def _tables() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]], dict[str, str]]:
    verbs, nouns = (
        {stem(word): tuple(others.split()) for word, others in _read(text)}
        for text in (_VERBS, _NOUNS)
    )
    return (
        verbs,
        nouns,
        {" ".join(map(stem, phrase.split())): words.strip() for phrase, words in _read(_PHRASES)},
    )


def _read(text: str) -> list[tuple[str, str]]:
    return [
        (word, others)
        for word, _, others in (line.partition(": ") for line in text.strip().splitlines())
    ]
