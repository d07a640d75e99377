"""The service file says what the daemon really is: its command, its notifications, its permissions."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.cli import main

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd" / "nod.service"


def settings() -> dict[str, str]:
    """Key → value, continuation lines and repeated keys not being used in this unit."""
    lines = [line for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line)]
    pairs = [line.split("=", 1) for line in lines]
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_it_starts_the_command_that_exists():
    program, *arguments = shlex.split(settings()["ExecStart"])
    project = (ROOT / "pyproject.toml").read_text()
    assert re.search(rf'^{Path(program).name} = "device\.cli:main"$', project, re.MULTILINE)
    assert arguments == ["run", "--config", "/etc/nod/config.toml"]
    help_text = subprocess.run(
        [os.sys.executable, "-m", "device", "run", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "--config" in help_text


def test_it_lets_the_daemon_be_punctual_and_private():
    unit = settings()
    assert unit["Type"] == "notify" and int(unit["WatchdogSec"]) >= 5
    assert unit["AmbientCapabilities"] == unit["CapabilityBoundingSet"] == "CAP_SYS_NICE"
    assert unit["LimitMEMLOCK"] == "infinity" and int(unit["LimitRTPRIO"]) >= 60
    assert unit["PrivateNetwork"] == "yes" and unit["RestrictAddressFamilies"] == "AF_UNIX"
    assert "RestrictRealtime" not in unit  # would take the audio thread's priority away
    environment = dict(pair.split("=") for pair in unit["Environment"].split())
    assert environment["NOD_STATE"] == f"/var/lib/{unit['StateDirectory']}"
    assert not environment["NOD_MODELS"].startswith(environment["NOD_STATE"])  # the daemon only reads them


def test_a_config_error_does_not_restart_it():
    from device.errors import ConfigError

    assert settings()["RestartPreventExitStatus"] == str(ConfigError.exit_code)


@pytest.mark.parametrize("audio", ["", '[audio]\ninput = "Jabra"\n'])
def test_a_headset_that_is_plugged_in_tomorrow_is_found(tmp_path, monkeypatch, capsys, audio):
    def none_there(**form):
        raise OSError(-9996, "Invalid device")

    port = SimpleNamespace(get_device_count=lambda: 0, open=none_there, terminate=lambda: None)
    port.get_default_input_device_info = port.get_default_output_device_info = none_there
    monkeypatch.setattr("device.audio.device.open_portaudio", lambda converts: port)
    monkeypatch.setattr("device.run.Daemon", lambda *args, **more: pytest.fail("models are loaded at each look"))
    (tmp_path / "config.toml").write_text(f'[paths]\nstate = "{tmp_path}"\n{audio}')
    status = main(["run", "--config", str(tmp_path / "config.toml")])
    assert len(capsys.readouterr().err.splitlines()) == 1
    unit = settings()
    assert unit["Restart"] == "on-failure" and status not in (0, int(unit["RestartPreventExitStatus"]))
    assert unit["StartLimitIntervalSec"] == "0" and "StartLimitBurst" not in unit, "it never gives up"
    assert 5 <= int(unit["RestartSec"]) <= int(unit["RestartMaxDelaySec"]) <= 60, "seldom enough, and soon enough"


def test_systemd_understands_it(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("Whether systemd understands the unit isn't tested: this machine doesn't run systemd (no systemd-analyze).")
    unit = tmp_path / "nod.service"
    unit.write_text(UNIT.read_text().replace("/opt/nod/.venv/bin/nod", "/bin/true"))
    result = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    known_from_254 = ("RestartSteps", "RestartMaxDelaySec")
    complaints = [line for line in result.stderr.splitlines() if "nod.service" in line]
    assert not [line for line in complaints if not any(key in line for key in known_from_254)]
