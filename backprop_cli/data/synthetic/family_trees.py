from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Synthetic
from backprop_cli.registry import register

#: couples (he, she) with their children (son, daughter); the same tree in English and in Italian
ENGLISH = [
    ("Christopher", "Penelope", "Arthur", "Victoria"),
    ("Andrew", "Christine", "James", "Jennifer"),
    ("Arthur", "Margaret"),
    ("James", "Victoria", "Colin", "Charlotte"),
    ("Charles", "Jennifer"),
]
ITALIAN = [
    ("Roberto", "Maria", "Emilio", "Lucia"),
    ("Pierro", "Francesca", "Marco", "Angela"),
    ("Emilio", "Gina"),
    ("Marco", "Lucia", "Alfonso", "Sophia"),
    ("Tomaso", "Angela"),
]
RELATIONS = (
    *("father", "mother", "husband", "wife", "son", "daughter"),
    *("uncle", "aunt", "brother", "sister", "nephew", "niece"),
)


@register("synthetic", "family_trees")
class FamilyTrees(Synthetic):
    """Who is whose relative: two families of the same shape, 24 people, 12 relations, 104 questions in random order.

    x (104, 36): a 1 at the person, of 24, and a 1 at the relation, of 12   y (104, 24): a 1 at everybody who answers
    (Colin has two uncles).  Hinton 1986, Learning distributed representations of concepts
    """

    @property
    def target_names(self) -> list[str]:
        return [name for tree in (ENGLISH, ITALIAN) for name in names(tree)]

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        people = self.target_names
        asked = [question for tree in (ENGLISH, ITALIAN) for question in questions(tree)]
        x, y = np.zeros((len(asked), len(people) + len(RELATIONS))), np.zeros((len(asked), len(people)))
        for row, (person, relation, answers) in enumerate(asked):
            x[row, [people.index(person), len(people) + RELATIONS.index(relation)]] = 1
            y[row, [people.index(answer) for answer in answers]] = 1
        order = rng.permutation(len(asked))
        return x[order], y[order]


def names(tree: list[tuple[str, ...]]) -> list[str]:
    """The twelve people of a family, each once."""
    return list(dict.fromkeys(name for family in tree for name in family))


def questions(tree: list[tuple[str, ...]]) -> Iterator[tuple[str, str, list[str]]]:
    """(person, relation, who is that to the person) of everybody and every relation that has an answer."""
    wives = {family[0]: family[1] for family in tree}
    husbands = {wife: man for man, wife in wives.items()}
    parents = {child: family[:2] for family in tree for child in family[2:]}
    men = {*wives, *(family[2] for family in tree if len(family) > 2)}

    def siblings(person: str) -> list[str]:
        return [other for other in parents if other != person and parents.get(person) == parents[other]]

    def children(person: str) -> list[str]:
        return [child for child in parents if person in parents[child]]

    def with_partners(group: list[str]) -> list[str]:
        return group + [near[name] for name in group for near in (wives, husbands) if name in near]

    for person in names(tree):
        partner = wives.get(person, husbands.get(person))
        aunts_and_uncles = with_partners([other for parent in parents.get(person, ()) for other in siblings(parent)])
        own_and_partners = [*siblings(person), *(siblings(partner) if partner else [])]
        related = {
            ("father", "mother"): list(parents.get(person, ())),
            ("husband", "wife"): [partner] if partner else [],
            ("son", "daughter"): children(person),
            ("uncle", "aunt"): aunts_and_uncles,
            ("brother", "sister"): siblings(person),
            ("nephew", "niece"): [child for other in own_and_partners for child in children(other)],
        }
        for relations, group in related.items():
            for relation, male in zip(relations, (True, False), strict=True):
                if answers := [name for name in group if (name in men) == male]:
                    yield person, relation, answers
