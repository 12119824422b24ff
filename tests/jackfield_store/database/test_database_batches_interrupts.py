"""Ctrl-C at each place of a commit where Python looks for signals: nobody waits for the thread that
left, and nothing is lost unsaid.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import dis, json, sys, threading
from functools import cache
import jackfield, jackfield_store
from jackfield_store.database import open_database

# by their folders: a checkout may be named as one of them
OURS = tuple(f"{folder}/" for package in (jackfield, jackfield_store) for folder in package.__path__)
CHECKS = {"CALL", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD"}  # after these CPython looks for signals
url, waits = sys.argv[1], sys.argv[2] == "waiting"

@cache
def operations(code):
    return {one.offset: one.opname for one in dis.get_instructions(code)}

class Interrupt:
    def __init__(self, place):
        self.left, self.where, self.due = place, None, False

    def __call__(self, frame, event, _argument):
        if event != "call" or not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace = self.step  # 3.13 sends no opcodes to a frame that asks for them before it has a function
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.step

    def step(self, frame, event, _argument):
        if event == "opcode":
            if self.due:
                self.due, self.left = False, self.left - 1
                if self.left == 0:
                    self.where = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
                    raise KeyboardInterrupt
            self.due = operations(frame.f_code)[frame.f_lasti] in CHECKS
        elif event == "return":
            self.due = False
        return self.step

def adding(name):
    sql = "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)"
    return lambda transaction: transaction.change(sql, {"name": name})

def held(batches):
    inside, go = threading.Event(), threading.Event()

    def leading(_transaction):
        inside.set()
        go.wait(60)

    def let_go():
        while not batches._waiting and not go.wait(0.001):
            pass
        go.wait(0.005)
        go.set()

    threads = [threading.Thread(target=database.record, args=(leading,)), threading.Thread(target=let_go)]
    threads[0].start()
    inside.wait(60)
    threads[1].start()
    return go, threads

def others(place):
    try:
        database.record(adding(f"other {place}"))
    except Exception as error:
        faults.append(f"{interrupt.where}: another caller: {error}")

faults, place, going = [], 0, True
database = open_database(url, wait=20)
sys._getframe().f_trace_opcodes = True  # 3.12 sends opcodes only if a frame asks for them before
for turn in range(2):  # 3.13 sends those of a function from its second call on
    sys.settrace(Interrupt(-1))
    database.record(adding(f"first {turn}"))
    sys.settrace(None)
sys._getframe().f_trace_opcodes = False
while going and not faults:
    place, told = place + 1, []
    database.record(adding(f"before {place}"))
    go, threads = held(database._process.batches) if waits else (threading.Event(), [])
    database.defer(adding(f"deferred {place}"), lambda _value, error: told.append(error))
    interrupt = Interrupt(place)
    sys.settrace(interrupt)
    try:
        database.record(adding(f"own {place}"))
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    go.set()
    going = interrupt.where is not None
    threads.append(threading.Thread(target=others, args=(place,)))
    threads[-1].start()
    for thread in threads:
        thread.join(90)
    with database.read() as transaction:
        names = {row.name for row in transaction.execute("SELECT name FROM workspaces")}
    if f"deferred {place}" not in names and not any(told):
        faults.append(f"{interrupt.where}: a deferred unit is lost")
    if not going and f"own {place}" not in names:
        faults.append("it was not recorded without an interrupt")
database.close()
print(json.dumps([place, faults]))
"""


@pytest.mark.parametrize("role", ["leading", "waiting"])
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_ctrl_c_at_any_place_of_a_commit_holds_up_nobody_and_loses_nothing_unsaid(
    database_url: str, role: str
) -> None:
    """Wherever it comes, the next caller commits, and what was put off is committed too, or its
    owner is told that it may not be.
    """
    command = [sys.executable, "-c", SCRIPT, database_url, role]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    places, faults = json.loads(done.stdout)
    assert faults == []
    assert places > 50
