"""First code of the single file: the command ``jackfield``, or a Python for children of it.

Started as ``python3`` (which lies beside the program, and is ``sys.executable`` here), it takes what the interpreter of that name takes:
``-c CODE``, ``-m MODULE`` or a script, with the options that children of jackfield and of the standard library are given. So whoever
starts ``sys.executable`` starts a Python, here as everywhere else.
"""

import os
import sys

_HOME = sys._MEIPASS  # set by PyInstaller's bootloader
_LIBRARY = os.path.join(_HOME, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}")
_PACKAGES = os.path.join(_LIBRARY, "site-packages")
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    os.path.join(_PACKAGES, "certifi", "cacert.pem"),
)
"""Where distributions of Linux keep their certificate authorities; those of the bundle where a machine has none."""
_ALONE = "IEsSBPOubdqvx"
_WITH_VALUE = "WX"


def _main() -> None:
    _settle()
    sys.argv[0] = "jackfield"
    try:
        if os.environ.pop("_JACKFIELD_PYTHON", None):
            _python(sys.argv[1:])
        else:
            sys.path.append(_PACKAGES)
            _module("jackfield")
    finally:
        if sys.stdout is not None and sys.stdout.closed:  # as multiprocessing does; the bootloader will flush it
            sys.stdout = sys.__stdout__ = open(os.devnull, "w")


def _settle() -> None:
    """Make this an ordinary Python with a standard library on the disk, and give other programs the environment that we were given."""
    archive = os.path.join(_HOME, "base_library.zip")
    sys.path[:] = [_LIBRARY, os.path.join(_LIBRARY, "lib-dynload")]
    for module in [*sys.modules.values()]:  # the rest of a package comes from the disk, which isolated connectors may read
        paths = getattr(module, "__path__", ())
        if any(path.startswith(archive) for path in paths):
            module.__path__ = [path.replace(archive, _LIBRARY, 1) for path in paths]
    sys.executable = os.path.join(os.path.dirname(sys.executable), "python3")
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    del sys.frozen  # multiprocessing and others would start children in another way
    given = [path for path in os.environ.pop("LD_LIBRARY_PATH", "").split(os.pathsep) if path and not path.startswith(_HOME)]
    os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if given:
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(given)
    # OpenSSL looks where the machine of the build had them
    if "SSL_CERT_FILE" not in os.environ and "SSL_CERT_DIR" not in os.environ:
        found = next(filter(os.path.exists, _AUTHORITIES), None)
        if found is not None:
            os.environ["SSL_CERT_FILE"] = found


def _python(words: list[str]) -> None:
    """Do what ``python3 WORDS`` does."""
    options, rest = _options(words)
    isolated = "I" in options
    if "S" not in options:
        sys.path.append(_PACKAGES)
    if "B" in options:
        sys.dont_write_bytecode = True
    if "u" in options:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True)
    if not isolated and "E" not in options:
        sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    safe = isolated or "P" in options or bool(os.environ.get("PYTHONSAFEPATH"))
    kind = rest[0] if rest else "-"
    if rest in (["-c"], ["-m"]):
        sys.exit(f"python3: the option {kind} needs an argument")
    if kind in {"-c", "-m"}:
        sys.argv[:] = [kind, *rest[2:]]
        if not safe:
            sys.path.insert(0, "")
        if kind == "-m":
            _module(rest[1])
        else:
            _code(rest[1], "<string>")
    elif kind == "-":
        sys.argv[:] = ["-", *rest[1:]]
        if not safe:
            sys.path.insert(0, "")
        _code(sys.stdin.read(), "<stdin>")
    else:
        sys.argv[:] = rest
        if not safe:
            sys.path.insert(0, os.path.dirname(os.path.realpath(kind)))
        import runpy

        runpy.run_path(kind, run_name="__main__")


def _options(words: list[str]) -> tuple[set[str], list[str]]:
    """Return the letters of options before the program, and the program with its arguments."""
    given: set[str] = set()
    left = list(words)
    while left and left[0].startswith("-") and left[0] not in {"-", "-c", "-m"}:
        word = left.pop(0)
        if word in {"-V", "--version"}:
            print("Python", sys.version.split()[0])
            raise SystemExit
        for at, letter in enumerate(word[1:], 1):
            if letter in _WITH_VALUE:
                value = word[at + 1 :] or (left.pop(0) if left else "")
                if letter == "X" and value.startswith("pycache_prefix="):
                    sys.pycache_prefix = value.partition("=")[2] or None
                elif letter == "W":
                    sys.warnoptions.append(value)
                break
            if letter in "cm":  # as in -Ic
                left[:0] = ["-" + letter, *([word[at + 1 :]] if word[at + 1 :] else [])]
                break
            if letter not in _ALONE:
                sys.exit(f"python3: the single file of jackfield does not know the option {word}")
            given.add(letter)
    return given, left


def _module(name: str) -> None:
    import runpy

    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _code(text: str, name: str) -> None:
    exec(compile(text, name, "exec", dont_inherit=True), {"__name__": "__main__", "__builtins__": __builtins__})


_main()
