"""The one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from gatewright.compiler.errors import ExitCode, GatewrightError, LimitError, UsageError

__all__ = ["guarded", "translate"]


_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def guarded(command: click.Command, arguments: list[str]) -> int:
    """Run a click command; every way it can end becomes an exit code, and a message where something went wrong."""
    as_json = "--json" in arguments
    try:
        result = command.main(arguments, prog_name="gatewright", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else ExitCode.OK
    except click.UsageError as error:
        hint = (
            f"see 'gatewright {arguments[0]} --help'"
            if arguments and error.ctx is not None
            else "see 'gatewright --help'"
        )
        return _fail(
            UsageError("GW0001", " ".join(["gatewright", *arguments[:1]]), error.format_message(), hint),
            arguments,
            as_json,
        )
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: nothing was written", err=True)
        _echo_json(arguments, as_json, {"reason": "interrupted: nothing was written"})
        return ExitCode.INTERRUPTED
    except GatewrightError as error:
        return _fail(error, arguments, as_json)
    except (OSError, MemoryError) as error:
        known = translate(error)
        return _bug(error, arguments, as_json) if known is None else _fail(known, arguments, as_json)
    except Exception as error:
        return _bug(error, arguments, as_json)


def translate(error: OSError | MemoryError) -> GatewrightError | None:
    """The user error behind an error of the operating system, or None where it is no user's fault."""
    if isinstance(error, MemoryError):
        return LimitError("GW6101", "memory", "there is not enough memory", "use a smaller model or fewer samples")
    place = str(error.filename2 or error.filename or "output")  # of a copy, where it goes
    number = error.errno
    if number is None:  # shutil.Error gathers the texts of many
        number = next((code for code in _DISK_FULL if os.strerror(code) in str(error)), None)
    if number in _DISK_FULL:
        return LimitError(
            "GW6102", place, "the disk is full; nothing was changed", "free space, or name another folder with -o"
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UsageError("GW0002", place, "permission denied", "check who owns it, or name another place with -o")
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP):
        return UsageError("GW0003", place, (error.strerror or "cannot be opened").lower(), "check the name")
    return None


def _fail(error: GatewrightError, arguments: list[str], as_json: bool) -> int:
    click.echo(error.render(), err=True)
    _echo_json(arguments, as_json, error.to_json())
    return error.exit_code


def _echo_json(arguments: list[str], as_json: bool, error: dict[str, object]) -> None:
    """With ``--json`` one object stands on stdout however the command ends."""
    if not as_json:
        return
    from gatewright.compiler.cli.output import json_object

    verb = next((word for word in arguments if not word.startswith("-")), "")
    click.echo(json_object(verb, [], error=error))


def _bug(error: Exception, arguments: list[str], as_json: bool) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of stdout went away: `gatewright targets | head`
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - so that the interpreter's last flush is silent
        return ExitCode.OK
    if os.environ.get("GATEWRIGHT_DEBUG") == "1":
        traceback.print_exception(error)
    else:
        click.echo(f"bug in gatewright: {type(error).__name__}: {error}", err=True)
        click.echo(f"  try: report it with {_crash_log(error)}, or see the traceback with GATEWRIGHT_DEBUG=1", err=True)
    _echo_json(arguments, as_json, {"reason": f"bug in gatewright: {type(error).__name__}: {error}"})
    return ExitCode.BUG


def _crash_log(error: Exception) -> str:
    """Write the traceback where the user can find it; its name, or what to do when even that fails."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="gatewright-crash-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write(text)
        return str(Path(log.name))
    except OSError:
        return "the output of GATEWRIGHT_DEBUG=1"
