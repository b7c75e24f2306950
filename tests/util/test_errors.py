"""util/errors.py: what is said of packages and libraries of the system that are missing."""

import pytest

from util.errors import entry_point, user_message

NO_FILE = 'cannot open shared object file: No such file or directory'
LIBRARIES = [  # message, name of the package that is imported, parts of the line
    (f'libGL.so.1: {NO_FILE}', 'cv2', ('libGL.so.1', 'libgl1', 'opencv-python-headless')),
    (f'libgthread-2.0.so.0: {NO_FILE}', 'cv2', ('libgthread-2.0.so.0', 'libglib2.0-0')),
    ('/lib/x86_64-linux-gnu/libGL.so.1: file too short', 'cv2', ('libGL.so.1', 'too short')),
    (
        "/opt/libstdc++.so.6: version `GLIBCXX_3.4.29' not found",
        'av',
        ('libstdc++.so.6, which av',),
    ),
    (f'libcudart.so.12: {NO_FILE}', None, ('libcudart.so.12, which this program needs',)),
]


@pytest.mark.parametrize('text, name, words', LIBRARIES, ids=[case[0] for case in LIBRARIES])
def test_a_missing_library_is_named_with_the_remedy(text, name, words, capsys):
    @entry_point
    def main(argv):
        raise ImportError(text, name=name)

    with pytest.raises(SystemExit) as end:
        main([])
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1
    assert all(word in errors for word in words), errors


@pytest.mark.parametrize('name', ['cv2', 'torch.accelerator'])
def test_a_missing_package_is_named_with_the_remedy(name):
    message = user_message(ModuleNotFoundError(f'No module named {name!r}', name=name))
    assert message == f'{name}: not installed, or too old; run pip install -r requirements.txt'


@pytest.mark.parametrize(
    'bug',
    [
        ModuleNotFoundError("No module named 'util.gone'", name='util.gone'),
        ImportError("cannot import name 'gone' from 'util.masks'", name='util.masks'),
    ],
)
def test_a_wrong_import_of_our_own_keeps_its_traceback(bug):
    assert user_message(bug) is None
