"""Untrusted files may hold code, and paths that lead elsewhere: no program runs or follows them."""

import ast
import io
from pathlib import Path

import pytest
import torch

from model.weights import read_weights
from tests.faults.bad_inputs.checkpoints import CONV1, Code
from tests.helpers.product import PRODUCT, ROOT
from util.errors import UserError

FORBIDDEN = {
    'eval', 'exec', '__import__', 'os.system', 'os.popen', 'pickle.load', 'pickle.loads',
    'subprocess.getoutput', 'subprocess.getstatusoutput', 'yaml.load', 'marshal.load',
    'shutil.unpack_archive', 'torch.jit.load', 'torch.hub.load', 'joblib.load', 'tempfile.mktemp',
}  # fmt: skip
FORBIDDEN_METHODS = {'extractall', 'extract'}  # names in an archive may lead out of the folder


def name_of(node):
    """The dotted name of a called function, such as 'torch.load'; '.load' of an expression."""
    if isinstance(node, ast.Attribute):
        return f'{name_of(node.value)}.{node.attr}'
    return node.id if isinstance(node, ast.Name) else ''


def faults(source):
    """The calls in a source that must not be there, as a list of (line, reason)."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name, options = name_of(node.func), {word.arg: word.value for word in node.keywords}
        if name in FORBIDDEN or name.rpartition('.')[2] in FORBIDDEN_METHODS:
            found.append((node.lineno, name))
        if name.endswith('torch.load') and not is_true(options.get('weights_only')):
            found.append((node.lineno, 'torch.load without weights_only=True'))
        if name in ('numpy.load', 'np.load') and 'allow_pickle' in options:
            found.append((node.lineno, 'np.load with allow_pickle'))
        if 'shell' in options:
            found.append((node.lineno, 'a shell'))
    return found


def is_true(node):
    return isinstance(node, ast.Constant) and node.value is True


@pytest.mark.parametrize('path', PRODUCT, ids=[str(p.relative_to(ROOT)) for p in PRODUCT])
def test_no_call_runs_code_from_files(path):
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    'line',
    [
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        'torch.load(path, weights_only=flag)',
        'subprocess.run(words, shell=True)',
        'os.system(words)',
        'pickle.load(file)',
        'tarfile.open(path).extractall(folder)',
        'np.load(path, allow_pickle=True)',
        'eval(text)',
    ],
)
def test_dangerous_calls_are_found(line):
    assert faults(f'def f():\n    {line}') != []
    assert faults('torch.load(path, weights_only=True); network.eval(); run(words)') == []


def test_code_in_a_checkpoint_does_not_run(tmp_path, monkeypatch):
    """The code is real: it runs when the same file is loaded without weights_only."""
    monkeypatch.chdir(tmp_path)
    torch.save({CONV1: Code()}, 'model.pth')
    with pytest.raises(UserError, match=r'model\.pth: not a readable checkpoint'):
        read_weights(Path('model.pth'))
    assert not Path('it_ran').exists()
    torch.load(io.BytesIO(Path('model.pth').read_bytes()), weights_only=False)
    assert Path('it_ran').exists()


READERS = {  # function: the modules that may call it, because they check sizes and formats
    # rendering reads scikit-image's pictures, the reference pipeline made-up ones
    'Image.open': {
        'util/images.py',
        'scripts/rendering.py',
        'scripts/benchmarks/reference_data.py',
    },
    'cv2.imread': set(),
    # the latter reads 16-bit colours, of files that Pillow has decoded without an error
    'cv2.imdecode': {'dataset/samples.py', 'util/images.py'},
    'av.open': {'dataset/video_file.py', 'util/visualize.py'},  # the latter writes
    'cv2.VideoCapture': {'dataset/sources.py'},
}


@pytest.mark.parametrize('reader', READERS)
def test_images_and_videos_are_read_by_checked_modules_only(reader):
    callers = {
        str(path.relative_to(ROOT))
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and name_of(node.func) == reader
    }
    assert callers <= READERS[reader]
