"""Detects video files that were cut off, by the sizes that their outermost boxes state.

Matroska and WebM, AVI, MP4 and MOV state them; other files are always taken for whole.
"""

from pathlib import Path
from typing import BinaryIO

from util.errors import UserError

MP4_BOXES = set(b'ftyp styp pnot moov moof mdat free skip wide sidx uuid meta emsg prft'.split())
MATROSKA, SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'
TOLERANCE = 16  # bytes: some AVI writers count the header of a box as part of its content


def check_whole(path: Path) -> None:
    """Raise UserError if a file is shorter than it says, as after an interrupted copy."""
    with open(path, 'rb') as file:
        stated = stated_size(file)
        size = file.seek(0, 2)
    if size + TOLERANCE < stated:
        raise UserError(
            f'{path}: cut off; {size} of at least {stated} bytes are there; get the whole file, '
            'or re-encode what there is'
        )


def stated_size(file: BinaryIO) -> int:
    """Where the last box ends; at most the file's size if the file does not say."""
    start = file.read(4096).ljust(4096, b'\0')
    if start.startswith(MATROSKA):
        return matroska_size(start)
    box_size = riff_box if start.startswith(b'RIFF') else mp4_box
    end = 0
    while size := box_size(start):
        end += size
        file.seek(end)
        start = file.read(16)
    return end


def mp4_box(start: bytes) -> int:
    """Size of the MP4 box that starts so; 0 if it is none or reaches to the end of the file."""
    if start[4:8] not in MP4_BOXES:
        return 0
    size = int.from_bytes(start[:4], 'big')
    return int.from_bytes(start[8:16], 'big') if size == 1 else size


def riff_box(start: bytes) -> int:
    """Size of an AVI box, one for each gigabyte or so; 0 also if the recording was interrupted."""
    size = int.from_bytes(start[4:8], 'little')
    return 8 + size + size % 2 if start.startswith(b'RIFF') and 0 < size < 2**32 - 1 else 0


def matroska_size(start: bytes) -> int:
    """Size of header and segment, each a name, a length and content; 0 for a live recording."""
    header, at = read_length(start, len(MATROSKA))
    if header is None or start[at + header : at + header + 4] != SEGMENT:
        return 0
    content, at = read_length(start, at + header + len(SEGMENT))
    return 0 if content is None else at + content


def read_length(data: bytes, at: int) -> tuple[int | None, int]:
    """A Matroska length at `at`: its value (None for 'unknown'), and where it ends.

    Its first byte has as many leading zero bits as bytes follow; all ones mean 'unknown'.
    """
    num_bytes = 9 - data[at].bit_length()
    mask = (1 << 7 * num_bytes) - 1
    value = int.from_bytes(data[at : at + num_bytes], 'big') & mask
    return None if value == mask else value, at + num_bytes
