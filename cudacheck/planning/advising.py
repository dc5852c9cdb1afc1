"""What belongs to a chosen build besides packages: attention, a compiler, the driver for code compiled later."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet

from cudacheck import knowledge
from cudacheck.knowledge import as_version
from cudacheck.planning import choosing
from cudacheck.planning.answer import Remark
from cudacheck.planning.target import Target
from cudacheck.planning.wanted import Wish
from cudacheck.remedies import flash_attn_choice, installers, torch_choice
from cudacheck.remedies.torch_choice import Choice


def advice(choice: Choice, target: Target, wanted: Wish) -> Iterator[Remark]:
    """In the order of their weight."""
    yield _attention(choice, target, wanted)
    yield from _newer_attention(choice, target, wanted)
    yield from _compiler(choice, target)
    yield from _containers(choice, target)
    yield from _triton(choice, target)
    yield from _run_time_code(choice, target)
    yield from _staying_behind(choice, target)
    if choice.build.channel:
        says = (
            f"conda takes it where it sees a driver; elsewhere CONDA_OVERRIDE_CUDA={choice.build.cuda} stands for one"
        )
        yield Remark("beside", says, choice.build.source)
        if others := ", ".join(name for name, _ in wanted.others):
            yield Remark("left out", f"{others}: what conda-forge calls it is not known")
    if target.installer == "uv" and not target.by_hand:
        yield Remark(
            "beside", "in a uv project take --emit uv: `uv sync` and `uv run` revert what was installed by hand"
        )


MOST_LEFT_OUT = 6


def on_wishes(wanted: Wish) -> Iterator[Remark]:
    """What was asked for and cannot be, and what stands beside it and is not followed."""
    asked = wanted.get("torch")
    for spec in asked.specifier if asked else ():
        version, _, tag = spec.version.partition("+")
        if spec.operator in ("==", "===") and knowledge.exists(version, tag) is False:
            yield Remark("beside", f"torch {spec.version} was never published")
    for line in wanted.left_out[:MOST_LEFT_OUT]:
        yield Remark("left out", line)
    more = len(wanted.left_out) - MOST_LEFT_OUT
    if more > 0:
        yield Remark("left out", f"and {more} more lines of files")


def _attention(choice: Choice, target: Target, wanted: Wish) -> Remark:
    machine, cuda = target.machine, choice.build.cuda
    if asked := next((variant for variant in knowledge.flash_attn_variants() if wanted.get(variant.name)), None):
        return Remark("attention", f"{asked.name}, which was asked for, beside PyTorch's own (SDPA)", asked.source)
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


def _newer_attention(choice: Choice, target: Target, wanted: Wish) -> Iterator[Remark]:
    """flash-attn 3 and 4, where all GPUs are of the kind that they were made for."""
    machine = target.machine
    for variant in knowledge.flash_attn_variants():
        fits = machine.os == "linux" and machine.machine in variant.machines and not choice.build.channel
        made_for = machine.capabilities and set(machine.capabilities) <= set(variant.recommended)
        serves = not variant.tags or choice.build.tag in variant.tags
        if not (fits and made_for and serves) or (machine.python and machine.python not in variant.pythons):
            continue
        if wanted.get(variant.name) or choice.release.version not in SpecifierSet(variant.torch):
            continue
        cuda13 = variant.extra and choice.build.cuda.startswith("13")
        spec = f"'{variant.name}[{variant.extra}]'" if cuda13 else variant.name
        where = f" --index-url {installers.index_url(choice.build.tag)}" if variant.tags else ""
        kinds = ", ".join(variant.recommended)
        says = f"{variant.name} was made for compute capability {kinds}: pip install {spec}{where}"
        yield Remark("attention", says + ("" if variant.tags else " (pre-releases)"), variant.source)


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


def _containers(choice: Choice, target: Target) -> Iterator[Remark]:
    """Images that hold this very build, and NVIDIA's own of the same release, where this driver serves their CUDA."""
    machine, version = target.machine, choice.release.version
    if (machine.os, machine.machine) != ("linux", "x86_64") or choice.build.channel:
        return
    for image in knowledge.images():
        needs = knowledge.minimum_driver(image.cuda, machine.driver_os)
        served = machine.driver is None or (needs and knowledge.driver_at_least(machine.driver, needs))
        if image.torch == version and image.cuda == choice.build.cuda:
            yield Remark("container", f"this PyTorch is in {image.name}", image.source)
        elif served and image.torch == f"{version}a0":
            says = f"NVIDIA's own build of {image.torch}, with CUDA {image.cuda}, is in {image.name}"
            yield Remark("container", says, image.source)


def on_jetson(target: Target) -> Iterator[Remark]:
    """What the JetPacks of a Jetson before Thor bring along."""
    machine = target.machine
    if not machine.jetson or torch_choice.JETSON_WITH_STOCK_BUILDS in machine.capabilities:
        return
    branch = knowledge.parse_driver(machine.driver)[0] if machine.driver else None
    for capability in machine.capabilities:
        for jetpack in knowledge.jetpacks(capability, branch):
            cuda = " to ".join(dict.fromkeys((jetpack.cuda[0], jetpack.cuda[-1])))
            where = f"; the Jetson AI Lab has wheels for it: {jetpack.index}" if jetpack.index else ""
            says = f"JetPack {jetpack.version} has CUDA {cuda} and Python {jetpack.python}{where}"
            yield Remark("jetpack", says, jetpack.source)


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


def _staying_behind(choice: Choice, target: Target) -> Iterator[Remark]:
    """Installed partners of the PyTorch that goes, which nobody asked for."""
    there = () if target.by_hand or target.new_environment else target.machine.companions
    for name in there:
        if name not in choice.companions:
            version = choosing.partner_version(choice, name)
            belongs = (
                f"{name}=={version} belongs to this PyTorch" if version else f"no {name} is known for this PyTorch"
            )
            yield Remark("left out", f"the installed {name}, which was not asked for: {belongs}")


def _run_time_code(choice: Choice, target: Target) -> Iterator[Remark]:
    """PTX, which some libraries compile when they run, wants a driver of the same CUDA."""
    driver = target.machine.driver
    served = knowledge.driver_serves(driver) if driver else None
    if served and as_version(served) < as_version(choice.build.cuda):
        says = (
            f"this driver serves CUDA {served}: code that libraries compile to PTX with CUDA {choice.build.cuda} fails"
        )
        yield Remark("jit", f"{says} (error 222), PyTorch's own kernels run")
