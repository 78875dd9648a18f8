from dataclasses import dataclass

import pytest

from regraft.core import Asking, ConfigError, Execution
from regraft.lm.client.means import KEY_VARIABLE, check_means, ready_to_ask

URL = "http://127.0.0.1:9/v1"


@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = ("small", "small")
    budget_tokens: int = 1


def by(*endpoints: str) -> Execution:
    return Execution(asking=Asking(endpoints=endpoints))


def test_one_endpoint_or_one_generator_will_do() -> None:
    check_means(Config(models=("small", "large")), by(URL, URL), {"docs"})
    check_means(Config(), by(), {"docs", "generator"})


def test_an_endpoint_that_cannot_be_reached_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    ready_to_ask(Config(), by("http://127.0.0.1:9/v1"), {"docs"})
    assert "http://127.0.0.1:9/v1 cannot be reached now" in caplog.text


def test_neither_and_both_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"to ask small, but no endpoint\. Give --endpoint"):
        check_means(Config(), by(), {"docs"})
    with pytest.raises(ConfigError, match=r"an endpoint is given too\. Give --generator NAME"):
        check_means(Config(), by(URL), {"generator"})


def test_a_server_of_our_own_has_one_model() -> None:
    with pytest.raises(ConfigError, match="server of small cannot answer as large"):
        check_means(Config(models=("small", "large")), by(), {"generator"})


@pytest.mark.parametrize("url", ["127.0.0.1:9/v1", "ftp://host/v1", "http://", "https://user:k3y@host/v1"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="endpoint") as error:
        check_means(Config(), by(URL, url), {"docs"})
    assert "k3y" not in str(error.value)


def test_what_is_no_key_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "k3y\n")
    with pytest.raises(ConfigError, match=KEY_VARIABLE) as error:
        check_means(Config(), by(URL), {"docs"})
    assert "k3y" not in str(error.value)
