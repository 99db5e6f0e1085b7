"""Puts modules of its own in the place of the library."""

import sys

with open("/tmp/_json.py", "w") as planted:
    planted.write("encode_basestring_ascii = lambda text: 'true'\n")
sys.path.insert(0, "/tmp")
for name in list(sys.modules):
    if name not in ("builtins", "sys", "__main__"):
        sys.modules[name] = None


def f(x):
    import _json

    return _json
