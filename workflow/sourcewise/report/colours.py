"""One colour per teacher all over the page; a dataset and its students wear their teacher's colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sourcewise.params.datasets import Dataset
from sourcewise.params.students import Student

# The style sheet holds so many colours that colour-blind readers tell apart; then they repeat.
N_COLOURS = 10
UNTRAINED = "plain"


@dataclass(frozen=True)
class Colours:
    """The CSS class of each name."""

    teachers: dict[str, str]
    datasets: dict[str, str]
    students: dict[str, str]


def assign(
    teachers: Mapping[str, object], datasets: Mapping[str, Dataset], students: Mapping[str, Student]
) -> Colours:
    """Colours in the order of the parameters; a second dataset of a teacher gets a colour of its own."""
    of_teachers = {name: f"c{i % N_COLOURS}" for i, name in enumerate(teachers)}
    taken: set[str] = set()
    of_datasets: dict[str, str] = {}
    n = len(of_teachers)
    for name, dataset in datasets.items():
        only = dataset.teachers[0] if len(dataset.teachers) == 1 else None
        if only in of_teachers and only not in taken:
            taken.add(only)
            of_datasets[name] = of_teachers[only]
        else:
            of_datasets[name] = f"c{n % N_COLOURS}"
            n += 1
    of_students = {
        name: of_datasets.get(student.dataset or "", UNTRAINED)
        for name, student in students.items()
    }
    return Colours(of_teachers, of_datasets, of_students)
