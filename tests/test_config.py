"""config.toml: the commented file is the defaults, and every mistake is told with its place."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import check
from device.config import Config, Paths, find, load
from device.errors import ConfigError
from device.speak.filler import TEXTS
from tests.users import another_user

FILE = Path(__file__).parent.parent / "config.toml"


def written(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_the_commented_file_holds_every_key_with_its_default():
    assert load(FILE) == Config()
    text = FILE.read_text()
    for table in fields(Config):
        assert f"\n[{table.name}]" in text
        for key in filter(lambda key: key.compare, fields(getattr(Config(), table.name))):
            there = f"\n{key.name} = " in text or f"\n[{table.name}.{key.name}]" in text
            assert there, f"[{table.name}] {key.name} isn't in config.toml"


def test_the_commented_file_names_every_occasion_of_a_filler():
    (listed,) = re.findall(r"Occasions: (.*?), or the name of a tool", FILE.read_text().replace("\n# ", " "))
    assert listed.split(", ") == [*TEXTS]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[wake]\nthreshhold = 0.4\n", 2, "threshhold: unknown key; \\[wake\\] knows words, refractory_s, timeout_s"),
        ("[wake]\nthreshold = 0.4\n", 2, "threshold: each word has its own sensitivity now: write \\[wake.words\\] with"),
        ("[wake.words]\nalexa = 0.5\nhey_jarvis = 7\n", 3, "\\[wake.words\\] hey_jarvis: must be from 0 to 1, not 7"),
        ("[wake.words]\nalexa = 'low'\n", 2, "must be a number, not 'low'"),
        ("[wake]\nwords = { alexa = 2 }\n", 2, "must be from 0 to 1, not 2"),
        ("[wake.words]\ncomputer = 0.5\n", 1, "one or more of hey_jarvis, alexa, hey_mycroft, not \\['computer'\\]"),
        ("[wake]\nwords = [['alexa']]\n", 2, "one or more of"),
        ("[wake]\nwords = 'alexa'\n", 2, "one or more of"),
        ("[wakeword]\n", 1, "no table \\[wakeword\\]; there are paths, audio"),
        ("\n[audio]\nbuffer_ms = '40'\n", 3, "must be a whole number, not '40'"),
        ("[audio]\nbuffer_ms = true\n", 2, "must be a whole number, not True"),
        ("[audio]\necho_canceller = 'magic'\n", 2, "must be one of speex, webrtc, none, not 'magic'"),
        ("[wake]\nwords = ['hey_jarvis', 'computer']\n", 2, "one or more of hey_jarvis, alexa, hey_mycroft"),
        ("[wake]\nwords = []\n", 2, "one or more of"),
        ("[vad]\nthreshold = 0.3\n", 1, "release: 0.35 must not be above threshold, 0.3"),
        ("[turn]\n\n# slow\nmin_wait_ms = 5000\n", 4, "min_wait_ms: 5000 must not be above max_wait_ms, 1700"),
        ("[agent]\nkind = 'cloud'\n", 2, "kind: must be one of nod, server, function, not 'cloud'"),
        ("[agent]\nfolder = '/srv'\n", 2, "folder: unknown key; \\[agent\\] knows kind, url, model, function, speculate\\.$"),
        ("[agent]\nfunction = 'home:answer'\n", 2, "function: goes with kind = \"function\", not \"nod\"; change kind, or leave"),
        ("[agent]\nurl = 'http://a/v1'\n", 2, "url: goes with kind = \"server\""),
        ("[agent]\nkind = 'function'\nfunction = 'a:b'\nmodel = 'm'\n", 4, "model: goes with kind = \"server\", not \"function\""),
        ("[agent]\nspeculate = true\n", 2, "speculate: is for another kind of agent"),
        ("[agent]\nkind = 'server'\n", 1, "url: must be the base of a server's addresses, such as"),
        ("[agent]\nkind = 'server'\nurl = '127.0.0.1:8080'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'server'\nurl = 'http:///v1'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'server'\nurl = 'http://key@host/v1'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'server'\nurl = 'http://host/v1?key=1'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'server'\nurl = 'http://host/v 1'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'server'\nurl = 'http://host:99999'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'server'\nurl = 'http://[::1/v1'\n", 3, "url: must be the base"),
        ("[agent]\nkind = 'function'\n", 1, "function: must be \"module:name\", such as \"home:answer\""),
        ("[agent]\nkind = 'function'\nfunction = 'home.py'\n", 3, "function: must be \"module:name\""),
        ("[agent]\nkind = 'function'\nfunction = '../home:answer'\n", 3, "function: must be \"module:name\""),
        ("[voice]\nspeed = 9\n", 2, "must be from 0.5 to 2, not 9"),
        ("[paths]\nstate = '~nouser/nod'\n", 2, "state: there is no home folder as in '~nouser/nod'; write the whole path"),
        ("[paths]\nmodels = '~nouser'\n", 2, "models: there is no home folder"),
        ("[filler]\nfolder = '~nouser/um'\n", 2, "folder: there is no home folder"),
        ('[paths]\nstate = "a\\u0000b"\n', 2, r"state: must not hold the character \\u0000"),
        ("wake = 5\n", 1, "write \\[wake\\] and its keys below it"),
        ("\n[[wake]]\ntimeout_s = 5\n", 2, "write \\[wake\\] and its keys below it"),
        ("# [audio]\nbuffer_ms = 50\n", 2, "config.toml, line 2: buffer_ms: stands above all tables; put it below the \\[table\\]"),
        ("\naudio.buffer_ms = 5\n", 2, "must be from 20 to 200, not 5"),
        ("\nwake.words.alexa = 5\n", 2, "must be from 0 to 1, not 5"),
        ("[wake]\n\n[wake.words]\ncomputer = 0.5\n", 3, "one or more of"),
        ("\n[wake.words]\ncomputer = 0.5\n", 2, "one or more of"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_is_allowed(tmp_path, text, line, says):
    with pytest.raises(ConfigError, match=says) as told:
        load(written(tmp_path, text))
    assert f"config.toml, line {line}:" in str(told.value)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("encoding, line", [("cp1252", 3), ("utf-16", 1)])
def test_another_encoding_is_told_with_the_line_and_what_to_do(tmp_path, encoding, line):
    (tmp_path / "config.toml").write_bytes('[voice]\r\n[audio]\r\ninput = "Gerät"\r\n'.encode(encoding))
    with pytest.raises(ConfigError, match=rf"config.toml, line {line}: isn't UTF-8, .*; save the file in it\.$"):
        load(tmp_path / "config.toml")


def test_what_can_not_be_read_is_named_once_with_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=rf"^{tmp_path}: can't be read \(Is a directory\); see that it is a file, and one"):
        load(tmp_path)
    path = written(tmp_path, "")
    path.chmod(0)
    with another_user(), pytest.raises(ConfigError, match=r"config.toml: can't be read \(Permission denied\); see that"):
        load(path)


def test_settings_that_are_there_and_no_file_are_told_and_not_taken_for_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.toml").symlink_to("nod.toml")  # as on the card, where anybody may delete nod.toml
    assert check.check(None) == 1
    assert "[FAIL] config.toml: it leads to a file that isn't there; put that back.\n" in capsys.readouterr().out
    Path("nod.toml").mkdir()
    with pytest.raises(ConfigError, match="config.toml: can't be read"):
        find(None)


def test_broken_toml_and_missing_files_are_told(tmp_path):
    with pytest.raises(ConfigError, match="not valid TOML.*line 1"):
        load(written(tmp_path, "[audio\n"))
    with pytest.raises(ConfigError, match="there is no such config file"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="config.toml: its lists or tables are nested too deep"):
        load(written(tmp_path, f"[wake]\nwords = {'[' * 3000}{']' * 3000}\n"))


@pytest.mark.parametrize("key", ["[voice]\nspeed", "[wake]\nwords.alexa", "[llm]\nthreads", "[led]\nenabled", "[audio]\nprofile"])
@pytest.mark.parametrize("number", ["1" + 400 * "0", "-1" + 400 * "0", "1" * 5001, "0x" + "f" * 5000], ids=len)
def test_a_number_of_any_length_is_told(tmp_path, key, number):
    with pytest.raises(ConfigError, match=r"config\.toml[:,] .*(from [0-9.]+ to|must be|thousands of digits)"):
        load(written(tmp_path, f"{key} = {number}\n"))


def test_where_the_current_folder_can_not_be_looked_into_the_defaults_hold(tmp_path, monkeypatch, capsys):
    (tmp_path / "closed").mkdir(mode=0)
    monkeypatch.chdir(tmp_path / "closed")
    monkeypatch.setattr(check, "_models", lambda config: [])
    monkeypatch.setattr(check, "_machine", lambda config, listens: [])
    with another_user():
        assert find(None) == Config() and check.check(None) == 0
    assert "There is no config.toml; the defaults hold." in capsys.readouterr().out


@pytest.mark.parametrize("variable", ["NOD_MODELS", "NOD_STATE"])
def test_without_a_home_the_settings_must_name_the_folders(monkeypatch, variable):
    for each in ("HOME", variable, "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # nor is there an account
    find_folder = Paths().models_dir if variable == "NOD_MODELS" else Paths().state_dir
    with pytest.raises(ConfigError, match=rf"^There is no home folder for Nod's files; set \${variable} or \[paths\] in config"):
        find_folder()
    monkeypatch.setenv(variable, "/srv/nod")
    assert find_folder() == Path("/srv/nod")


def test_an_editor_may_put_a_byte_order_mark_in_front(tmp_path):
    assert load(written(tmp_path, "\ufeff[wake]\ntimeout_s = 4\n")).wake.timeout_s == 4.0
    with pytest.raises(ConfigError, match="config.toml, line 2: "):
        load(written(tmp_path, "\ufeff[wake]\ntimeout_s = 99\n"))


@pytest.mark.parametrize(
    "given",
    [
        "kind = 'server'\nurl = 'http://127.0.0.1:8080/v1'\n",
        "kind = 'server'\nurl = 'https://[::1]:8080/'\nmodel = 'small'\nspeculate = true\n",
        "kind = 'function'\nfunction = 'my_home.voice:answer'\nspeculate = true\n",
    ],
)
def test_another_agent_is_looked_for_beside_the_settings(tmp_path, monkeypatch, given):
    assert load(written(tmp_path, f"[agent]\n{given}")).agent.folder == str(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find(None).agent.folder == str(tmp_path)


def test_a_whole_number_will_do_for_a_number(tmp_path):
    timeout_s = load(written(tmp_path, "[wake]\ntimeout_s = 4\n")).wake.timeout_s
    assert timeout_s == 4.0 and type(timeout_s) is float


def test_each_wake_word_has_its_sensitivity(tmp_path):
    assert load(written(tmp_path, "[wake.words]\nalexa = 0.7\nhey_mycroft = 1\n")).wake.words == {
        "alexa": 0.7,
        "hey_mycroft": 1.0,
    }
    listed = load(written(tmp_path, "[wake]\nwords = ['alexa', 'hey_jarvis', 'alexa']\n")).wake.words
    assert listed == {"alexa": 0.5, "hey_jarvis": 0.5}, "a list, as earlier versions had it"


NAMES = [f.name for f in fields(Config)]


@given(
    st.sampled_from(NAMES),
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.one_of(st.integers(), st.booleans(), st.text("ab"))
    ),
)
def test_anything_is_either_settings_or_one_sentence(tmp_path_factory, table, keys):
    lines = [f"{k} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for k, v in keys.items()]
    path = written(tmp_path_factory.mktemp("c"), "\n".join([f"[{table}]", *lines]))
    try:
        assert isinstance(load(path), Config)
    except ConfigError as error:
        assert str(path) in str(error) and len(str(error).splitlines()) == 1
