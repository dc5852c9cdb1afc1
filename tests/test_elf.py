"""The ELF reader, on libraries that cc builds here and on broken ones."""

import importlib.util
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from present import present

from cudacheck.probes.patient._elf import Elf, c_strings
from cudacheck.probes.patient._symbols import exports, gnu_hash, undefined_symbols

needs_cc = pytest.mark.skipif(
    shutil.which("cc") is None or not sys.platform.startswith("linux"), reason="builds Linux libraries with cc"
)
SOURCE = """
#include <stdio.h>
const char architectures[] = "sm_80 sm_90 compute_90";
const char text[] = "built for sm_75 or so";
extern int _ZN3c105foundEv(void);
extern int _ZN3c107missingEv(void);
extern int _ZN3c108optionalEv(void) __attribute__((weak));
int answer(void) { puts(text); return _ZN3c105foundEv() + _ZN3c107missingEv() + (_ZN3c108optionalEv != 0); }
int _ZN2at5otherEv(void) { return 1; }
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory):
    """Build a shared object of the source, with more flags for cc."""

    def build(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("elf")
        (folder / "x.c").write_text(SOURCE)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "libx.so", "x.c", *flags], cwd=folder, check=True)
        return folder / "libx.so"

    return build


def offers(elf: Elf, name: bytes) -> bool:
    return exports(elf, name, gnu_hash(name))


@needs_cc
def test_what_the_loader_is_told(build):
    with Elf(str(build("-Wl,-soname,libx.so.1", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/a:/b"))) as elf:
        assert elf.soname == "libx.so.1"
        assert "libc.so.6" in elf.needed
        assert (elf.rpath, elf.runpath) == (("$ORIGIN/a", "/b"), ())
    with Elf(str(build("-Wl,--enable-new-dtags,-rpath,/b"))) as elf:
        assert elf.soname is None
        assert (elf.rpath, elf.runpath) == ((), ("/b",))


@needs_cc
@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_symbols(build, style):
    with Elf(str(build(f"-Wl,--hash-style={style}"))) as elf:
        assert sorted(undefined_symbols(elf, (b"_ZN3c10", b"_ZN2at"))) == [b"_ZN3c105foundEv", b"_ZN3c107missingEv"]
        assert offers(elf, b"answer")
        assert offers(elf, b"_ZN2at5otherEv")
        assert not offers(elf, b"_ZN3c105foundEv")
        assert not offers(elf, b"answe")
        assert not offers(elf, b"answers")


@needs_cc
def test_nothing_exported(tmp_path):
    (tmp_path / "x.c").write_text(
        "extern int _ZN3c105foundEv(void);\n"
        '__attribute__((constructor, visibility("hidden"))) void start(void) { _ZN3c105foundEv(); }'
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-o", "x.so", "x.c"], cwd=tmp_path, check=True)
    with Elf(str(tmp_path / "x.so")) as elf:
        assert undefined_symbols(elf, (b"_ZN3c10",)) == [b"_ZN3c105foundEv"]
        assert not offers(elf, b"start")


@needs_cc
def test_versions(build):
    with Elf(str(build())) as elf:
        assert any(re.fullmatch(r"GLIBC_2[\d.]+", version) for version in elf.version_needs())


@needs_cc
def test_a_real_library_as_nm_lists_it():
    torch = importlib.util.find_spec("torch")
    if torch is None:
        pytest.skip("no torch here, whose libtorch_python.so has thousands of symbols")
    library = Path(present(torch.origin)).parent / "lib" / "libtorch_python.so"
    listing = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout
    symbols = [(line.split()[-2], line.split()[-1].partition("@")[0].encode()) for line in listing.splitlines()]
    wanted = {name for kind, name in symbols if kind == "U" and name.startswith(b"_ZN3c10")}
    defined = [name for kind, name in symbols if kind in "TWVBDRu"]
    with Elf(str(library)) as elf:
        assert set(undefined_symbols(elf, (b"_ZN3c10",))) == wanted
        assert all(offers(elf, name) for name in defined[::20])
        assert not any(offers(elf, name) for name in wanted)


@needs_cc
def test_strings_of_the_read_only_data(build):
    pattern = re.compile(rb"sm_\d+(?: (?:sm|compute)_\d+)*")
    assert c_strings(str(build()), pattern) == [b"sm_80 sm_90 compute_90"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"MZ\0\0sm_80 sm_86\0more", [b"sm_80 sm_86"]),
        (b"sm_80", [b"sm_80"]),
        (b"\0for sm_80\0sm_80 only\0", []),
        (b"", []),
    ],
)
def test_strings_of_what_is_no_elf_file(tmp_path, content, found):
    path = tmp_path / "torch_python.dll"
    path.write_bytes(content)
    assert c_strings(str(path), re.compile(rb"sm_\d+(?: sm_\d+)*")) == found


def read_everything(path: Path) -> None:
    """Ask all there is to ask; ValueError is the only thing a broken file may answer."""
    questions = (
        lambda elf: (elf.soname, elf.needed, elf.rpath, elf.runpath),
        lambda elf: elf.version_needs(),
        lambda elf: elf.section(".rodata"),
        lambda elf: undefined_symbols(elf, (b"_Z", b"p")),
        lambda elf: offers(elf, b"answer"),
        lambda elf: offers(elf, b"_ZN3c105foundEv"),
    )
    try:
        with Elf(str(path)) as elf:
            for question in questions:
                try:
                    question(elf)
                except ValueError:
                    continue
    except ValueError:
        pass
    c_strings(str(path), re.compile(rb"sm_\d+"))


@needs_cc
@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_truncated_files_only_raise_value_error(build, tmp_path, style):
    whole = build(f"-Wl,--hash-style={style}").read_bytes()
    broken = tmp_path / "broken.so"
    for length in (*range(1, 1200, 13), *range(1200, len(whole), 331)):
        broken.write_bytes(whole[:length])
        read_everything(broken)


@needs_cc
@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_garbled_files_only_raise_value_error(build, tmp_path, style):
    whole = build(f"-Wl,--hash-style={style}").read_bytes()
    broken = tmp_path / "broken.so"
    chance = random.Random(20261122)
    for _ in range(400):
        garbled = bytearray(whole)
        for _ in range(chance.choice([1, 4, 40])):
            # The headers, and the tables behind them, are where the numbers are.
            at = chance.randrange(chance.choice([1024, 4096, len(garbled)])) // 8 * 8
            garbled[at : at + 8] = chance.choice([b"\xff" * 8, bytes(8), chance.randbytes(8)])
        broken.write_bytes(garbled[: len(whole)])
        read_everything(broken)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(58), b"\x7fELF\x01\x01" + bytes(200)])
def test_what_is_no_shared_object(tmp_path, content):
    path = tmp_path / "x.so"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.so|empty"):
        Elf(str(path))
