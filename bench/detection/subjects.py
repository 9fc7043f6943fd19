"""What is run to see how good the checker is: a list of subjects, each good for one process."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.detection import score
from bench.detection.mutants import ORIGINALS, Bench, Original
from bench.detection.score import Mark, Part, Place
from guest.corpus.cases import ASSEMBLY, Variant, load_corpus
from guest.corpus.generate import generate
from guest.corpus.mutate import REPLY_WORDS, Content
from guest.scenario import load_scenario, shipped_scenarios
from kernel.abi import ARCHES
from lab.run import run_scenario

SEEDS = 500  # of generated programs

_LEVEL = re.compile(r"-(O[0-9](?:-[a-z]+)?)$")


@dataclass(frozen=True, slots=True)
class InCorpus:
    """A form of a case or a twin; `rule` is the one that it is about."""

    variant: Variant
    rule: str
    arch: str

    @property
    def level(self) -> str:
        """How it was compiled."""
        return level_of(self.variant.name)

    def look(self) -> Iterator[Mark]:
        """Run it, and see what is found."""
        variant = self.variant
        findings = run_scenario(variant.path, arch=self.arch).findings
        where = f"{variant.name} {self.arch}"
        if variant.undecidable:
            place = Place(Part.UNDECIDABLE, self.level, where)
            return score.of_undecidable(place, variant.findings, findings)
        if not variant.findings:
            return score.of_twin(Place(Part.TWINS, self.level, where), self.rule, findings)
        return score.of_case(Place(Part.CORPUS, self.level, where), variant.findings, findings)


@dataclass(frozen=True, slots=True)
class Shipped:
    """A scenario that ships."""

    name: str
    arch: str

    @property
    def level(self) -> str:
        """How it was compiled."""
        return level_of(self.name)

    def look(self) -> Iterator[Mark]:
        """Run it, and see what is found."""
        run = run_scenario(self.name, arch=self.arch)
        place = Place(Part.SHIPPED, self.level, f"{self.name} {self.arch}")
        return score.of_shipped(place, run.comparison)


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated program of a seed."""

    seed: int
    arch: str
    level: str = ASSEMBLY

    def look(self) -> Iterator[Mark]:
        """Run it, and see what is found."""
        program = generate(self.seed)
        with TemporaryDirectory() as folder:
            findings = run_scenario(program.write(Path(folder)), arch=self.arch).findings
        place = Place(Part.GENERATED, self.level, f"generated {self.seed} {self.arch}")
        return score.of_generated(place, program.truths, findings)


@dataclass(frozen=True, slots=True)
class Mutants:
    """All mutants of a server, against all partners."""

    original: Original
    arch: str
    level: str = ASSEMBLY

    def look(self) -> Iterator[Mark]:
        """Run them, and see what is found."""
        source, mutants = self.original.source(), self.original.mutants()
        with TemporaryDirectory() as folder:
            bench = Bench(
                self.original.scenario, self.original.request, Path(folder), self.arch
            )
            for words in REPLY_WORDS:
                for content in Content:
                    against = f"{words} words, {content.name.lower()} {self.arch}"
                    right = bench.observe(source, words, content)
                    place = Place(Part.MUTANTS, self.level, f"{self.original.name}, {against}")
                    yield from score.of_original(place, right.findings)
                    for mutant in mutants:
                        seen = bench.observe(mutant.source, words, content)
                        changed = f"{self.original.name}, line {mutant.line}"
                        place = Place(Part.MUTANTS, self.level, f"{changed}, {against}")
                        standing = bench.standing(right, seen, mutant.register)
                        yield from score.of_mutant(place, mutant, standing, seen.findings)


Subject = InCorpus | Shipped | Generated | Mutants


def subjects(seeds: int) -> list[Subject]:
    """List everything, with the programs of the first `seeds` seeds."""
    corpus = load_corpus()
    forms = [(v, case.rule) for case in corpus.cases for v in case.variants]
    forms += [(v, twin.against) for twin in corpus.twins for v in twin.variants]
    found: list[Subject] = [InCorpus(v, rule, arch) for v, rule in forms for arch in ARCHES]
    found += [
        Shipped(name, arch.name)
        for name in shipped_scenarios()
        for arch in load_scenario(name).arches
    ]
    found += [Mutants(original, arch) for original in ORIGINALS for arch in ARCHES]
    return found + [Generated(seed, arch) for seed in range(seeds) for arch in ARCHES]


def look(subject: Subject) -> list[Mark]:
    """Run a subject, and see what is found."""
    return list(subject.look())


def level_of(name: str) -> str:
    """Tell how a scenario's programs are compiled, by its name; assembly is ``asm``."""
    match = _LEVEL.search(name)
    return match[1] if match else ASSEMBLY
