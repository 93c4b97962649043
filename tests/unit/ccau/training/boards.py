"""A module that stands in for wandb: it keeps what it is told, by the id of the run."""

import importlib.machinery
import sys
import types


class FakeWandb(types.ModuleType):
    """What the product asks of wandb: ``init``, and of a run ``log``, ``step``, ``finish``."""

    def __init__(self):
        super().__init__("wandb")
        self.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
        self.asked, self.rows, self.finished, self.fails = [], {}, [], ""

    @classmethod
    def install(cls, monkeypatch):
        module = cls()
        monkeypatch.setitem(sys.modules, "wandb", module)
        return module

    def init(self, **options):
        if self.fails == "init":
            raise ConnectionError("the service does not answer")
        self.asked.append(options)
        rows = self.rows.setdefault(options["id"], [])
        return FakeRun(self, options["id"], rows)


class FakeRun:
    def __init__(self, module, name, rows):
        self.module, self.name, self.rows = module, name, rows

    @property
    def step(self):
        return max((step for step, _ in self.rows), default=-1) + 1

    def log(self, values, *, step):
        if self.module.fails == "log":
            raise ConnectionError("the connection was lost")
        if self.rows and step < self.rows[-1][0]:
            raise ValueError("steps must not fall")  # wandb warns and drops the row
        self.rows.append((step, values))

    def finish(self):
        self.module.finished.append(self.name)
