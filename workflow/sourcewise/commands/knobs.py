"""The verifiers' limits for commands: from a params.yaml, or those of the preset tiny."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from sourcewise.commands.environment import PACKAGE_ROOT, UsageError
from sourcewise.params.distill import Verifiers
from sourcewise.params.root import ParamsError, read_yaml

OWN, TINY = Path("params.yaml"), PACKAGE_ROOT / "presets/tiny.yaml"


class Knobs(NamedTuple):
    """The section `verifiers`, and the file that it was read from."""

    verifiers: Verifiers
    file: Path


def read(named: Path | None) -> Knobs:
    """The section of the named file, else of the current folder's params.yaml if it has one, else of tiny.

    No other section is looked at. Raises UsageError where the section cannot be used.
    """
    try:
        file = named or (OWN if OWN.is_file() and "verifiers" in read_yaml(OWN) else TINY)
        content = read_yaml(file)
        if "verifiers" not in content:
            raise UsageError(f"{file} has no section 'verifiers'")
        return Knobs(Verifiers.model_validate_json(json.dumps(content["verifiers"])), file)
    except ParamsError as error:
        raise UsageError(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, ("verifiers", *first["loc"])))
        raise UsageError(f"{file}: {key}: {first['msg']}") from None
