"""Settings from flags, environment, file and defaults; and what is said of bad ones."""

from __future__ import annotations

import dataclasses
import json

import pytest

from rtcsig import settings as settings_module
from rtcsig.door.talk import BURST_S
from rtcsig.settings import Setting, SettingError, Settings, declared

# For each setting what a file, a variable and a flag say in these tests.
SAMPLES = {
    "listen": ("tcp:1", "tcp:2", "tcp:3"),
    "mount": ("/f=echo", "/e=echo", "/a=b=echo"),
    "backlog": ("1", "2", "3"),
    "allow_origin": ("https://file.example", "https://env.example", "null"),
    "absent_origin": ("refuse", "allow", "refuse"),
    "trusted_proxy": ("10.0.0.0/8", "192.0.2.1", "unix"),
    "proxy_header": ("forwarded", "x-forwarded-for", "forwarded"),
    "proxy_protocol": ("tcp:1", "tcp:2", "tcp:3"),
    "tls_client_ca": ("one", "two", "three"),
    "max_connections": ("1", "2", "0"),
    "max_connections_per_address": ("1", "2", "0"),
    "max_half_open_per_address": ("1", "2", "0"),
    "max_connection_rate_per_address": ("1", "2", "0"),
    "max_lag_s": ("0", "2", "0.5"),
    "max_message_rate": ("1", "2", "0"),
    "max_byte_rate": ("20001", "20002", "0"),
    "max_control_frame_rate": ("1", "2", "0"),
    "max_frames_per_message": ("1", "2", "0"),
    "max_message_bytes": ("1001", "1002", "1003"),
    "max_request_head_bytes": ("2001", "2002", "2003"),
    "open_timeout_s": ("1", "2.5", "3"),
    "ping_interval_s": ("1.5", "2", "3e1"),
    "pong_timeout_s": ("1", "2", "3"),
    "same_id": ("reject", "replace", "probe"),
    "resume_grace_s": ("1", "2", "0"),
    "hold_absent_s": ("1", "2", "0"),
    "max_held_messages": ("1", "2", "3"),
    "max_held_bytes": ("1024", "1025", "1026"),
    "max_kept_bytes": ("1", "2", "0"),
    "close_timeout_s": ("1", "2", "3"),
    "max_backlog_bytes": ("100001", "100002", "100003"),
    "slow_reader_timeout_s": ("1", "2", "3"),
    "admin_listen": ("tcp:4", "tcp:5", "tcp:6"),
    "admin_allow": ("10.0.0.0/8", "192.0.2.1", "unix"),
    "admin_token_file": ("one", "two", "three"),
    "demo": ("yes", "no", "yes"),
    "drain_s": ("1", "2.5", "0"),
    "drain_code": ("going-away", "restart", "going-away"),
    "supervise": ("yes", "no", "yes"),
    "watchdog_s": ("1", "2.5", "3"),
    "max_restart_pause_s": ("1", "2.5", "0"),
    "compression": ("deflate", "off", "deflate"),
    "log_format": ("json", "text", "json"),
    "log_level": ("debug", "warn", "critical"),
    "log_connections": ("yes", "no", "yes"),
    "log_peer_ids": ("hash", "full", "none"),
}
BOUNDS = {
    "backlog": (1, 65_535),
    **dict.fromkeys(
        (
            "max_connections",
            "max_connections_per_address",
            "max_half_open_per_address",
            "max_connection_rate_per_address",
            "max_message_rate",
            "max_byte_rate",
            "max_control_frame_rate",
            "max_frames_per_message",
        ),
        (0, 1 << 30),
    ),
    "max_lag_s": (0, 3600),
    "max_message_bytes": (125, 1 << 30),
    "max_request_head_bytes": (1024, 1 << 20),
    "max_backlog_bytes": (65_536, 1 << 30),
    "open_timeout_s": (0.1, 3600),
    "ping_interval_s": (0.1, 86_400),
    "pong_timeout_s": (0.1, 3600),
    "resume_grace_s": (0, 86_400),
    "hold_absent_s": (0, 3600),
    "max_held_messages": (1, 1 << 20),
    "max_held_bytes": (1024, 1 << 30),
    "max_kept_bytes": (0, 1 << 34),
    "close_timeout_s": (0.1, 3600),
    "slow_reader_timeout_s": (0.1, 3600),
    "drain_s": (0, 86_400),
    "watchdog_s": (0.5, 3600),
    "max_restart_pause_s": (0, 3600),
}
DECLARED = {setting.name: setting for setting in declared()}
NUMBERS = [
    name
    for name, setting in DECLARED.items()
    if isinstance(setting.default, int | float) and not setting.is_switch
]
SWITCHES = [name for name, setting in DECLARED.items() if setting.is_switch]
# What a setting needs beside it.
BESIDE = {
    "proxy_protocol": {"listen": ["tcp:1", "tcp:2", "tcp:3"], "trusted_proxy": ["unix"]},
    "max_message_bytes": {"max_byte_rate": ["0"]},
}
each_setting = pytest.mark.parametrize("setting", declared(), ids=lambda setting: setting.name)


@pytest.fixture
def write(tmp_path):
    """Write a configuration file; gives its path."""

    def write_file(text: str | bytes) -> str:
        path = tmp_path / "rtcsig.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write_file


def value_of(setting: Setting, raw: str):
    """What a sample means."""
    if setting.name == "mount":
        path, _, dialect = raw.rpartition("=")
        return ((path, dialect),)
    if setting.is_switch:
        return raw == "yes"
    return (raw,) if setting.repeatable else type(setting.default)(raw)


def toml_of(setting: Setting, raw: str) -> str:
    """A sample as a line of a file."""
    if setting.is_switch:
        return f"{setting.name} = {'true' if raw == 'yes' else 'false'}\n"
    if isinstance(setting.default, int | float):
        return f"{setting.name} = {raw}\n"
    return f"{setting.name} = {json.dumps([raw] if setting.repeatable else raw)}\n"


def variable_of(setting: Setting) -> str:
    """The name of a setting's variable."""
    return f"RTCSIG_{setting.name.upper()}"


def fault(flags=(), environment=(), config=None) -> str:
    """What is said of settings that cannot be used: always one line."""
    with pytest.raises(SettingError) as caught:
        Settings.load(dict(flags), dict(environment), config)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


class TestDeclarations:
    """What is declared."""

    def test_each_has_a_sample_here(self):
        """A new setting is not forgotten by these tests."""
        assert set(DECLARED) == set(SAMPLES)
        assert set(NUMBERS) == set(BOUNDS)

    def test_a_flag_is_the_name_with_dashes(self):
        """One name serves flag, variable and file."""
        assert DECLARED["max_message_bytes"].flag == "max-message-bytes"

    def test_the_order_is_that_of_the_fields(self):
        """Help shows the settings as they are declared."""
        assert list(DECLARED) == [field.name for field in dataclasses.fields(Settings)]

    @each_setting
    def test_help_is_a_sentence(self, setting):
        """Each setting says what it is, and what to write."""
        assert setting.help.endswith(".")
        assert setting.placeholder

    @each_setting
    def test_a_default_keeps_its_own_rules(self, setting):
        """A default that is written out is taken, and is the same."""
        values = setting.default if setting.repeatable else (setting.default,)
        raws = ["=".join(value) if setting.name == "mount" else value for value in values]
        assert [setting.parse(raw) for raw in raws] == list(values)

    def test_settings_cannot_be_changed(self):
        """A running server's settings are what was checked."""
        with pytest.raises(dataclasses.FrozenInstanceError):
            Settings().backlog = 5


class TestSources:
    """Flag over variable over file over default."""

    def test_without_any_source_the_defaults_hold(self):
        """Nothing needs to be set."""
        assert Settings.load({}, {}, None) == Settings()

    @each_setting
    def test_the_nearer_source_wins(self, setting, write):
        """Each source goes before the ones behind it, for every setting."""
        in_file, in_variable, in_flag = SAMPLES[setting.name]
        config = write(toml_of(setting, in_file))
        environment = {variable_of(setting): in_variable}
        beside = BESIDE.get(setting.name, {})
        loaded = [
            Settings.load(beside, {}, config),
            Settings.load(beside, environment, config),
            Settings.load(beside | {setting.name: [in_flag]}, environment, config),
        ]
        values = [getattr(settings, setting.name) for settings in loaded]
        assert values == [value_of(setting, raw) for raw in SAMPLES[setting.name]]
        assert all(type(value) is type(setting.default) for value in values)

    def test_sources_that_say_different_things_add_up(self, write):
        """A source that is silent about a setting leaves it to the next one."""
        config = write('backlog = 7\nlog_level = "warn"\n')
        settings = Settings.load({"backlog": ["9"]}, {"RTCSIG_LOG_FORMAT": "json"}, config)
        assert (settings.backlog, settings.log_format, settings.log_level) == (9, "json", "warn")

    def test_the_last_of_several_flags_wins(self):
        """A flag that is not repeatable may be given again, to overrule a script's."""
        assert Settings.load({"backlog": ["1", "2"]}, {}, None).backlog == 2

    def test_other_variables_are_not_ours(self):
        """The environment is full of things that do not concern us."""
        environment = {"HOME": "/root", "BACKLOG": "x", "XRTCSIG_BACKLOG": "x"}
        assert Settings.load({}, environment, None) == Settings()

    def test_a_variable_can_name_the_file(self, write):
        """RTCSIG_CONFIG is the file when no flag names one."""
        config = write("backlog = 7")
        assert Settings.load({}, {"RTCSIG_CONFIG": config}, None).backlog == 7

    def test_the_flag_for_the_file_goes_first(self, write):
        """The file of RTCSIG_CONFIG is not even opened then."""
        config = write("backlog = 7")
        assert Settings.load({}, {"RTCSIG_CONFIG": "/not/there"}, config).backlog == 7


class TestRepeatable:
    """Settings that may be given more than once."""

    @pytest.mark.parametrize(
        "sources",
        [
            {"flags": {"listen": ["tcp:1", "tcp:2 x"]}},
            {"environment": {"RTCSIG_LISTEN": "tcp:1 'tcp:2 x'"}},
            {"config": 'listen = ["tcp:1", "tcp:2 x"]'},
        ],
    )
    def test_all_values_are_kept_in_order(self, sources, write):
        """Each source has its own way to give several values."""
        config = write(sources["config"]) if "config" in sources else None
        settings = Settings.load(sources.get("flags", {}), sources.get("environment", {}), config)
        assert settings.listen == ("tcp:1", "tcp:2 x")

    def test_a_file_may_give_one_value_without_a_list(self, write):
        """One value needs no brackets."""
        assert Settings.load({}, {}, write('mount = "/x=echo"')).mount == (("/x", "echo"),)

    @pytest.mark.parametrize("name", ["listen", "mount", "allow_origin"])
    def test_an_empty_list_is_a_mistake(self, name, write):
        """No origin at all would let everybody in, and a server needs the others."""
        config = write(f"{name} = []")
        assert fault(config=config) == f"{name} in {config}: at least one value is needed"
        variable = f"RTCSIG_{name.upper()}"
        assert fault(environment={variable: ""}) == f"{variable}: at least one value is needed"

    def test_backslashes_in_a_variable_stay(self):
        """An endpoint needs them for an address of IPv6."""
        environment = {"RTCSIG_LISTEN": "tcp6:1:interface=\\:\\:1 'unix:/a b'"}
        assert Settings.load({}, environment, None).listen == (
            "tcp6:1:interface=\\:\\:1",
            "unix:/a b",
        )

    def test_what_kubernetes_sets_is_no_setting(self):
        """In every container, when a Service is called rtcsig."""
        names = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_WS", "PORT", "PORT_80_TCP_ADDR"]
        assert Settings.load({}, {f"RTCSIG_{name}": "x" for name in names}, None) == Settings()

    @pytest.mark.parametrize("path", ["/a b", "/x?y", "/#", "/\u00e9"])
    def test_a_mount_that_no_request_can_have(self, path):
        """Says so at the start."""
        assert "percent-encode" in fault(flags={"mount": [f"{path}=echo"]})

    @pytest.mark.parametrize(
        ("mounts", "path"),
        [
            (["/a=echo", "/=echo", "/a=datachannel"], "/a"),
            (["/a=echo", "/a/=echo"], "/a"),
            (["/=echo", "/=echo"], "/"),
        ],
    )
    def test_one_path_has_one_dialect(self, mounts, path):
        """Two mounts of one path, with or without a slash at its end, are a mistake."""
        assert fault({"mount": mounts}) == f"mount: {path} is given twice"

    def test_a_proxy_protocol_belongs_to_a_listener(self):
        """Naming an endpoint where nobody listens is a mistake."""
        text = fault({"proxy_protocol": ["tcp:1"], "trusted_proxy": ["unix"]})
        assert text == "proxy_protocol: 'tcp:1' is not among the listeners"

    def test_a_proxy_protocol_needs_a_proxy(self):
        """Without a trusted one nobody could connect."""
        text = fault({"proxy_protocol": ["tcp:1"], "listen": ["tcp:1"]})
        assert text == "proxy_protocol: needs a trusted_proxy, or nobody may connect"

    def test_a_proxy_protocol_is_not_within_tls(self):
        """A listener for TLS would look for the header inside it, where no proxy writes it."""
        endpoint = "ssl:443:privateKey=key.pem"
        flags = {"listen": [endpoint], "proxy_protocol": [endpoint], "trusted_proxy": ["unix"]}
        assert fault(flags) == f"proxy_protocol: {endpoint!r} would expect the header inside TLS"

    def test_the_value_that_is_wrong_is_the_one_shown(self):
        """Among several values, the message shows the culprit."""
        text = fault({"mount": ["/a=echo", "nonsense", "/b=echo"]})
        assert text.startswith("--mount: ")
        assert text.endswith("not 'nonsense'")

    def test_quotes_in_a_variable_must_be_closed(self):
        """A variable that cannot be split is named."""
        text = fault(environment={"RTCSIG_LISTEN": "'tcp:1"})
        assert text == "RTCSIG_LISTEN: No closing quotation"


class TestBadValues:
    """What is refused."""

    def test_a_rate_that_holds_no_message(self):
        """What one setting allows another must not forbid; no rate at all does not."""
        text = fault({"max_byte_rate": ["13107"], "max_message_bytes": ["65536"]})
        assert text.startswith("max_byte_rate: 5 seconds of 13107 bytes hold no message")
        Settings(max_byte_rate=13_108, max_message_bytes=65_536)
        Settings(max_byte_rate=0, max_message_bytes=1 << 30)

    def test_a_proxy_header_inside_tls(self):
        """No proxy writes it there."""
        text = fault({"listen": ["ssl:1"], "proxy_protocol": ["ssl:1"]})
        assert text == "proxy_protocol: 'ssl:1' would expect the header inside TLS"

    @pytest.mark.parametrize("name", NUMBERS)
    def test_bounds_belong_to_the_range(self, name):
        """The least and the largest value are taken."""
        for bound in BOUNDS[name]:
            loaded = Settings.load(BESIDE.get(name, {}) | {name: [str(bound)]}, {}, None)
            assert getattr(loaded, name) == bound

    @pytest.mark.parametrize("name", NUMBERS)
    def test_outside_the_bounds_is_refused(self, name):
        """The message has the bounds, the flag and the value."""
        low, high = BOUNDS[name]
        for raw in (str(low - 1), str(high + 1), "-1"):
            text = fault({name: [raw]})
            assert text.startswith(f"--{DECLARED[name].flag}: must be a ")
            assert text.endswith(f" from {low} to {high}, not '{raw}'")

    @pytest.mark.parametrize("name", NUMBERS)
    @pytest.mark.parametrize(
        "raw", ["true", '""', '"ten"', "nan", "inf", "[5]", "{}", "1979-05-27", "9" * 400]
    )
    def test_a_number_must_be_one(self, name, raw, write):
        """Other types of a file, and what only looks like a number, are refused."""
        config = write(f"{name} = {raw}")
        assert fault(config=config).startswith(f"{name} in {config}: must be a ")

    @pytest.mark.parametrize("raw", ["5.0", '"5.0"', '"0x5"'])
    def test_a_count_is_whole(self, raw, write):
        """No fraction is rounded in silence."""
        assert "must be a whole number from 1 to 65535" in fault(config=write(f"backlog = {raw}"))

    @pytest.mark.parametrize("raw", ["5", '"5"', "5.0"])
    def test_a_file_may_write_seconds_in_each_way(self, raw, write):
        """Whole, with a fraction or as text: seconds become a float."""
        value = Settings.load({}, {}, write(f"open_timeout_s = {raw}")).open_timeout_s
        assert (value, type(value)) == (5.0, float)

    @pytest.mark.parametrize("name", ["compression", "log_format", "log_level"])
    @pytest.mark.parametrize("raw", ['"OFF"', '""', "true", "1", '["off"]'])
    def test_a_choice_is_one_of_its_words(self, name, raw, write):
        """The message lists the words."""
        text = fault(config=write(f"{name} = {raw}"))
        assert text.startswith(f"{name} in ")
        assert "must be one of " in text

    @pytest.mark.parametrize("name", ["listen", "allow_origin", "mount"])
    @pytest.mark.parametrize("raw", ['""', "5", "true", "[5]", '["", "x"]', "{}"])
    def test_a_text_is_not_empty(self, name, raw, write):
        """Nothing, and what is no text, is refused."""
        text = fault(config=write(f"{name} = {raw}"))
        assert text.startswith(f"{name} in ")
        assert "must be a text that is not empty" in text

    @pytest.mark.parametrize("raw", ["echo", "/echo", "x=echo", "=echo", "/x=", "/="])
    def test_a_mount_is_a_path_and_a_dialect(self, raw):
        """The message shows the form."""
        text = fault({"mount": [raw]})
        assert text == f"--mount: must be PATH=DIALECT, and PATH begins with /, not {raw!r}"

    def test_a_value_with_line_breaks_is_shown_on_one_line(self):
        """Whatever was given, the message stays one line."""
        text = fault(environment={"RTCSIG_LOG_LEVEL": "a\nb"})
        assert text.startswith("RTCSIG_LOG_LEVEL: ")
        assert text.endswith(r"not 'a\nb'")


class TestByteRate:
    """What a peer may send in bytes, beside what a message may have."""

    def test_one_that_holds_no_message_is_refused(self):
        """Who sends a message that is allowed would be closed for it."""
        text = fault({"max_byte_rate": ["199"], "max_message_bytes": ["1000"]})
        assert text == (
            "max_byte_rate: 5 seconds of 199 bytes hold no message of max_message_bytes, 1000"
        )

    @pytest.mark.parametrize("rate", ["200", "0"])
    def test_one_that_holds_a_message_is_taken(self, rate):
        """And none at all, which is no bound."""
        flags = {"max_byte_rate": [rate], "max_message_bytes": ["1000"]}
        assert Settings.load(flags, {}, None).max_byte_rate == int(rate)

    def test_the_burst_is_that_of_the_buckets(self):
        """The settings count with the seconds that a peer's bucket holds."""
        assert settings_module._BURST_S == BURST_S


class TestUnknown:
    """Names that no setting has."""

    @pytest.mark.parametrize(
        ("sources", "text"),
        [
            ({"flags": {"colour": ["red"]}}, "--colour: there is no such setting"),
            (
                {"environment": {"RTCSIG_MAX_MESAGE_BYTES": "5"}},
                "RTCSIG_MAX_MESAGE_BYTES: there is no such setting",
            ),
        ],
    )
    def test_a_misspelt_name_is_named(self, sources, text):
        """Nothing that was set is ignored."""
        assert fault(**sources) == text

    @pytest.mark.parametrize("name", ["colour", "max-message-bytes", "config", '"a\\nb"'])
    def test_a_misspelt_name_in_a_file_is_named_with_the_file(self, name, write):
        """Each key of a file must be known."""
        config = write(f"{name} = 5")
        shown = name.strip('"').replace("\\n", " ")
        assert fault(config=config) == f"{shown} in {config}: there is no such setting"


class TestFile:
    """Files that cannot be read."""

    def test_a_file_that_is_not_there(self, tmp_path):
        """The message has the path and the system's word."""
        path = tmp_path / "none.toml"
        assert fault(config=str(path)) == f"config: {path}: No such file or directory"

    def test_a_directory(self, tmp_path):
        """The message has the path and the system's word."""
        assert fault(config=str(tmp_path)) == f"config: {tmp_path}: Is a directory"

    @pytest.mark.parametrize(
        "text",
        ["backlog", "backlog = ", "a = 1\na = 2", b"\xff", "x = " + "[" * 50_000, "x = 'y\n'"],
        ids=["no value", "no value behind =", "twice", "no UTF-8", "too deep", "line break"],
    )
    def test_malformed_toml(self, text, write):
        """The message has the path and what the parser says."""
        config = write(text)
        said = fault(config=config)
        assert said.startswith(f"config: {config}: ")
        assert len(said) > len(f"config: {config}: ")

    def test_the_file_of_the_variable_is_named_as_well(self):
        """It does not matter who named the file."""
        said = fault(environment={"RTCSIG_CONFIG": "/not/there.toml"})
        assert said == "config: /not/there.toml: No such file or directory"


class TestSwitches:
    """Settings that are on or off."""

    @pytest.mark.parametrize("name", SWITCHES)
    @pytest.mark.parametrize("raw", ["yes", "YES", "true", "on"])
    def test_on(self, name, raw):
        """In each spelling."""
        assert getattr(Settings.load({name: [raw]}, {}, None), name) is True

    @pytest.mark.parametrize("raw", ["no", "False", "off"])
    def test_off(self, raw):
        """A nearer source can switch off what one behind it has on."""
        assert (
            Settings.load({"supervise": [raw]}, {"RTCSIG_SUPERVISE": "yes"}, None).supervise
            is False
        )

    @pytest.mark.parametrize("raw", ["", "1", "gaga"])
    def test_neither(self, raw):
        """Is a mistake that names the setting."""
        with pytest.raises(SettingError, match="RTCSIG_SUPERVISE: must be yes or no"):
            Settings.load({}, {"RTCSIG_SUPERVISE": raw}, None)

    def test_a_file_has_truth_values(self, write):
        """As TOML writes them; a number is none."""
        assert Settings.load({}, {}, write("supervise = true\n")).supervise is True
        with pytest.raises(SettingError, match=r"supervise in .*: must be yes or no, not 1"):
            Settings.load({}, {}, write("supervise = 1\n"))


class TestReading:
    """Settings that are read anew."""

    def test_what_holds_from_the_start_is_kept_and_named(self):
        """The rest is as wanted."""
        before = Settings(backlog=1, max_lag_s=1.0)
        settings, kept = before.reloaded(Settings(backlog=2, max_lag_s=2.0, listen=("tcp:9",)))
        assert kept == ["listen", "backlog"]
        assert (settings.backlog, settings.max_lag_s) == (1, 2.0)
        assert settings.listen == before.listen

    def test_nothing_is_named_that_is_the_same(self):
        """However it was written."""
        assert Settings().reloaded(Settings()) == (Settings(), [])

    def test_an_empty_text_stands_for_none(self):
        """Where nothing can be meant; anything else but a text is a mistake."""
        assert Settings.load({"admin_token_file": [""]}, {}, None).admin_token_file == ""

    def test_a_file_name_is_a_text(self, write):
        """And no number."""
        with pytest.raises(SettingError, match=r"admin_token_file in .*: must be a text, not 1"):
            Settings.load({}, {}, write("admin_token_file = 1\n"))
