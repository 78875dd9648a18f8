from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Changed, Document, Reject
from regraft.curation.privacy.redact import FINDERS, Personal, PrivacyConfig, Redact, finds, redact_personal
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

TOKEN = "ghp_" + "a1B2" * 9  # in pieces, so that nobody takes it for one
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEabcd0123/+xy" * 8 + "\n-----END RSA PRIVATE KEY-----"
PLANTED: list[tuple[Personal, str]] = [
    ("email", "john.doe+x@mail.gmail.com"),
    ("email", "zhang.san＠qq.com"),
    ("email", "müller@web.de"),
    ("email", "jane [at] gmail [dot] com"),
    ("phone", "+1 650-253-0000"),
    ("phone", "(650) 253-0000"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "650.253.0000"),
    ("phone", "138-0013-8000"),
    ("phone", "(+86)13800138000"),
    ("phone", "0086 13800138000"),
    ("phone", "010-62781234"),
    ("phone", "(021) 6278 1234"),
    ("id", "11010519491231002X"),
    ("id", "536-90-4399"),
    ("card", "4111 1111 1111 1111"),
    ("card", "3782 822463 10005"),
    ("ip", "93.184.216.34"),
    ("ip", "2606:2800:220:1:248:1893:25c8:1946"),
    ("key", "AKIA" + "J5LAAAABBBBCCCCD"),
    ("key", TOKEN),
    ("key", "sk-" + "proj-" + "aB3" * 20),
    ("key", "xoxb-" + "123456789012-1234567890123-abcdef"),
    ("key", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN"),
    ("key", PRIVATE),
]
HARMLESS = [
    "user@example.com root@localhost git@github.com:a/b getty@tty1.service icon@2x.png @decorator a @ b",
    "17179869184 bytes, 2020-01-01 12:34:56, 1.2.3.4567890, 0xffffffff81000000, 100-200-300, 3.14159265358979",
    "version 45.32.55.66 1.2.3.4 10.0.0.0/8 192.168.1.1 127.0.0.1 203.0.113.5 8.8.8.8 255.255.255.0 224.0.0.251",
    "Linux 2.6.32.21, section 3.12.4.200, 第 3.1.2.45 节, id=650-253-0000, 555-123-4567, 600-800-12000",
    "fe80::1 ::1 2001:db8::1 std::vector<int> 12:34:56 00:1a:2b:3c:4d:5e 93.184.216.0/24",
    "4111111111111112 4111 1111 1111 1112 1234567890123456 110105194912310021 000-12-3456",
    "AKIAIOSFODNN7EXAMPLE disk-by-id task-struct eyJ sk-learn",
    "-----BEGIN RSA PRIVATE KEY-----\n... (private key in base64 encoding) ...\n-----END RSA PRIVATE KEY-----",
]


def document(text: str, id_: str = "a") -> Document:
    return Document(id=id_, text=text, source="s")


@pytest.mark.parametrize(("kind", "secret"), PLANTED)
@pytest.mark.parametrize("around", ["It is {} as we know.", "号码是{}，请查收。", "{}", "Say:\n{}\nso."])
def test_planted_data_is_found_whole_in_both_languages(kind: Personal, secret: str, around: str) -> None:
    text = around.format(secret)
    start = text.index(secret)
    assert finds(text, tuple(FINDERS)) == [(start, start + len(secret), kind)]


@pytest.mark.parametrize("text", HARMLESS)
def test_technical_text_is_left_alone(text: str) -> None:
    assert [(text[start:end], kind) for start, end, kind in finds(text, tuple(FINDERS))] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("电话：13800138000", "phone"),
        ("手机号为 13800138000", "phone"),
        ("手机号:13800138000", "phone"),
        ("Tel:6502530000", "phone"),
        ("call 6502530000", "phone"),
        ("card no. 4111111111111111", "card"),
        ("卡号4111111111111111", "card"),
    ],
)
def test_bare_digits_count_where_the_words_before_say_what_they_are(text: str, kind: Personal) -> None:
    assert [found for *_, found in finds(text, tuple(FINDERS))] == [kind]
    assert finds(text[-16 if kind == "card" else -11 :].strip(" l"), tuple(FINDERS)) == []


def test_finds_are_replaced_and_counted() -> None:
    made = Redact(PrivacyConfig())(document("Mail a.b@gmail.com or c@debian.org from 93.184.216.34."))
    assert isinstance(made, Changed)
    assert made.document.text == "Mail <EMAIL> or <EMAIL> from <IP>."
    assert made.counts == {"email": 2, "ip": 1}
    only = Redact(PrivacyConfig(kinds=("ip",), placeholder="[{kind}]"))(document("a.b@gmail.com 93.184.216.34"))
    assert isinstance(only, Changed)
    assert only.document.text == "a.b@gmail.com [IP]"


def test_a_list_of_people_is_dropped() -> None:
    people = "".join(f"p{n}@gmail.com\n" for n in range(4))
    assert Redact(PrivacyConfig(max_finds=3))(document(people)) == Reject("personal", "4 email")
    assert isinstance(Redact(PrivacyConfig(max_finds=4))(document(people)), Changed)


def test_stage(tmp_path: Path) -> None:
    rows = [
        document("Write to a.b@gmail.com."),
        document("Nothing here.", "b"),
        document("x@a.org y@a.org z@a.org", "c"),
    ]
    made = make(redact_personal.step("safe", PrivacyConfig(max_finds=2), docs=corpus(rows)), tmp_path)
    assert [row["text"] for row in documents_of(made)] == ["Write to <EMAIL>.", "Nothing here."]
    assert [(row["id"], row["reason"]) for row in rejects_of(made)] == [("c", "personal")]
    assert made.manifest.metrics["changed.email"] == 1
    assert (redact_personal.version, digest_of(made)) == (2, "d05fd548a55753a0")


@given(st.text(alphabet="ab1.@-+ 3()XeyJsk_:0"))
def test_nothing_is_found_twice(text: str) -> None:
    once = Redact(PrivacyConfig())(document(text))
    made = once.document if isinstance(once, Changed) else once
    assert isinstance(made, Document)
    assert finds(text, tuple(FINDERS)) == sorted(finds(text, tuple(FINDERS)))


def test_settings_are_checked() -> None:
    for wrong in ({"kinds": ()}, {"kinds": ("name",)}, {"max_finds": -1}, {"placeholder": "{x}"}):
        with pytest.raises(ConfigError):
            PrivacyConfig(**wrong)  # type: ignore[arg-type]
