"""The card image: what can be checked without building it (`make image` takes an hour; image/verify tries the result)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.config import Config
from device.events import SAMPLE_RATE_HZ
from device.speak.voice import Voice
from device.wave_file import write_wave

ROOT = Path(__file__).parent.parent
IMAGE = ROOT / "image"
SETUP = IMAGE / "rootfs" / "usr" / "local" / "sbin" / "nod-setup"
NOD = IMAGE / "rootfs" / "usr" / "local" / "bin" / "nod"
EMPTY = IMAGE / "boot" / "nod-setup.txt"


def shell(command: str, file: Path) -> subprocess.CompletedProcess:
    """Run a command with the functions of nod-setup, `file` being the one on the boot partition."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "FILE": str(file), "EMPTY": str(EMPTY)}
    return subprocess.run(
        ["sh", "-c", f'. "$0"; {command}', str(SETUP), "--functions-only"], env=environment, capture_output=True
    )


@pytest.mark.parametrize("script", [IMAGE / "build", IMAGE / "verify", SETUP, NOD], ids=lambda path: path.name)
def test_scripts_are_programs_the_shell_understands(script):
    interpreter = script.read_text().splitlines()[0].removeprefix("#!")
    assert script.stat().st_mode & 0o111
    subprocess.run([interpreter, "-n", str(script)], check=True)


def test_no_mirror_is_written_down():
    for path in filter(Path.is_file, IMAGE.rglob("*")):
        assert "://" not in path.read_text(), path


def test_packages_are_named_once_and_come_from_the_suite():
    lines = (IMAGE / "packages").read_text().splitlines()
    named = [re.sub(r" *#.*", "", line) for line in lines if line and not line.startswith("#")]
    suite = re.search(r"^SUITE=(\w+)$", (IMAGE / "build").read_text(), re.MULTILINE)[1]
    assert all(re.fullmatch(rf"[a-z0-9][a-z0-9+.-]+(/{suite}-backports)?", name) for name in named), named
    assert len(named) == len(set(named)) > 10
    assert {"openssh-server", "alsa-utils", "libportaudio2"} <= set(named)


@pytest.mark.parametrize("variable", ["BUILD_TOOLS", "SOURCE_ONLY", "NOT_ON_THE_CARD", "CARD_ONLY"])
def test_python_packages_treated_apart_are_in_the_lock(variable):
    names = re.search(rf'^{variable}="([^"]*)"', (IMAGE / "build").read_text(), re.MULTILINE)[1].split()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert set(names) <= pinned


def test_the_library_for_the_pins_is_on_the_card_whatever_machine_builds_it(tmp_path):
    build = (IMAGE / "build").read_text()
    pins = re.search(r"^pins\(\) \{.*?^\}\n", build, re.MULTILINE | re.DOTALL)[0]
    names = re.findall(r'^[A-Z_]+="[^"]*"', build, re.MULTILINE)
    wheels = re.findall(r'^    (pins .*"\$WORK/wheels.lock".*)$', build, re.MULTILINE)
    script = "\n".join([*names, pins, *wheels])
    subprocess.run(["bash", "-euc", script], env={"TOP": str(ROOT), "WORK": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)
    made = (tmp_path / "wheels.lock").read_text()
    assert re.search(r"^adafruit-lgpio==[0-9.]+ \\\n +--hash=sha256:[0-9a-f]{64}", made, re.MULTILINE)
    assert re.findall(r"^\S*lgpio==", made, re.MULTILINE) == ["adafruit-lgpio=="]
    rule = (IMAGE / "rootfs/etc/udev/rules.d/60-nod-gpio.rules").read_text()
    groups = re.search(r"^SupplementaryGroups=(.*)", (ROOT / "systemd" / "nod.service").read_text(), re.MULTILINE)[1]
    assert re.search(r'^SUBSYSTEM=="gpio".*GROUP="(\w+)"', rule, re.MULTILINE)[1] in groups.split()


def test_everything_a_unit_starts_is_on_the_card():
    for unit in IMAGE.rglob("*.service"):
        for program in re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE):
            assert (IMAGE / "rootfs").joinpath(program.lstrip("/")).is_file()
    assert (ROOT / "systemd" / "nod.service").is_file() and (ROOT / "systemd" / "nod.sysusers").is_file()


def test_nods_commands_on_the_card_are_run_as_the_service_is(tmp_path):
    unit = (ROOT / "systemd" / "nod.service").read_text()
    (user,), (folders,) = re.findall(r"^User=(.*)", unit, re.MULTILINE), re.findall(r"^Environment=(.*) PY", unit, re.MULTILINE)
    program, settings = re.search(r"^ExecStart=(\S+) run --config (\S+)/config.toml$", unit, re.MULTILINE).groups()
    (tmp_path / "sudo").write_text('#!/bin/sh\npwd; printf "%s\\n" "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    script = NOD.read_text().replace(f"cd {settings} ", f"cd '{tmp_path}' ")
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    said = subprocess.run(["sh", "-c", script, "nod", "ask", "what time is it"], env=path, capture_output=True, text=True, check=True)
    expected = [str(tmp_path), "-u", user, *folders.split(), program, "ask", "what time is it"]
    assert said.stdout.splitlines() == expected


def test_what_comes_out_of_the_sound_card_is_recognized_one_utterance_after_the_other(tmp_path, store, vosk_folder):
    voice = Config().voice.model
    said = Voice(store.voice(voice), voice).say("Your five second timer is done.")[0]
    second = np.zeros(SAMPLE_RATE_HZ, np.float32)
    write_wave(tmp_path / "said.wav", np.concatenate([second, said, second, second, said]))
    command = [sys.executable, str(IMAGE / "recognize.py"), str(tmp_path / "said.wav")]
    told = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True).stdout
    length, *utterances = told.splitlines()
    assert length.startswith(f"{3 + 2 * said.size / SAMPLE_RATE_HZ:.1f} s of sound")
    assert [line.split(": ")[1] for line in utterances] == ["'your five second timer is done'"] * 2
    assert 1.0 <= float(utterances[0].split()[0]) < 1.3


def test_an_untouched_setup_file_changes_nothing(tmp_path):
    file = tmp_path / "nod-setup.txt"
    file.write_bytes(EMPTY.read_bytes())
    keys = re.findall(r"^(\w+) =$", EMPTY.read_text(), re.MULTILINE)
    assert keys == ["password", "ssh_key", "wifi_name", "wifi_password", "wifi_country", "timezone"]
    assert [shell(f"value {key}", file).stdout for key in keys] == [b""] * len(keys)
    result = shell("carry_out", file)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert file.read_bytes() == EMPTY.read_bytes()


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(TEXT, min_size=1, max_size=3), end=st.sampled_from(["\n", "\r\n"]), mark=st.booleans())
def test_values_are_read_as_typed_whatever_the_editor(tmp_path, words, end, mark):
    value = " ".join(words)
    file = tmp_path / "nod-setup.txt"
    text = end.join([f"wifi_password = {value} ", "wifi_name=x", "# wifi_password = no", ""])
    file.write_bytes(text.encode("utf-8-sig" if mark else "utf-8"))
    assert shell("value wifi_password", file).stdout.decode() == value + "\n"
    assert shell("value wifi_name", file).stdout == b"x\n"


def carried_out(file: Path, text: str) -> list[str]:
    """What is said not to be done of a filled-in file, in the journal and at the end of the file that is empty again."""
    file.write_text(text)
    result = shell("carry_out", file)
    after = file.read_bytes()
    assert result.returncode == 0 and after.startswith(EMPTY.read_bytes()), result.stderr
    said = after.removeprefix(EMPTY.read_bytes()).decode().split("\n# Not done: ")
    assert [f"nod-setup.txt: {line.strip()}" for line in said[1:]] == result.stderr.decode().splitlines()
    assert shell("carry_out", file).returncode == 0 and file.read_bytes() == after
    return [line.strip() for line in said[1:]]


def test_what_could_not_be_done_is_said_and_secrets_do_not_stay(tmp_path):
    said = carried_out(tmp_path / "nod-setup.txt", "timezone = Europe/Atlantis\nother = secret\n")
    assert said[0] == "there is no time zone 'Europe/Atlantis'; they are called such as Europe/London."
    assert len(said) == 2


@pytest.mark.parametrize(
    "text, named",
    [
        ("Password = secret\r\nWIFI_NAME = secret\r\n", "Password, WIFI_NAME"),
        ("wifi-password=secret\nwifi-password=secret\n", "wifi-password"),
        ("secret\n  secret number 2 = 3\n# a remark\n\n", "a line without a key"),
    ],
)
def test_keys_it_does_not_have_are_named_and_what_they_were_set_to_does_not_stay(tmp_path, text, named):
    file = tmp_path / "nod-setup.txt"
    assert carried_out(file, text) == [f"{named}: not understood; the keys are those above, in small letters."]
    assert b"secret" not in file.read_bytes()


def test_a_key_that_is_none_does_not_take_the_place_of_one_that_is(tmp_path):
    (tmp_path / "ssh-keygen").write_text('#!/bin/sh\ngrep -q ^ssh- "$3"\n')
    (tmp_path / "ssh-keygen").chmod(0o755)
    kept = tmp_path / "ssh" / "authorized_keys"

    def set_key(key: str) -> str:
        around = f"PATH={tmp_path}:$PATH; SSH={kept.parent}; install() {{ mkdir -p \"$SSH\"; }}; chown() {{ :; }}"
        return shell(f"{around}; set_ssh_key '{key}'", tmp_path).stderr.decode()

    assert (set_key("ssh-ed25519 AAAA"), kept.read_text()) == ("", "ssh-ed25519 AAAA\n")
    assert set_key("~/.ssh/id_ed25519.pub") == "nod-setup.txt: ssh_key is not a public key.\n"
    assert kept.read_text() == "ssh-ed25519 AAAA\n" and [*kept.parent.iterdir()] == [kept]
    assert (set_key("ssh-ed25519 BBBB"), kept.read_text()) == ("", "ssh-ed25519 BBBB\n")


def test_a_password_without_a_network_is_told_and_does_not_stay(tmp_path):
    file = tmp_path / "nod-setup.txt"
    assert carried_out(file, "wifi_password = hunter22\n") == ["Wi-Fi was not set up: wifi_name is missing."]
    assert carried_out(file, "wifi_country = GB\n") == ["Wi-Fi was not set up: wifi_name is missing."]
    assert b"hunter22" not in file.read_bytes()


def test_the_keys_are_those_of_the_file():
    keys = re.search(r'^KEYS="(.*)"$', SETUP.read_text(), re.MULTILINE)[1].split("|")
    assert keys == re.findall(r"^(\w+) =$", EMPTY.read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "password, is_one",
    [("1234567", False), ("12345678", True), ("x" * 63, True), ("x" * 64, False), ("0aF9" * 16, True), ("a" * 65, False)],
)
def test_a_wi_fi_password_is_of_the_length_wpa_knows(tmp_path, password, is_one):
    assert (shell(f"is_wifi_password '{password}'", tmp_path).returncode == 0) is is_one


@pytest.mark.parametrize(
    "name, password, wrong", [("home", "secret", "wifi_password has 8 to 63"), ("é" * 17, "secret secret", "wifi_name is longer")]
)
def test_wi_fi_that_can_not_work_is_told_and_not_set_up(tmp_path, name, password, wrong):
    result = shell(f"nmcli() {{ echo called; }}; problem() {{ echo \"$1\"; }}; set_wifi '{name}' '{password}' ''", tmp_path)
    told = result.stdout.decode().splitlines()
    assert len(told) == 2 and told[0].startswith("wifi_country is two letters") and wrong in told[1] and "secret" not in told[1]


@pytest.mark.parametrize("password, more", [("secret secret", "wifi-sec.key-mgmt|wpa-psk|wifi-sec.psk|secret secret|"), ("", "")])
def test_wi_fi_is_set_up_with_a_password_and_without_one(tmp_path, password, more):
    made = tmp_path / "nod.nmconnection"
    nmcli = "nmcli() { printf '%s|' \"$@\"; }"
    shell(f"{nmcli}; CONNECTION='{made}'; set_wifi 'The home' '{password}' ''", tmp_path)
    assert made.read_text() == f"--offline|connection|add|type|wifi|con-name|nod|ssid|The home|{more}"
    assert made.stat().st_mode & 0o777 == 0o600
