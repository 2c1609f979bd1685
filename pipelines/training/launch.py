"""Fabrics: one process on a device, or this process as one of many.

Many processes come about in three ways: torchrun starts them, SLURM's srun does, or Fabric starts this
program once more for each further graphics card of this machine. They talk by NCCL between cards and by gloo
between processors.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Literal

from pipelines.training.settings import MachineSettings, Precision
from studio.devices import choose_device
from studio.domain.problem import Problem

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric


def one_process(device: torch.device, precision: Precision = "auto") -> Fabric:
    """This process alone.

    Args:
        device: what it computes on.
        precision: arithmetic of the networks, see :class:`~pipelines.training.settings.LoopSettings`.
    """
    _import_fabric()
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    devices: int | list[int] = 1
    if device.type == "cuda":
        import torch

        devices = [torch.cuda.current_device() if device.index is None else device.index]
    return Fabric(
        accelerator=device.type,
        devices=devices,
        precision=_arithmetic(precision, device.type),
        # Whatever has started this process: it trains by itself.
        plugins=[LightningEnvironment()],
    )


def launch(machines: MachineSettings, precision: Precision = "auto") -> Fabric:
    """Join the processes that torchrun or srun have started, or start one for each graphics card.

    Further processes run the same command line from its beginning and come to this same call. All must then
    do the same; only the first (``fabric.is_global_zero``) tells people about it and writes files.

    Raises:
        Problem: the machine does not have what was asked for, or torchrun and the settings disagree.
    """
    import torch

    _import_fabric()
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    kind = choose_device(machines.device).kind
    outside = _started_from_outside()
    cards = torch.cuda.device_count() if kind == "cuda" else 0
    if outside is None:
        here, nodes = machines.processes or max(cards, 1), 1
    else:
        here, nodes = outside
        if machines.processes not in (0, here):
            raise Problem(
                f"{here} processes have been started on this machine and {machines.processes} are asked for: "
                "leave out how many, torchrun or srun decide."
            )
    if here * nodes == 1:
        return one_process(torch.device(kind), precision)
    if kind == "mps":
        raise Problem("An Apple GPU trains in one process only: ask for one, or for the processor.")
    if kind == "cuda" and here > cards:
        raise Problem(
            f"{here} processes are asked for on this machine, of whose graphics cards {cards} can be seen: "
            "start one a card. (With srun, each process must see all cards of its machine.)"
        )
    fabric = Fabric(
        accelerator=kind,
        devices=here,
        num_nodes=nodes,
        precision=_arithmetic(precision, kind),
        # Trainings may leave networks out for a while; buffers are the first process's where they matter, and
        # sending them before each step would go wrong where one process alone has to begin a step again.
        strategy=DDPStrategy(find_unused_parameters=True, forward_sync_buffers=False),
    )
    fabric.launch()
    return fabric


def _started_from_outside() -> tuple[int, int] | None:
    """Processes on each machine, and machines, if torchrun or srun have started them."""
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        each = os.environ.get("SLURM_NTASKS_PER_NODE") or int(os.environ["SLURM_NTASKS"]) // nodes
        return int(each), nodes
    return None


def _arithmetic(wanted: Precision, kind: str) -> Literal["bf16-mixed", "32-true"]:
    """Fabric's word for a precision."""
    if wanted == "auto":
        import torch

        fits = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        wanted = "bfloat16" if fits else "float32"
    return "bf16-mixed" if wanted == "bfloat16" else "32-true"


def slow_arithmetic(precision: Precision, kind: str) -> str | None:
    """What to say where an arithmetic was asked for that this processor has to imitate; None where it has it.

    Imitated, convolutions in bfloat16 take a hundred times as long.

    Args:
        precision: as asked.
        kind: of device, e.g. ``cpu``.
    """
    import torch

    if precision != "bfloat16" or kind != "cpu":
        return None
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in ("DEFAULT", "AVX2"):
        return None
    return (
        "This processor has no bfloat16 arithmetic and imitates it very slowly: leave "
        "--training.loop.precision away, which takes float32."
    )


def _import_fabric() -> None:
    """Import Fabric, without what it does to the rest of the program."""
    before = os.environ.get(_SLOW_LOOK)
    import lightning_fabric  # noqa: F401

    if before is None:
        os.environ.pop(_SLOW_LOOK, None)
    # Its own notes are not for whoever trains.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)


_SLOW_LOOK = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""Set by Fabric. Torch then loads a library each time that it is asked for a CUDA card, which happens in each
step: half a millisecond a time, for a fork after the question to be safe. We do not fork."""
