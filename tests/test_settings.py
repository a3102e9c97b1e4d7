"""Settings: where a value may come from, which one wins, and what a wrong one is told."""

import json
from pathlib import Path

import pytest

from core.settings import BadSetting, Credentials, Settings, load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with nothing in it."""
    return tmp_path


def write(folder: Path, toml: str) -> None:
    (folder / "switchtower.toml").write_text(toml)


def users(folder: Path, text: str | None = None, mode: int = 0o600) -> None:
    path = folder / "nats-users.json"
    path.write_text(text if text is not None else json.dumps({"core": {"user": "core", "password": "s3cret"}}))
    path.chmod(mode)


def test_nothing_said_gives_the_defaults_and_an_absolute_data_folder(folder: Path):
    assert load(environ={}, folder=folder) == Settings(data=folder / ".switchtower")


def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(folder: Path):
    assert load(environ={}, folder=folder).port == 8420
    write(folder, "port = 1001")
    assert load(environ={}, folder=folder).port == 1001
    environ = {"SWITCHTOWER_PORT": "1002"}
    assert load(environ=environ, folder=folder).port == 1002
    assert load({"port": 1003}, environ=environ, folder=folder).port == 1003
    assert load({"port": None}, environ=environ, folder=folder).port == 1002


def test_a_flag_of_zero_or_false_is_a_flag(folder: Path):
    write(folder, "agents = 5\nephemeral = true")
    got = load({"agents": 0, "ephemeral": False}, environ={}, folder=folder)
    assert (got.agents, got.ephemeral) == (0, False)


def test_an_empty_variable_is_no_variable(folder: Path):
    assert load(environ={"SWITCHTOWER_PORT": ""}, folder=folder).port == 8420


def test_every_setting_can_come_from_the_environment(folder: Path):
    environ = {
        "SWITCHTOWER_DATA": "there",
        "SWITCHTOWER_PORT": "9000",
        "SWITCHTOWER_AGENTS": "200",
        "SWITCHTOWER_NATS": "nats://a:4222,tls://b:4222",
        "SWITCHTOWER_NATS_MONITOR": "http://a:8222",
        "SWITCHTOWER_EPHEMERAL": "true",
        "SWITCHTOWER_ALLOW_UNCHECKED_SYNC": "1",
        "SWITCHTOWER_LOG_LEVEL": "debug",
        "SWITCHTOWER_NATS_USER": "ada",
        "SWITCHTOWER_NATS_PASSWORD": "s3cret",
    }
    assert load(environ=environ, folder=folder) == Settings(
        data=folder / "there",
        port=9000,
        agents=200,
        nats="nats://a:4222,tls://b:4222",
        nats_monitor="http://a:8222",
        ephemeral=True,
        allow_unchecked_sync=True,
        log_level="debug",
        env_credentials=Credentials(user="ada", password="s3cret"),
    )


@pytest.mark.parametrize(
    ("variable", "value", "needs"),
    [
        ("SWITCHTOWER_PORT", "http", "a port from 1 to 65535"),
        ("SWITCHTOWER_PORT", "65536", "a port from 1 to 65535"),
        ("SWITCHTOWER_AGENTS", "-1", "a whole number from 0 to 10000"),
        ("SWITCHTOWER_AGENTS", "1.5", "a whole number from 0 to 10000"),
        ("SWITCHTOWER_NATS", "localhost", "nats://host:4222"),
        ("SWITCHTOWER_NATS_MONITOR", "8222", "http://host:8222"),
        ("SWITCHTOWER_EPHEMERAL", "perhaps", "true or false"),
        ("SWITCHTOWER_LOG_LEVEL", "loud", "debug, info, warning or error"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_variable_source_and_need(folder: Path, variable, value, needs):
    with pytest.raises(BadSetting) as stopped:
        load(environ={variable: value}, folder=folder)
    assert str(stopped.value).startswith(f"{variable} is '{value}' (environment); it needs ")
    assert needs in str(stopped.value)


def test_a_wrong_flag_is_named_as_it_was_typed(folder: Path):
    with pytest.raises(BadSetting, match=r"--log-level is 'loud' \(command line\)"):
        load({"log_level": "loud"}, environ={}, folder=folder)


@pytest.mark.parametrize("line", ["port = true", "agents = 1.5", 'data = ""', "data = 3", "nats = 4222"])
def test_a_wrong_value_in_the_file_names_the_file(folder: Path, line: str):
    write(folder, line)
    with pytest.raises(
        BadSetting, match=f"{line.split(maxsplit=1)[0]} is .* \\({folder}/switchtower.toml\\); it needs "
    ):
        load(environ={}, folder=folder)


def test_a_wrong_value_that_is_overruled_does_no_harm(folder: Path):
    assert load({"port": 1}, environ={"SWITCHTOWER_PORT": "x"}, folder=folder).port == 1


def test_a_misspelt_key_in_the_file_is_refused_with_the_real_ones(folder: Path):
    write(folder, "prot = 9")
    with pytest.raises(BadSetting, match=r"'prot', which is no setting; there are: data, port, agents"):
        load(environ={}, folder=folder)


def test_a_broken_file_says_where_it_breaks(folder: Path):
    write(folder, "port = \n")
    with pytest.raises(BadSetting, match="cannot be read: .*line 1.*mend it"):
        load(environ={}, folder=folder)


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(folder / "ada"))
    assert load({"data": "~/tower"}, environ={}, folder=folder).data == folder / "ada" / "tower"


def test_a_role_finds_its_user_in_the_data_folder(folder: Path):
    users(folder)
    assert Settings(data=folder).credentials("core") == Credentials(user="core", password="s3cret")


def test_without_users_there_are_no_credentials(folder: Path):
    assert Settings(data=folder).credentials("core") is None


def test_the_environment_wins_over_the_users_file(folder: Path):
    users(folder)
    environ = {"SWITCHTOWER_NATS_USER": "ada", "SWITCHTOWER_NATS_PASSWORD": "other"}
    assert load({"data": folder}, environ=environ, folder=folder).credentials("core") == Credentials(
        user="ada", password="other"
    )


def test_a_user_without_a_password_is_refused(folder: Path):
    with pytest.raises(BadSetting, match="go together"):
        load(environ={"SWITCHTOWER_NATS_USER": "ada"}, folder=folder)


def test_a_users_file_others_can_read_is_refused_with_the_way_out(folder: Path):
    users(folder, mode=0o644)
    with pytest.raises(BadSetting, match="chmod 600"):
        Settings(data=folder).credentials("core")


@pytest.mark.parametrize("text", ["", "[]", '{"core": {"user": "core"}}', '{"worker": {"user": "w", "password": "p"}}'])
def test_a_broken_users_file_says_what_to_do(folder: Path, text: str):
    users(folder, text)
    with pytest.raises(BadSetting, match="delete it and start again"):
        Settings(data=folder).credentials("core")


def test_a_password_is_never_printed():
    assert "s3cret" not in repr(Settings(env_credentials=Credentials(user="ada", password="s3cret")))
