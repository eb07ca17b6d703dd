"""Edits of the work tree that were applied, and then taken back."""

from syncd.core.control import Control
from tests.support.scene import Scene
from tests.support.waiting import until

A, B = "brain.yaml", "tts.yaml"


async def test_an_edit_that_was_applied_and_taken_back_does_not_outlive_the_next_commit(scene: Scene) -> None:
    """The commit that the edit was made on says the same of that key as the next one: nothing in git has changed."""
    first = (scene.repository.tree / A).read_text()
    async with scene.node() as parts:
        reconciler = parts.reconciler(lease := parts.lease())
        await reconciler.reconcile(await parts.source.read(), Control())
        scene.repository.write({A: "model: edited\ntemperature: 0.7\n"})
        await reconciler.reconcile(await parts.source.read_worktree(), Control())
        assert scene.live.entries()["brain/model"].value == b"edited"
        scene.repository.write({A: first})
        scene.repository.commit({B: "voice: other\n"})
        await reconciler.reconcile(await parts.source.read(), Control())
        assert scene.live.entries()["tts/voice"].value == b"other"
        assert scene.live.entries()["brain/model"].value == b"qwen2.5:3b"
        await lease.resign()


async def test_a_key_that_moves_between_files_is_written_down_and_not_written_again(scene: Scene) -> None:
    async with scene.node() as parts:
        reconciler = parts.reconciler(lease := parts.lease())
        await reconciler.reconcile(await parts.source.read(), Control())
        entries = scene.live.entries()
        content = (scene.repository.tree / A).read_text()
        scene.repository.commit({A: None, "brain.yml": content})
        outcome = await reconciler.reconcile(await parts.source.read(), Control())
        assert outcome.plan is not None
        assert not outcome.plan.changes
        assert scene.live.entries() == entries
        await lease.resign()
        assert reconciler.held is not None
        assert reconciler.held.record is not None
        applied = reconciler.held.record.applied
        assert applied is not None
        memory = parts.memory
        assert memory is not None

        async def is_kept() -> bool:
            return await memory.base(applied) is not None

        await until(is_kept, "the applied keys are not kept")
        kept = await memory.base(applied)
        assert kept is not None
        assert kept["brain/model"].path == "brain.yml"
