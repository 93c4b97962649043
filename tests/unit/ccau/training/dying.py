"""A training run that dies at a chosen step."""

from baselines.ccau.training import loop as train_loop


class Killed(BaseException):
    """As sudden as a signal: nothing in the product catches it."""


def killed_at(monkeypatch, step):
    """Let the next training die when it has made ``step`` steps."""
    plain = train_loop.Trainer.step

    def dying(self, batches):
        if self.state.step == step:
            raise Killed
        return plain(self, batches)

    monkeypatch.setattr(train_loop.Trainer, "step", dying)
