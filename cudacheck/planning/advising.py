"""What belongs to a chosen build besides packages: attention, a compiler, the driver for code compiled later."""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.knowledge import as_version
from cudacheck.planning.answer import Remark
from cudacheck.planning.target import Target
from cudacheck.planning.wanted import Wish
from cudacheck.remedies import flash_attn_choice
from cudacheck.remedies.torch_choice import Choice


def advice(choice: Choice, target: Target, wanted: Wish) -> Iterator[Remark]:
    """In the order of their weight."""
    yield _attention(choice, target, wanted)
    yield from _compiler(choice, target)
    yield from _triton(choice, target)
    yield from _run_time_code(choice, target)
    if choice.build.channel:
        says = (
            f"conda takes it where it sees a driver; elsewhere CONDA_OVERRIDE_CUDA={choice.build.cuda} stands for one"
        )
        yield Remark("beside", says, choice.build.source)
    if target.installer == "uv" and not target.by_hand:
        yield Remark(
            "beside", "in a uv project take --emit uv: `uv sync` and `uv run` revert what was installed by hand"
        )


def _attention(choice: Choice, target: Target, wanted: Wish) -> Remark:
    machine, cuda = target.machine, choice.build.cuda
    wheel, why_not = flash_attn_choice.wheel_for(machine, choice.release.version, cuda)
    if wheel and wanted.flash_attn:
        needs = "" if machine.glibc else f" (glibc {knowledge.flash_attn_wheel_glibc()} or newer)"
        return Remark("attention", f"flash-attn 2, the official wheel {wheel.rpartition('/')[2]}{needs}", wheel)
    if wheel and not choice.build.channel:
        return Remark("attention", f"PyTorch's own (SDPA); there is also {wheel.rpartition('/')[2]}", wheel)
    says = f"PyTorch's own (SDPA): {why_not}" if why_not else "PyTorch's own (SDPA)"
    can_build = machine.os == "linux" and all(map(knowledge.flash_attn_supports, machine.capabilities))
    if can_build and why_not != flash_attn_choice.UNKNOWN:
        says += f"; to build flash-attn from source takes nvcc of CUDA {cuda}"
    return Remark("attention", says)


def _compiler(choice: Choice, target: Target) -> Iterator[Remark]:
    """The toolkit for those who compile extensions, and the driver that its image asks for."""
    cuda, machine = choice.build.cuda, target.machine
    if not all(knowledge.toolkit_compiles(cuda, capability) for capability in machine.capabilities):
        return
    says = f"CUDA toolkit {cuda}, as this PyTorch was built with"
    image = knowledge.devel_image(cuda) if machine.os == "linux" else None
    if image:
        own = knowledge.toolkit_driver(cuda, machine.driver_os)
        says += f"; in a container {image}" + (f" (driver {own} or newer)" if own else "")
    yield Remark("compile", says)


def _triton(choice: Choice, target: Target) -> Iterator[Remark]:
    """Whether the ptxas in Triton's wheel knows the GPUs: torch.compile needs it."""
    machine = target.machine
    triton = knowledge.triton_of(choice.release.version)
    if triton is None or choice.build.channel or (machine.os, machine.machine) != ("linux", "x86_64"):
        return
    unknown = [cc for cc in machine.capabilities if cc not in triton.compute_capabilities]
    says = f"Triton {triton.version}, ptxas {triton.ptxas}"
    if unknown:
        says += f": it does not know compute capability {unknown[0]}; TRITON_PTXAS_PATH names a toolkit's that does"
    yield Remark("triton", says, triton.source)


def _run_time_code(choice: Choice, target: Target) -> Iterator[Remark]:
    """PTX, which some libraries compile when they run, wants a driver of the same CUDA."""
    driver = target.machine.driver
    served = knowledge.driver_serves(driver) if driver else None
    if served and as_version(served) < as_version(choice.build.cuda):
        says = (
            f"this driver serves CUDA {served}: code that libraries compile to PTX with CUDA {choice.build.cuda} fails"
        )
        yield Remark("jit", f"{says} (error 222), PyTorch's own kernels run")
