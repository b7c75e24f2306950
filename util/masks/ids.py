"""Assigning object ids to the numbers and colours in the mask files of one video."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from util.errors import UserError
from util.masks.codes import DAVIS_COLOURS, GREYS, VOID, any_void

Ids = dict[int, int]  # code or colour -> id


@dataclass(frozen=True)
class MaskFile:
    """The codes in a mask file; see `util.masks.codes.MaskCodes` for is_colour and is_free.

    codes: the distinct ones, sorted, without 0. palette: 256 colours, for an indexed file.
    """

    codes: list[int]
    is_colour: bool
    is_free: bool
    palette: Sequence[int] | None

    def colours(self) -> list[int]:
        """The colours of the codes; ids without a palette are shades of grey."""
        if self.is_colour:
            return self.codes
        palette = GREYS if self.palette is None else self.palette
        return [palette[code] for code in self.codes if code < len(palette)]

    def is_davis(self) -> bool:
        return self.palette is not None and self.colours() == [DAVIS_COLOURS[c] for c in self.codes]


@dataclass
class Numbering:
    """The ids of the objects in all masks of a video.

    Arguments:
        id_of: the id of each code, by file; codes of unlabelled pixels are left out.
        colours: '#rrggbb' -> id, for files that are read by colour.
        notes: messages for the user.
    """

    id_of: dict[Path, Ids]
    colours: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def number_objects(files: Mapping[Path, MaskFile]) -> Numbering:
    """Number the objects in all masks of a video.

    Numbers are ids. Colours are used instead where there are no numbers (RGB files, indexed files
    whose entry 0 is not the background) or where palettes disagree. Colours of the DAVIS palette
    keep their ids; others are numbered. Raises UserError if some files hold colours, others ids.
    """
    files = {path: file for path, file in files.items() if file.codes}
    by_colour = {path: file for path, file in files.items() if file.is_free}
    colours = {colour for file in by_colour.values() for colour in file.colours()}
    has_numbers = not any(file.is_colour for file in by_colour.values())
    is_counted = False
    if colours <= {*DAVIS_COLOURS}:
        ids = {colour: DAVIS_COLOURS.index(colour) for colour in colours}
    elif has_numbers and palettes_agree(files.values(), colours):
        by_colour, ids = {}, {}
    elif are_levels(files.values(), colours):
        ids = {colour: GREYS.index(colour) for colour in colours}
    else:
        by_colour, is_counted = with_colours(files), True
        ids = count_colours(by_colour.values())
    id_of = {path: dict(zip(file.codes, file.codes, strict=True)) for path, file in files.items()}
    for path, file in by_colour.items():
        id_of[path] = {c: ids[colour] for c, colour in zip(file.codes, file.colours(), strict=True)}
    result = Numbering(id_of, notes=notes_on_palettes(by_colour, id_of))
    if result.notes or any(file.palette is None for file in by_colour.values()):
        table = sorted((number, colour) for colour, number in ids.items())
        result.colours = {f'#{colour:06x}': number for number, colour in table}
    if not is_counted:
        drop_void(result)
    return result


def palettes_agree(files: Iterable[MaskFile], colours: set[int]) -> bool:
    """Whether each number has one colour, and each colour one number, in all indexed files.

    colours: those of files with custom palettes. If they are greys, they are also compared with
    files of plain ids, some of which an image optimiser may have turned into indexed files.
    """
    is_grey = colours <= {*GREYS}
    compared = [file for file in files if file.is_free or file.is_davis() or is_grey]
    pairs = {pair for f in compared for pair in zip(f.codes, f.colours(), strict=False)}
    return len(pairs) == len({number for number, _ in pairs}) == len({c for _, c in pairs})


def are_levels(files: Collection[MaskFile], colours: set[int]) -> bool:
    """Whether the greys in custom palettes are the ids that other files hold."""
    has_rgb = any(file.is_free and file.palette is None for file in files)
    return colours <= {*GREYS} and not has_rgb and not all(file.is_free for file in files)


def with_colours(files: Mapping[Path, MaskFile]) -> dict[Path, MaskFile]:
    """All files, to be read by colour. Raises UserError if some of them hold only ids."""
    free = [path for path, file in files.items() if file.is_free]
    has_rgb = any(files[path].palette is None for path in free)
    for path, file in files.items():
        if not file.is_free and (has_rgb or not file.is_davis()):
            raise UserError(f'{free[0]} holds colours, {path} ids; convert one of them')
    return dict(files)


def count_colours(files: Iterable[MaskFile]) -> Ids:
    """Give each colour the number that it has in the first indexed file, if that is not taken.

    The others are numbered in order of their RGB values.
    """
    ids: Ids = {}
    every: set[int] = set()
    for file in files:
        every |= {*file.colours()}
        for number, colour in zip(file.codes, file.colours(), strict=True):
            if not file.is_colour and colour not in ids and number not in ids.values():
                ids[colour] = number
    unused = (number for number in count(1) if number not in ids.values())
    for colour in sorted(every - ids.keys()):
        ids[colour] = next(unused)
    return ids


def notes_on_palettes(by_colour: Mapping[Path, MaskFile], id_of: Mapping[Path, Ids]) -> list[str]:
    """A note on the indexed files whose numbers are not the ids, if there are any."""
    indexed = [path for path, file in by_colour.items() if file.palette is not None]
    changed = [path for path in indexed if any(c != i for c, i in id_of[path].items())]
    if not changed:
        return []
    reason = 'its palette differs from that of DAVIS or of another mask'
    if by_colour[changed[0]].is_colour:
        reason = 'entry 0 of its palette is not black'
    return [f'{some(changed)}: read by colour, not by number, because {reason}']


def drop_void(numbering: Numbering) -> None:
    """Drop id 255 where `any_void` holds."""
    objects = {path: {*ids.values()} for path, ids in numbering.id_of.items()}
    if not any_void(objects.values()):
        return
    with_void = [path for path, found in objects.items() if VOID in found]
    for path in with_void:
        ids = numbering.id_of[path]
        numbering.id_of[path] = {code: number for code, number in ids.items() if number != VOID}
    numbering.colours = {c: number for c, number in numbering.colours.items() if number != VOID}
    numbering.notes.append(
        f'{some(with_void)}: 255 beside smaller ids means "not labelled"; it is not followed'
    )


def some(paths: Sequence[Path]) -> str:
    """Name the first of some files, and say how many more there are."""
    return f'{paths[0]}' + (f' and {len(paths) - 1} more' if len(paths) > 1 else '')
