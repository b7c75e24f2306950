"""Whether a video file is whole, told by the sizes that its outermost boxes state.

Matroska and WebM, AVI, MP4 and MOV state them; in other files nothing is found missing.
"""

from util.errors import UserError

MP4_BOXES = set(b'ftyp styp pnot moov moof mdat free skip wide sidx uuid meta emsg prft'.split())
MATROSKA, SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'
TOLERANCE = 16  # bytes: some writers of AVI count the header of its box too


def check_whole(path):
    """Raise UserError if a file is shorter than it says, as an interrupted copy is."""
    with open(path, 'rb') as file:
        stated = stated_size(file)
        size = file.seek(0, 2)
    if size + TOLERANCE < stated:
        raise UserError(
            f'{path}: cut off, {size} of at least {stated} bytes are there; get the whole file, '
            'or re-encode what there is'
        )


def stated_size(file):
    """Where the last box of a binary file ends; 0 or less than its size where it does not say."""
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


def mp4_box(start):
    """The size of the MP4 box that starts so; 0 if it is none or reaches to the end of the file."""
    if start[4:8] not in MP4_BOXES:
        return 0
    size = int.from_bytes(start[:4], 'big')
    return int.from_bytes(start[8:16], 'big') if size == 1 else size


def riff_box(start):
    """The same for AVI, of which each gigabyte or so is a box; 0 too if a recording broke off."""
    size = int.from_bytes(start[4:8], 'little')
    return 8 + size + size % 2 if start.startswith(b'RIFF') and 0 < size < 2**32 - 1 else 0


def matroska_size(start):
    """Header and segment, each a name, a length and the content; 0 if recorded live."""
    header, at = read_length(start, len(MATROSKA))
    if start[at + header : at + header + 4] != SEGMENT:
        return 0
    content, at = read_length(start, at + header + len(SEGMENT))
    return 0 if content is None else at + content


def read_length(data, at):
    """A Matroska length at `at` -> its value, None if it says `unknown`, and where it ends.

    As many zero bits lead its first byte as further bytes follow; all ones mean unknown.
    """
    num_bytes = 9 - data[at].bit_length()
    mask = (1 << 7 * num_bytes) - 1
    value = int.from_bytes(data[at : at + num_bytes], 'big') & mask
    return None if value == mask else value, at + num_bytes
