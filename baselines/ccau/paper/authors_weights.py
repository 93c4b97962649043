"""The authors' checkpoints (``mode_imgs-0_*.pth.tar`` ...) into our networks.

Our parameters have the authors' names and shapes, so importing is checking: nothing missing,
nothing left over, every shape right. Files are read with ``weights_only=True``: no code runs.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from baselines.ccau.config.config import from_dict
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.models.build_nets import ModalityNet, build_nets
from baselines.ccau.runs.checkpoint import load_into
from homage_sdk.errors import CheckpointError

MODES = {"imgs-0": "ego", "imgs-1": "third", "audio": "audio"}
_NAME = re.compile(r"mode_(imgs-0|imgs-1|audio)_")
# Their ConvGRU registers its cell twice; both names hold the same numbers.
_ALIAS = ("agg.cell_list.0.", "agg.ConvGRUCell_00.")
_OTHER_SETTINGS = "give the settings it was trained with, such as model.depth or data.size"


@dataclass(frozen=True)
class Imported:
    """Networks with the authors' weights, and what is known about where these come from."""

    nets: dict[str, ModalityNet]
    n_activities: int
    n_atomic: int
    epochs: dict[str, int | None]  # modality: epoch written in the file


def import_official(files: Sequence[Path | str], *, config: ModelConfig | None = None) -> Imported:
    """Load checkpoints of the public code, one ``.pth.tar`` a modality; nets in evaluation mode.

    The modality is read from the file's own ``mode`` entry, else from a name such as
    ``mode_imgs-0_epoch90.pth.tar`` (imgs-0 is ego, imgs-1 third). ``config``: the preset "official"
    unless the authors' code was run with other settings. Raises CheckpointError for a file that is
    missing, cut, not safe to load, of no known modality or of one given twice, or whose entries
    differ from the network's.
    """
    config = config or from_dict({"preset": "official"}).model
    if not files:
        raise CheckpointError("no checkpoint to import", hint="give one .pth.tar file a modality")
    contents: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    for file in map(Path, files):
        content = _load(file)
        modality = _modality(file, content)
        if modality in contents:
            other = str(contents[modality][0])
            raise CheckpointError(f"two files for {modality}", place=file, found=other)
        contents[modality] = file, content
    states = {m: _state(file, content) for m, (file, content) in contents.items()}
    sizes = {m: _class_counts(contents[m][0], s, config.features) for m, s in states.items()}
    if len(set(sizes.values())) > 1:
        raise CheckpointError(
            "the files disagree about the number of classes",
            found=", ".join(f"{m}: {a} activities, {c} atomic" for m, (a, c) in sizes.items()),
        )
    n_activities, n_atomic = next(iter(sizes.values()))
    nets = build_nets(config, tuple(states), n_activities, n_atomic, seed=0)
    for modality, net in nets.items():
        load_into(net, states[modality], place=contents[modality][0], hint=_OTHER_SETTINGS)
        net.eval()
    written = {m: content.get("epoch") for m, (_, content) in contents.items()}
    epochs = {m: epoch if isinstance(epoch, int) else None for m, epoch in written.items()}
    return Imported(nets, n_activities, n_atomic, epochs)


def _load(file: Path) -> Mapping[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on old pickles; errors say all
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError("cannot be read", place=file, found=error.strerror) from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "not safe to load: it holds more than tensors and plain values, or is no checkpoint",
            place=file,
            found=_refused(str(error)),
            hint="save it again with its state_dict alone",
        ) from error
    except Exception as error:  # torch's reader raises anything on damaged bytes
        said = str(error).split("\n")[0][:120] if isinstance(error, RuntimeError) else ""
        raise CheckpointError(
            "cut or damaged",
            place=file,
            found=said or type(error).__name__,
            hint="copy it again",
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(
            "not a checkpoint", place=file, found=type(content).__name__, expected="a mapping"
        )
    return content


def _refused(message: str) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", message)
    return f"the object {named.group(1)}" if named else "content that cannot be read"


def _modality(file: Path, content: Mapping[str, Any]) -> str:
    mode = content.get("mode")
    if isinstance(mode, str) and mode in MODES:
        return MODES[mode]
    named = _NAME.match(file.name)
    if named is None:
        raise CheckpointError(
            "cannot tell the modality",
            place=file,
            found=f"mode {mode!r}",
            expected='an entry "mode" or a name that begins with mode_imgs-0_, mode_imgs-1_ '
            "or mode_audio_",
        )
    return MODES[named.group(1)]


def _state(file: Path, content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights under our names: no ``module.``, no second name for the ConvGRU's cell."""
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError('holds no weights under "state_dict"', place=file)
    wrong = [k for k, v in state.items() if not isinstance(v, Tensor) or not isinstance(k, str)]
    if wrong:
        raise CheckpointError("an entry is not a tensor", place=file, found=repr(wrong[0]))
    for key, tensor in state.items():
        if tensor.layout is not torch.strided or tensor.untyped_storage().nbytes() < tensor.nbytes:
            raise CheckpointError(
                "a weight is not stored whole",  # a few bytes may claim terabytes
                place=file,
                found=f"{key}, shape {tuple(tensor.shape)}",
                hint="save it again with its state_dict alone",
            )
    named = {k.removeprefix("module."): v for k, v in state.items()}
    alias, name = _ALIAS
    for key in [k for k in named if k.startswith(alias)]:
        original = name + key.removeprefix(alias)
        twin = named.pop(key)
        if not torch.equal(named.setdefault(original, twin), twin):
            raise CheckpointError(
                "two names of one weight hold different numbers",
                place=file,
                found=f"{key} and {original}",
            )
    return named


def _class_counts(file: Path, state: Mapping[str, Tensor], features: int) -> tuple[int, int]:
    keys = ("final_fc_video.3.weight", "final_fc_atomic.3.weight")
    missing = [k for k in keys if k not in state]
    if missing:
        raise CheckpointError(
            "not a network of the compositional training",
            place=file,
            expected=f"an entry {missing[0]!r}",
            hint="the authors' code writes both heads when run with --hierarchical True",
        )
    for key in keys:
        shape = tuple(state[key].shape)
        if len(shape) != 2 or shape[0] < 1 or shape[1] != features:
            raise CheckpointError(
                f"{key} is no head of this model",
                place=file,
                found=f"shape {shape}",
                expected=f"[classes, {features}]",
                hint=_OTHER_SETTINGS,
            )
    return cast(tuple[int, int], tuple(int(state[k].shape[0]) for k in keys))
