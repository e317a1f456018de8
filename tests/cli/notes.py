"""The line on stderr that names the model which a command takes by default."""

from typing import Any


def newest(name: str) -> str:
    """The line for the newest model in models/."""
    return f"model: models/{name}.safetensors, the newest in models/\n"


def without_note(run: Any, name: str) -> Any:
    """`run`, which returns status, stdout and stderr, with the line checked and left out of stderr."""

    def run_and_check(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        status, out, err = run(*arguments, stdin=stdin)
        named = {"-m", "--quiet"} & {*arguments} or arguments[0] in ("train", "info")
        if named:
            assert "the newest in models/" not in err
        else:
            assert err.startswith(newest(name)) or status == 2
        return status, out, err.removeprefix(newest(name))

    return run_and_check
