"""The files of the product, and running its programs without heavy libraries."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ('model', 'dataset', 'util', 'scripts')
PRODUCT = [*ROOT.glob('*.py'), *(path for room in ROOMS for path in (ROOT / room).rglob('*.py'))]
PROGRAMS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob('*.py'), *ROOT.glob('scripts/*.py')]
    if "\nif __name__ == '__main__':" in path.read_text()
)
HEAVY = ('torch', 'torchvision', 'cv2', 'av', 'gdown', 'matplotlib', 'skimage')
# `python FILE`, but with None in sys.modules, which makes `import NAME` raise ModuleNotFoundError.
WITHOUT_HEAVY = f"""
import os, runpy, sys
sys.modules |= dict.fromkeys({HEAVY})
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def run_without_heavy_libraries(words, folder):
    """Run a program in a folder, where there is no display either; returns the ended process.

    words: the program, named relative to the project, and its arguments.
    """
    program, *argv = words
    environment = {'PATH': os.environ['PATH'], 'HOME': str(folder)}
    command = [sys.executable, '-c', WITHOUT_HEAVY, ROOT / program, *argv]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
