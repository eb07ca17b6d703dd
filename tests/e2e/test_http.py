"""A running daemon's door, on either store."""

import re

import yaml

from tests.support.api import Api, config_key
from tests.support.hook import hook
from tests.support.machine import Machine
from tests.support.process import Process


def tcp(daemon: Process) -> Api:
    """Return the door at the port that the daemon chose."""
    daemon.wait_for_output("address=http://127.0.0.1:")
    found = re.search(r"answering .*address=http://127.0.0.1:(\d+)", daemon.output)
    assert found
    return Api(("127.0.0.1", int(found[1])))


def ready(machine: Machine, daemon: Process) -> Api:
    daemon.wait_for_output("applied")
    daemon.wait_for(lambda: machine.api.get("/readyz").status == 200)
    return machine.api


def test_a_stream_tells_of_a_commit_with_its_author_and_place(machine: Machine) -> None:
    with machine.run() as daemon:
        api = ready(machine, daemon)
        brains = api.follow("match=brain/*&values=false")
        with api.follow() as all_keys, api.follow("prefix=tts/") as tts, brains as brain:
            commit = machine.repository.commit({"brain.yaml": "model: llama3.2:3b\ntemperature: 0.7\n"}, "Try another")
            told = all_keys.next()
            assert told.type == "syncd.revision.applied.v1"
            assert told.keys == {"brain/model": "llama3.2:3b"}
            assert told.event["data"]["revision"]["commit"] == commit
            assert told.event["data"]["revision"]["author"].startswith("Ana")
            assert told.event["data"]["changes"][0]["at"] == "config/mordomo/brain.yaml:1:1"
            assert brain.next().keys == {"brain/model": None}, "hashes alone"
            machine.repository.commit({"tts.yaml": "voice: other\n"})
            assert tts.next().keys == {"tts/voice": "other"}
            assert all_keys.next().keys == {"tts/voice": "other"}


def test_a_stream_goes_on_after_the_daemon_was_killed(machine: Machine) -> None:
    with machine.run() as daemon:
        with ready(machine, daemon).follow() as stream:
            machine.repository.commit({"tts.yaml": "voice: one\n"})
            assert stream.next().keys == {"tts/voice": "one"}
            seen = stream.id
        machine.repository.commit({"tts.yaml": "voice: two\n"})
        daemon.wait_for(lambda: machine.kv.get("tts/voice") == b"two")
        daemon.kill()
    machine.repository.commit({"wake_word.yaml": "sensitivity: 0.9\n"})
    with machine.run() as daemon:
        daemon.wait_for_output("answering")
        daemon.wait_for(lambda: machine.api.get("/readyz").status == 200)
        found: dict[str, str | None] = {}
        with machine.api.follow(last=seen) as stream:
            while "wake_word/sensitivity" not in found:
                told = stream.next()
                assert told.type == "syncd.revision.applied.v1"
                found |= told.keys
            assert found == {"tts/voice": "two", "wake_word/sensitivity": "0.9"}


def test_a_head_is_a_get_without_its_body(local: Machine) -> None:
    with local.run() as daemon:
        api = ready(local, daemon)
        for path in ("/healthz", "/api/v1/config", "/api/v1/openapi.json"):
            whole, head = api.get(path), api.call("HEAD", path)
            assert (head.status, head.body) == (200, b"")
            assert head.headers["Content-Length"] == str(len(whole.body))
        assert api.call("HEAD", "/api/v1/events").status == 405


# promise 17
def test_who_was_away_for_too_long_gets_the_full_state_and_goes_on_from_there(local: Machine) -> None:
    with local.run() as daemon, ready(local, daemon).follow(last="0123456789abcdef-1") as stream:
        told = stream.next()
        assert told.type == "syncd.state.reset.v1"
        assert told.keys == {
            "brain/model": "qwen2.5:3b",
            "brain/temperature": "0.7",
            "tts/voice": "pt_BR-faber-medium",
            "wake_word/sensitivity": "0.7",
        }
        local.repository.commit({"tts.yaml": "voice: other\n"})
        assert stream.next().keys == {"tts/voice": "other"}
        with local.api.follow("full=true&prefix=tts/") as full:
            assert full.next().keys == {"tts/voice": "other"}


# promise 12
# promise 16
def test_config_is_a_whole_revision_and_known_by_its_tag(machine: Machine) -> None:
    machine.repository.commit(
        {
            ".syncd.yaml": "rules:\n  - match: secret.yaml\n    secret: true\n",
            "secret.yaml": "password: hunter2-hunter2\n",
            "model.bin": b"\xff\x00\x01",
        }
    )
    with machine.run() as daemon:
        api = ready(machine, daemon)
        got = api.get("/api/v1/config")
        keys = got.json["keys"]
        assert keys["brain/model"] == "qwen2.5:3b"
        assert keys["model.bin"] == {"base64": "/wAB"}
        assert keys["secret/password"]["secret"].startswith("sha256:")
        assert b"hunter2" not in got.body
        assert got.headers["Syncd-Revision"] == machine.kv.own("revision")["applied"]["commit"]
        assert yaml.safe_load(api.get("/api/v1/config", Accept="application/yaml").body) == got.json
        assert api.get("/api/v1/config", If_None_Match=got.headers["ETag"]).status == 304
        assert api.get("/api/v1/config?prefix=brain/").json["keys"].keys() == {"brain/model", "brain/temperature"}
        assert api.get(config_key("tts/voice")).json["keys"] == {"tts/voice": "pt_BR-faber-medium"}
        assert api.get(config_key("tts")).status == 404
        machine.kv.put("foreign", b"a stranger's")
        daemon.wait_for(lambda: "foreign" in api.get("/api/v1/config").json["keys"])
        assert api.get("/api/v1/config", If_None_Match=got.headers["ETag"]).status == 200


def test_a_sync_waits_for_what_becomes_of_a_commit(machine: Machine) -> None:
    with machine.run() as daemon:
        api = ready(machine, daemon)
        commit = machine.repository.commit({"tts.yaml": "voice: other\n"})
        got = api.post("/api/v1/sync", commit=commit).json
        assert (got["reached"], got["applied"]) == (True, commit)
        assert machine.kv.get("tts/voice") == b"other"
        machine.repository.commit({"tts.yaml": "voice: [\n"})
        got = api.post("/api/v1/sync").json
        assert (got["result"], got["reached"]) == ("invalid", False)
        assert got["problems"][0]["path"] == "config/mordomo/tts.yaml"
        assert api.get("/api/v1/status").json["source"]["problems"]


def test_a_refused_plan_is_shown_and_let_through_by_its_hash(machine: Machine) -> None:
    machine.repository.commit({"many.yaml": "".join(f"key{number}: 1\n" for number in range(20))})
    with machine.run() as daemon:
        api = ready(machine, daemon)
        commit = machine.repository.commit({"many.yaml": None})
        got = api.post("/api/v1/sync").json
        assert (got["result"], got["reached"]) == ("refused", False)
        assert got["refusals"][0]["guard"] == "mass-delete"
        assert api.get("/api/v1/plan").json == machine.json("plan")
        status = api.get("/api/v1/status").json
        assert status["ahead"] > 0
        assert status["last"]["hash"] == got["hash"]
        assert api.post("/api/v1/approve", hash=got["hash"], author="Bo").json["approved_by"] == "Bo"
        assert api.post("/api/v1/sync", commit=commit).json["reached"]
        assert "many/key1" not in machine.kv.tree()
        assert api.get("/api/v1/status").json["ahead"] == 0


def test_a_pause_holds_until_it_is_lifted(machine: Machine) -> None:
    with machine.run() as daemon:
        api = ready(machine, daemon)
        assert api.post("/api/v1/pause", author="Bo", reason="a demo").json["paused_by"] == "Bo"
        machine.repository.commit({"tts.yaml": "voice: other\n"})
        assert api.post("/api/v1/sync").json["result"] == "paused"
        status = api.get("/api/v1/status").json
        assert (status["role"], status["orders"]["reason"]) == ("paused", "a demo")
        assert machine.kv.get("tts/voice") == b"pt_BR-faber-medium"
        assert api.post("/api/v1/resume", author="Bo").json["paused_by"] == ""
        assert api.post("/api/v1/sync").json["reached"]
        assert machine.kv.get("tts/voice") == b"other"


def test_drift_is_told_with_what_git_says_and_where(machine: Machine) -> None:
    machine.repository.commit({".syncd.yaml": "rules:\n  - match: tts.yaml\n    drift: report\n"})
    with machine.run() as daemon:
        api = ready(machine, daemon)
        assert api.get("/api/v1/drift").json["count"] == 0
        machine.kv.put("tts/voice", b"by hand")
        daemon.wait_for_output("drift is reported and left")
        daemon.wait_for(lambda: api.get("/api/v1/drift").json["count"] == 1)
        (change,) = api.get("/api/v1/drift").json["changes"]
        assert (change["key"], change["before"], change["after"]) == (
            "tts/voice",
            {"text": "by hand"},
            {"text": "pt_BR-faber-medium"},
        )
        assert change["at"] == "config/mordomo/tts.yaml:1:1"
        assert api.get("/api/v1/status").json["drift"]["keys"] == ["tts/voice"]


def test_a_second_daemon_stands_by_and_tells_the_same(machine: Machine) -> None:
    with machine.run() as first:
        ready(machine, first)
        other = machine.other("second")
        other.home.mkdir()
        with other.run() as second:
            second.wait_for_output("standing by")
            second.wait_for(lambda: other.api.get("/readyz").status == 200)
            status = other.api.get("/api/v1/status").json
            assert status["role"] == "standby"
            assert "(pid " in status["holder"]
            with other.api.follow() as stream:
                commit = machine.repository.commit({"tts.yaml": "voice: other\n"})
                assert stream.next().keys == {"tts/voice": "other"}
            assert other.api.post("/api/v1/sync", commit=commit).json["reached"]


def test_the_port_answers_as_the_socket_does_and_both_go_with_the_daemon(local: Machine) -> None:
    with local.run() as daemon:
        api = ready(local, daemon)
        assert tcp(daemon).get("/api/v1/config").json == api.get("/api/v1/config").json
        assert local.socket.stat().st_mode & 0o777 == 0o660
        with api.follow():  # a stream that is open keeps nobody from ending
            assert daemon.stop() == 0
        assert not local.socket.exists()


def test_a_port_that_is_taken_is_named_and_the_socket_goes_on_unless_the_port_was_asked_for(local: Machine) -> None:
    with local.run() as daemon:
        place = tcp(daemon).place
        assert isinstance(place, tuple)
        other = local.other("second")
        other.home.mkdir()
        with other.run(SYNCD_HTTP_LISTEN=f"127.0.0.1:{place[1]}") as refused:
            refused.wait_for_output("another program listens there")
            assert refused.process.wait(20) == 1


def test_another_address_is_an_error_without_tokens(local: Machine) -> None:
    with local.run(SYNCD_HTTP_LISTEN="0.0.0.0:0") as daemon:
        daemon.wait_for_output("http.tokens_file must be set")
        assert daemon.process.wait(20) == 64


def test_a_subscriber_is_shown_tried_and_told_anew(local: Machine) -> None:
    with hook() as there:
        (local.repository.folder / "syncd.toml").write_text(there.subscriber("all", local.home))
        with local.run() as daemon:
            api = ready(local, daemon)
            there.wait_for_tries(1)
            daemon.wait_for(lambda: api.get("/api/v1/subscribers").json["subscribers"][0]["delivered"] == 1)
            (shown,) = api.get("/api/v1/subscribers").json["subscribers"]
            assert (shown["name"], shown["kind"], shown["state"]) == ("all", "webhook", "idle")
            assert api.get("/api/v1/status").json["subscribers"] == {"count": 1, "states": {"idle": 1}, "troubled": []}
            assert api.post("/api/v1/subscribers/all/test").json["outcome"] == "delivered"
            assert there.tries[-1].kind == "test"
            daemon.wait_for(lambda: api.get("/api/v1/subscribers/all/deliveries").json["deliveries"])
            (ended,) = api.get("/api/v1/subscribers/all/deliveries?most=1").json["deliveries"]
            assert api.post("/api/v1/subscribers/all/replay", event=ended["id"]).json == {"replaying": "all"}
            there.wait_for_tries(3)
            assert there.tries[2].kind == "state.reset"
            there.answers = lambda _: 500
            local.repository.commit({"tts.yaml": "voice: other\n"})
            daemon.wait_for(lambda: api.get("/api/v1/status").json["subscribers"]["troubled"])
            assert b'syncd_subscriber_queue_depth{subscriber="all"} 1.0' in api.get("/metrics").body
            assert api.post("/api/v1/subscribers/all/test").json["outcome"] == "failed"
