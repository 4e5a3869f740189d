"""``privbench view``: what it refuses, what it prints, and how it ends."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest


def refused(command, *arguments):
    done = command("view", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@contextlib.contextmanager
def viewing(*arguments, **environment):
    """The process of a viewer, and the address it printed."""
    code = "from privbench.audit.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "view", *map(str, arguments), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def asked(address):
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def test_a_folder_that_is_not_there_is_named(command):
    message = refused(command, "nowhere")
    assert "folder 'nowhere' does not exist" in message
    assert "privbench run" in message


def test_a_file_is_no_folder(command, tmp_path):
    (tmp_path / "record.json").write_text("{}", encoding="utf-8")
    assert "'record.json' is no folder" in refused(command, "record.json")


def test_a_port_in_use_is_named(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused(command, tmp_path, "--port", port)
    assert f"port {port} is in use" in message
    assert "--port" in message


@pytest.mark.parametrize("port", ["http", "65536"])
def test_a_port_that_is_none_is_refused(command, tmp_path, port):
    assert "--port" in refused(command, tmp_path, f"--port={port}")


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org"])
def test_other_machines_are_not_let_in_without_a_flag(command, tmp_path, host):
    message = refused(command, tmp_path, "--host", host, "--token", "x" * 40)
    assert host in message
    assert "--allow-remote" in message


def test_a_host_that_is_not_this_machines_is_named(command, tmp_path):
    message = refused(command, tmp_path, "--host", "192.0.2.1", "--allow-remote")
    assert "host '192.0.2.1' cannot be bound" in message


@pytest.mark.parametrize(
    "token",
    ["short", "with spaces in the middle of it", "umlauts-\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc"],
)
def test_a_weak_token_is_refused_and_not_repeated(command, tmp_path, token):
    message = refused(command, tmp_path, "--token", token)
    assert "16 letters" in message
    assert token not in message


def test_it_prints_its_address_answers_and_ends_with_ctrl_c(tmp_path):
    with viewing(tmp_path) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert "No run yet" in asked(address)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


def test_beyond_this_machine_a_token_is_made_and_asked_for(tmp_path):
    with viewing(tmp_path, "--host", "0.0.0.0", "--allow-remote") as (_, address):
        base, _, token = address.partition("?token=")
        port = base.rstrip("/").rpartition(":")[2]
        assert len(token) >= 32
        with pytest.raises(urllib.error.HTTPError, match="401"):
            asked(f"http://127.0.0.1:{port}/state")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/state", headers={"Authorization": f"Bearer {token}"})
        assert json.loads(asked(request))["runs"] == 0


def test_a_token_of_ones_own_need_not_stand_on_the_command_line(tmp_path):
    own = "own-token-0123456789"
    with viewing(tmp_path, PRIVBENCH_VIEW_TOKEN=own) as (_, address):
        assert address.endswith(f"?token={own}")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            asked(address.partition("?")[0])


def test_neither_tokens_nor_requests_are_logged(tmp_path):
    with viewing(tmp_path, "--debug", "--token", "own-token-0123456789") as (process, address):
        asked(address)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "own-token" not in err
        assert "Application startup complete" in err


def test_help_imports_no_server(command):
    code = "import sys\nsys.argv = ['privbench', 'view', '--help']\n"
    code += "from privbench.audit.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    code += "print([m for m in ('starlette', 'uvicorn', 'numpy', 'sqlite3') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
