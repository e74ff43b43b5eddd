"""What the maker's server has of a package: its versions, and patches from each to the next ones.

A phone that is some versions behind takes the patches one after the other, one patch that
leaps, or the whole, whichever is the fewest bytes.
"""

from dataclasses import dataclass, field

from droidloop.models.packages.manifest import MANIFEST
from droidloop.models.packages.package import Package

from .delta import smallest
from .signing import signature_bytes
from .slots import NONE


@dataclass
class Stock:
    """Versions by number, and the bytes of every way from one to another.

    Attributes:
        leap: how many versions a single patch may leap; patches of pairs that are farther apart
            are not made: three, so that a phone that missed two releases still has one (our
            choice: each more costs the maker a patch a variant and version).
        patches: whether there are any.
    """

    leap: int = 3
    patches: bool = True
    packages: dict[int, Package] = field(default_factory=dict)
    _sizes: dict[tuple[str, int, int], int] = field(default_factory=dict)
    _signed: dict[int, int] = field(default_factory=dict)

    def add(self, package: Package) -> None:
        """Have *package*, a version of its own."""
        self.packages[package.manifest.version] = package

    def signed_bytes(self, version: int) -> int:
        """Return what the metadata of *version* take: enough for a phone to know what to do."""
        if version not in self._signed:
            self._signed[version] = signature_bytes(self.packages[version])
        return self._signed[version]

    def whole_bytes(self, variant: str, version: int) -> int:
        """Return what *variant* of *version* takes as it is."""
        return self.packages[version].delivery_bytes(variant) + self.signed_bytes(version)

    def patch_bytes(self, variant: str, old: int, new: int) -> int:
        """Return what one patch of *variant* from *old* to *new* takes."""
        key = (variant, old, new)
        if key not in self._sizes:
            before, after = self.packages[old], self.packages[new]
            size = self.signed_bytes(new)
            files = {MANIFEST: after.manifest.encode()}
            files |= {one: after.files[one] for one in after.delivered(variant)}
            had = {MANIFEST: before.manifest.encode(), **before.files}
            for name, data in files.items():
                if had.get(name) != data:
                    size += len(smallest(had.get(name, b""), data).data)
            self._sizes[key] = size
        return self._sizes[key]

    def way(self, variant: str, held: tuple[int, str], new: int) -> tuple[int, list[int]]:
        """Return the fewest bytes to *variant* of *new* for a phone, and the versions on the way.

        *held* is the version and the variant that the phone has. An empty way: the whole package.
        """
        old, kind = held
        whole = self.whole_bytes(variant, new)
        if not self.patches or old == NONE or kind != variant or old not in self.packages:
            return whole, []
        between = [one for one in sorted(self.packages) if old <= one <= new]
        best: dict[int, tuple[int, list[int]]] = {old: (0, [])}
        for k, target in enumerate(between[1:], 1):
            ways = [
                (best[start][0] + self.patch_bytes(variant, start, target), best[start][1])
                for start in between[max(0, k - self.leap) : k]
            ]
            size, path = min(ways, key=lambda one: one[0])
            best[target] = (size, [*path, target])
        return min(best[new], (whole, []), key=lambda one: one[0])
