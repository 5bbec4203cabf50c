"""Get the original's checkpoints: fetch, verify, convert; an interruption loses nothing.

Each file goes through these states, and the next run goes on from the one that it finds:
    PATH.<source>.part     bytes from one source, perhaps not all
    PATH                   the published file, its sum verified
    PATH as .safetensors   its weights alone, without a record: perhaps cut short
    the same with a record  finished; the published file is deleted last
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backend.downloads.transfer import (
    Meter,
    NoRangesError,
    Patience,
    SourceError,
    disk_error,
    download,
    host_of,
)
from backend.downloads.zip_member import entry_of, find_member, unpack
from backend.errors import DownloadError, WeightsError
from backend.runtime import try_lock
from models.registry import OfficialFile, WeightFileError, WeightSource
from models.stored import (
    ConvertedFile,
    official_state,
    record_path,
    sha256_of,
    stored_path,
    write_record,
)

# What the file system and other programs may need meanwhile.
SPARE_BYTES = 200_000_000
ARCHIVES, WITH_UNFINISHED = "archive-*.zip", "archive-*"


@dataclass
class Downloader:
    """Puts official checkpoints into a folder.

    Attributes:
        folder: the one that holds them all.
        make_meter: for each file that is fetched, by the name of its network and its source.
        say: receives lines for the user.
        patience: with slow and broken connections.
    """

    folder: Path
    make_meter: Callable[[str, str], Meter]
    say: Callable[[str], object]
    patience: Patience = field(default_factory=Patience)

    def missing(self, files: Sequence[OfficialFile]) -> list[OfficialFile]:
        """Those that are not there in converted form."""
        return [
            file
            for file in files
            if official_state(file, self.folder) != "present"
            or stored_path(self.folder / file.path).suffix != ".safetensors"
        ]

    def get(self, files: Sequence[OfficialFile]) -> None:
        """Fetch and convert what is missing, one file after the other.

        Raises:
            DownloadError: a file cannot be had, the disk is too small, or another command is
                at work; what has arrived is kept.
            WeightsError: a file that lies there already is none of the published ones.
        """
        with only_one(self.folder):
            missing = self.missing(files)
            self._check_space(missing)
            for file in missing:
                self._get_one(file)
            for archive in self.folder.glob(ARCHIVES):
                archive.unlink()

    def _get_one(self, file: OfficialFile) -> None:
        target = self.folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file():
            self._fetch(file, target)
        elif sha256_of(target) != file.sha256:
            raise WeightsError(
                f"{target} is not the published file, or damaged: move it away, or remove it with "
                f"'restore-old-photo models remove {file.spec.network}', then run the same "
                "command again."
            )
        convert(file, target, self.folder, file.sha256)
        target.unlink()
        self.say(f"{file.spec.network}: ready")

    def _fetch(self, file: OfficialFile, target: Path) -> None:
        reasons = []
        for source in file.sources:
            try:
                self._fetch_from(source, file, target)
            except SourceError as error:
                reasons.append(str(error))
                continue
            except OSError as error:
                raise disk_error(target, error) from error
            return
        raise DownloadError(
            f"{file.spec.network} could not be downloaded ({'; '.join(reasons)}): check the "
            "network and the proxy, then run the same command again; what has arrived is kept."
        )

    def _fetch_from(self, source: WeightSource, file: OfficialFile, target: Path) -> None:
        part = _part_of(target, source)
        was_begun = part.exists()
        meter = self.make_meter(file.spec.network, host_of(source.url))
        try:
            if source.member is None:
                check = _size_check(file, source)
                download(source.url, part, meter, self.patience, check_size=check)
                arrived = part
            else:
                arrived = self._fetch_member(source, source.member, file, part, meter)
        finally:
            meter.end()
        if sha256_of(arrived) == file.sha256:
            arrived.replace(target)
            part.unlink(missing_ok=True)
            return
        arrived.unlink()
        part.unlink(missing_ok=True)
        self._archive(source).unlink(missing_ok=True)
        if was_begun:  # the file may have been another one when the first bytes came
            self._fetch_from(source, file, target)
            return
        raise SourceError(
            f"{host_of(source.url)} sent other bytes than the published ones (the sum differs)"
        )

    def _fetch_member(
        self, source: WeightSource, name: str, file: OfficialFile, part: Path, meter: Meter
    ) -> Path:
        unpacked = part.with_suffix(".unpacked")
        try:
            if self._archive(source).exists():
                raise NoRangesError("the whole archive is here already")
            member = find_member(source.url, name, self.patience)
            if file.size_bytes not in (None, member.size_bytes):
                raise _wrong_size(source, member.size_bytes, file)
            download(source.url, part, meter, self.patience, member.place)
            try:
                unpack(part, member.method, unpacked)
            except SourceError as error:
                part.unlink()
                raise SourceError(f"{host_of(source.url)}: {error}") from error
        except NoRangesError:
            self._fetch_whole_archive(source, name, unpacked, meter)
        return unpacked

    def _fetch_whole_archive(
        self, source: WeightSource, name: str, unpacked: Path, meter: Meter
    ) -> None:
        archive = self._archive(source)
        if not archive.exists():
            part = archive.with_suffix(".part")
            download(source.url, part, meter, self.patience, check_size=self._check_archive)
            part.replace(archive)
        try:
            with (
                zipfile.ZipFile(archive) as opened,
                opened.open(entry_of(opened, name)) as member,
                unpacked.open("wb") as out,
            ):
                shutil.copyfileobj(member, out)
        except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
            archive.unlink()
            raise SourceError(
                f"{host_of(source.url)}: the archive has no {name}, or is damaged"
            ) from error

    def _archive(self, source: WeightSource) -> Path:
        return self.folder / ARCHIVES.replace("*", _mark(source.url))

    def _check_archive(self, size_bytes: int) -> None:
        check_space(self.folder, size_bytes)

    def _check_space(self, missing: Sequence[OfficialFile]) -> None:
        if not missing:
            return
        # One published file lies beside the converted ones at a time.
        kept = sum(4 * file.parameters for file in missing)
        check_space(self.folder, kept + max(size_of(file) for file in missing))


def size_of(file: OfficialFile) -> int:
    """The size of a published file, estimated where it is not recorded."""
    return file.size_bytes if file.size_bytes is not None else 4 * file.parameters


def convert(file: OfficialFile, original: Path, folder: Path, source_sha256: str) -> None:
    """Keep the weights of a published file as safetensors in `folder`, with their record.

    Raises:
        WeightsError: it is damaged or of another network.
        DownloadError: the disk is full or cannot be written.
    """
    from models.loading import convert_official  # takes seconds

    converted = (folder / file.path).with_suffix(".safetensors")
    try:
        record_path(converted).unlink(missing_ok=True)
        convert_official(file, original, converted)
        record = ConvertedFile(sha256_of(converted), converted.stat().st_size, source_sha256)
        write_record(converted, record)
    except WeightFileError as error:
        raise WeightsError.of(error) from error
    except OSError as error:
        raise disk_error(converted, error) from error


def check_space(folder: Path, needed_bytes: int) -> None:
    """Raises DownloadError when the disk of `folder` has no room for so many bytes."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes + SPARE_BYTES:
        raise DownloadError(
            f"The disk of {existing} has {free / 1e9:.1f} GB free, but "
            f"{(needed_bytes + SPARE_BYTES) / 1e9:.1f} GB are needed: free some, or set "
            "RESTORE_OLD_PHOTO_HOME to a folder on another disk.",
            code="disk-full",
        )


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep other commands away from the files of a folder.

    Raises:
        DownloadError: another one is at work, or the folder cannot be written.
    """
    lock = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as error:
        raise disk_error(lock, error) from error
    with file:
        if not try_lock(file):
            raise DownloadError(
                f"Another command is changing the models in {folder}: wait until it has ended, "
                "then run this again."
            )
        yield


def parts_of(file: OfficialFile, folder: Path) -> list[Path]:
    """What is left of an unfinished download."""
    target = folder / file.path
    return sorted(target.parent.glob(target.name + ".*"))


def _part_of(target: Path, source: WeightSource) -> Path:
    # Named by its source, so that bytes of two sources never mix.
    return target.with_name(f"{target.name}.{_mark(source.url + (source.member or ''))}.part")


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _size_check(file: OfficialFile, source: WeightSource) -> Callable[[int], None]:
    def check(size_bytes: int) -> None:
        if file.size_bytes not in (None, size_bytes):
            raise _wrong_size(source, size_bytes, file)

    return check


def _wrong_size(source: WeightSource, size_bytes: int, file: OfficialFile) -> SourceError:
    return SourceError(
        f"{host_of(source.url)} has {size_bytes} bytes instead of the published {file.size_bytes}"
    )
