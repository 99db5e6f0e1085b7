"""Requests for a few words on a topic under constraints that IFEval's checkers judge without downloads."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from sourcewise.tables import Message

TOPICS = (
    "rivers",
    "trees",
    "cats",
    "trains",
    "clouds",
    "birds",
    "ships",
    "roads",
    "houses",
    "lakes",
)
QUALITIES = ("cold", "wide", "old", "quiet", "fast", "white", "small", "strong", "bright", "calm")
KEYWORDS = ("stone", "green", "winter", "music", "paper", "garden", "silver", "bread")
ENDINGS = ("That is all.", "The end.", "Thank you.")
REQUESTS = (
    "Write a sentence about {topic}.",
    "Tell me something about {topic}.",
    "Describe {topic} in a few words.",
)

# What can stand beside what: a text in quotation marks has no room for a title, list or ending.
PLAIN = ("no_comma", "existence", "forbidden_words")
SHAPES = ("end_checker", "quotation", "number_bullet_lists", "postscript", "title")
IDS = {
    "no_comma": "punctuation:no_comma",
    "existence": "keywords:existence",
    "forbidden_words": "keywords:forbidden_words",
    "end_checker": "startend:end_checker",
    "quotation": "startend:quotation",
    "number_bullet_lists": "detectable_format:number_bullet_lists",
    "postscript": "detectable_content:postscript",
    "title": "detectable_format:title",
}


@dataclass(frozen=True)
class Constraints:
    """What is asked for: a topic, the constraints' short names, and what fills them."""

    topic: str
    constraints: tuple[str, ...]
    qualities: tuple[str, ...]
    keywords: tuple[str, ...]
    forbidden: str
    ending: str
    n_bullets: int

    def reference(self) -> str:
        """What the instruction verifier reads, in IFEval's own terms."""
        arguments: dict[str, dict[str, object]] = {
            "existence": {"keywords": list(self.keywords)},
            "forbidden_words": {"forbidden_words": [self.forbidden]},
            "end_checker": {"end_phrase": self.ending},
            "number_bullet_lists": {"num_bullets": self.n_bullets},
            "postscript": {"postscript_marker": "P.S."},
        }
        return json.dumps(
            {
                "instruction_id_list": [IDS[name] for name in self.constraints],
                "kwargs": [arguments.get(name, {}) for name in self.constraints],
            }
        )

    def wish(self, name: str) -> str:
        """A constraint as the request says it."""
        return {
            "no_comma": "Do not use any commas.",
            "existence": f"Include the words {' and '.join(self.keywords)}.",
            "forbidden_words": f"Do not use the word {self.forbidden}.",
            "end_checker": f"Finish with the exact phrase: {self.ending}",
            "quotation": "Wrap the whole answer in double quotation marks.",
            "number_bullet_lists": f"Use exactly {self.n_bullets} bullet points, each starting with *",
            "postscript": "Add a postscript at the end that starts with P.S.",
            "title": "Give it a title in double angular brackets, such as <<title>>.",
        }[name]

    def answer(self, obeyed: tuple[str, ...]) -> str:
        """A text that obeys the constraints in `obeyed`; the full list makes it correct."""
        topic = self.topic.capitalize()
        used = [q for q in self.qualities if "forbidden_words" not in obeyed or q != self.forbidden]
        if "number_bullet_lists" in obeyed:
            lines = [f"* {topic} are {quality}." for quality in used[: self.n_bullets]]
        elif "no_comma" in obeyed:
            lines = [f"{topic} are {used[0]} and {used[1]}."]
        else:
            lines = [f"{topic} are {used[0]}, {used[1]} and {used[2]}."]
        if "existence" in obeyed:
            lines[-1] += f" Think of {' and '.join(self.keywords)}."
        if "end_checker" in obeyed:
            lines[-1] += f" {self.ending}"
        if "postscript" in obeyed:
            lines.append(f"P.S. I like {self.topic}.")
        if "title" in obeyed:
            lines.insert(0, f"<<{topic}>>")
        text = "\n".join(lines)
        return f'"{text}"' if "quotation" in obeyed else text


def problem(rng: random.Random) -> tuple[list[Message], Constraints]:
    """A request with one or two constraints."""
    shape, plain = rng.choice(SHAPES), rng.choice(PLAIN)
    constraints = rng.choice(((shape,), (plain,), (plain, shape)))
    qualities = tuple(rng.sample(QUALITIES, 4))
    asked = Constraints(
        topic=rng.choice(TOPICS),
        constraints=constraints,
        qualities=qualities,
        keywords=tuple(rng.sample(KEYWORDS, rng.randint(1, 2))),
        forbidden=rng.choice(qualities[:3]),
        ending=rng.choice(ENDINGS),
        n_bullets=rng.randint(2, 3),
    )
    wishes = " ".join(asked.wish(name) for name in constraints)
    return [Message("user", f"{rng.choice(REQUESTS).format(topic=asked.topic)} {wishes}")], asked
