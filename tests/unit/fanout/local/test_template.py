"""What templates may read, how it is written, and what they may not do."""

import json
from pathlib import Path

import pytest
import yaml

from syncd.core.event import ToldRevision
from syncd.fanout.published import Published, TemplateError
from syncd.fanout.template import GivenUp, check, render

KEYS = {
    "brain/model": b"qwen2.5:3b",
    "brain/limits/tokens": b"4096",
    "brain/limits/note": b"0644",
    "brain/hosts": b'["a.lan","b.lan"]',
    "brainstorm": b"elsewhere",
    "ear/greeting": "olá <b> 'x'".encode(),
    "ear/key.der": b"\xff\x00\x01",
    "ear/empty": b"",
    "folder/": b"",
}
VIEW = Published("shop", KEYS, ToldRevision("c0ffee", ref="refs/heads/main", author="Ana"))
PATH = Path("/etc/syncd/app.conf.j2")


def written(source: str, view: Published = VIEW) -> str:
    return render(PATH, source, view, lambda: True).decode()


def refusal(source: str, view: Published = VIEW) -> str:
    with pytest.raises(TemplateError) as caught:
        written(source, view)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{{ key("brain/model") }}', "qwen2.5:3b"),
        ('{{ key("brain/none", default="small") }}', "small"),
        ('{{ key("ear/empty", default="small") }}', ""),
        ('{{ exists("brain/model") }} {{ exists("brain") }}', "True False"),
        ('{% for name, value in ls("brain") %}{{ name }} {{ value|length }};{% endfor %}', "hosts 17;model 10;"),
        (
            '{% for name, value in tree("brain/") %}{{ name }}={{ value }};{% endfor %}',
            'hosts=["a.lan","b.lan"];limits/note=0644;limits/tokens=4096;model=qwen2.5:3b;',
        ),
        ("{{ tree()|length }} {{ tree('none')|length }} {{ ls()|map('first')|join(',') }}", "8 0 brainstorm"),
        ('{{ nested("brain").limits.tokens }}', "4096"),
        ("{{ prefix }} {{ revision.commit }} {{ revision.ref }}", "shop c0ffee refs/heads/main"),
        ('{% for host in key("brain/hosts")|fromjson %}{{ host }} {% endfor %}', "a.lan b.lan "),
        ('{{ key("ear/key.der")|b64encode }} {{ key("brain/model")|b64encode }}', "/wAB cXdlbjIuNTozYg=="),
        ('{{ key("ear/greeting")|shellquote }}', "'olá <b> '\"'\"'x'\"'\"''"),
        ('{{ key("ear/greeting") }}', "olá <b> 'x'"),
    ],
)  # fmt: skip
def test_templates_read_keys(source: str, text: str) -> None:
    assert written(source) == text


def test_lines_of_statements_leave_no_empty_lines_and_the_last_line_keeps_its_end() -> None:
    loop = '{% for host in key("brain/hosts")|fromjson %}\n  {% if loop.first %}\nfirst = {{ host }}\n'
    source = f"[hosts]\n{loop}  {{% endif %}}\n{{% endfor %}}\n"
    assert written(source) == "[hosts]\nfirst = a.lan\n"


def test_without_a_commit_there_is_no_revision() -> None:
    foreign = Published("shop", KEYS)
    assert written("{{ revision.commit if revision else 'none' }}", foreign) == "none"


def test_json_and_yaml_are_whole_and_read_back_as_the_same_texts() -> None:
    said = {"hosts": '["a.lan","b.lan"]', "limits": {"note": "0644", "tokens": "4096"}, "model": "qwen2.5:3b"}
    assert json.loads(written('{{ nested("brain")|tojson }}')) == said
    assert json.loads(written('{{ nested("brain")|tojson(indent=2) }}')) == said
    assert written('{{ nested("brain")|tojson(indent=2) }}').startswith('{\n  "hosts"')
    assert yaml.safe_load(written('{{ nested("brain")|toyaml }}')) == said
    assert written('{{ key("ear/greeting")|tojson }}') == "\"olá <b> 'x'\""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('\n{{ key("brain/none") }}', """:2: there is no key 'brain/none' (give a default: key("…", default="…"))"""),
        ('\n\n{{ key("ear/key.der") }}', ":3: the value of 'ear/key.der' is not text (write it as | b64encode)"),
        ('{{ nested("ear")|tojson }}', ":1: the value of 'ear/key.der' is not text (write it as | b64encode)"),
        ("{{ hostname }}", ":1: 'hostname' is undefined"),
        ("{{ revision.none }}", ":1: an attribute or element is used that is not there"),
        ('{{ {}[key("brain/model")] }}', ":1: an attribute or element is used that is not there"),
        ('{{ "%d" % key("brain/model") }}', ":1: it fails with TypeError"),
        ('{{ key("brain/model")|fromjson }}', ":1: it fails with DecodeError"),
        ("{{ 1 / 0 }}", ":1: it fails with ZeroDivisionError"),
        ("{{ '\\ud800' }}", ": it fails with UnicodeEncodeError"),
        ("{% for i in range(100001) %}{% endfor %}", ":1: it fails with OverflowError"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", ":1: it fails with RecursionError"),
        ('{% include "/etc/passwd" %}', ":1: it fails with TypeError"),
    ],
)  # fmt: skip
def test_what_cannot_be_rendered_is_an_error_that_names_line_and_key_but_no_value(source: str, said: str) -> None:
    assert refusal(source) == f"{PATH}{said}"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a\n{% if %}", ":2: Expected an expression, got 'end of statement block'"),
        ("{{ 1|nonsense }}", ":1: No filter named 'nonsense'."),
        ("{% nonsense %}", ":1: Encountered unknown tag 'nonsense'."),
        ("{% for x in y %}" * 25 + "{% endfor %}" * 25, ": it is nested too deeply"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", ": it is nested too deeply"),
    ],
)  # fmt: skip
def test_a_template_that_is_none_is_found_before_it_is_needed(source: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "app.j2"
    file.write_text(source)
    with pytest.raises(TemplateError) as caught:
        check(file)
    assert str(caught.value) == f"{file}{said}"


def test_a_good_template_passes_the_check_although_no_key_is_there(tmp_path: Path) -> None:
    file = tmp_path / "app.j2"
    file.write_text('{{ key("brain/model") }}')
    check(file)


def test_a_template_that_is_not_utf8_or_not_small_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "app.j2"
    file.write_bytes(b"\xff")
    with pytest.raises(TemplateError, match="it is not UTF-8"):
        check(file)
    file.write_bytes(b"x" * (1 << 20))
    check(file)
    file.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(OSError, match="over 1,048,576 bytes"):
        check(file)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ key.__func__.__globals__ }}",
        "{{ key.__self__ }}",
        "{{ revision.__class__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ ''['__class__'] }}",
        "{{ '{0.__class__}'.format('') }}",
        "{{ key('ear/key.der')._value }}",
        "{{ nested('brain').update({}) }}",
        "{{ tree('brain').append(1) }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__ }}",
    ],
)
def test_the_sandbox_lets_nothing_out(source: str) -> None:
    assert refusal(source) in {
        f"{PATH}:1: the sandbox forbids this",
        f"{PATH}:1: an attribute or element is used that is not there",
    }


def test_values_are_never_read_as_a_template() -> None:
    assert written('{{ key("x") }}', Published("shop", {"x": b"{{ 1 + 1 }}{% for"})) == "{{ 1 + 1 }}{% for"


def test_a_key_beside_keys_below_it_fits_no_mapping() -> None:
    both = Published("shop", {"a": b"1", "a/b": b"2"})
    assert (
        refusal("{{ nested()|tojson }}", both) == f"{PATH}:1: no mapping can hold 'a/b' and a key above it (use tree())"
    )
    assert written("{{ tree()|tojson }}", both) == '[["a","1"],["a/b","2"]]'


def test_a_file_is_bounded() -> None:
    view = Published("shop", {"large": b"x" * 500_000})
    source = '{% for _ in range(200) %}{{ key("large") }}{% endfor %}'
    assert refusal(source, view) == f"{PATH}: it renders more than 64 MiB"


@pytest.mark.parametrize(
    "source",
    [
        "{% set r = range(100000) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}",
        "{% macro more(n) %}{% if n %}{{ more(n - 1) }}{{ more(n - 1) }}{% endif %}{% endmacro %}{{ more(100) }}",
        "{% for a in range(9) recursive %}{{ loop(range(9)) if loop.depth < 9 }}{% endfor %}",
    ],
)
def test_a_rendering_that_nobody_waits_for_ends(source: str) -> None:
    left = iter(range(5000))
    with pytest.raises(GivenUp):
        render(PATH, source, VIEW, lambda: next(left, None) is not None)
    assert next(left, None) is None


def test_neither_view_nor_value_shows_what_it_holds() -> None:
    assert repr(VIEW) == "Published('shop', 9 keys)"
    assert "\\xff" not in repr(VIEW)
