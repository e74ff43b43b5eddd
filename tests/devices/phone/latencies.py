"""Published one-thread latencies of public networks, and what those networks consist of.

Every time is of one big core, of float32 networks on 224 x 224 pixels where nothing else is said.
``xnnpack``: XNNPACK's README (google/XNNPACK 0085ae3, 2020-03-27), the engine that TensorFlow Lite
and LiteRT compute with. ``before``: TensorFlow Lite as it was before: V2 and V3 from
tensorflow/models 0ba83cf, research/slim/nets/mobilenet/README.md; V1 from tensorflow/tensorflow
009c3b1, contrib/lite/g3doc/performance.md (``--num_threads=1``; a Pixel XL has a Pixel's cores).
Networks: Howard et al. 2017, Sandler et al. 2018 and Howard et al. 2019, their tables.
"""

from dataclasses import dataclass

PHONES = {  # big core and GHz: Snapdragon 821, 835, 845, 670
    "Pixel": ("Kryo", 2.15),
    "Pixel 2": ("A73", 2.35),
    "Pixel 3": ("A75", 2.5),
    "Pixel 3a": ("A75", 2.0),
}


@dataclass
class Network:
    """A network as it is built: *side* pixels and *channels* so far, and what it has taken."""

    side: int
    channels: int = 3
    macs: int = 0
    weights: int = 0
    moved: int = 0  # numbers of feature maps written or read
    operators: int = 0

    def conv(self, size: int, channels: int, stride: int = 1, *, depthwise: bool = False) -> None:
        """Add a convolution; a depthwise one keeps its channels apart."""
        before = self.side * self.side * self.channels
        self.side = -(-self.side // stride)
        each = size * size * (1 if depthwise else self.channels)
        self.macs += self.side * self.side * each * channels
        self.weights += (each + 1) * channels
        self.channels = channels
        self.moved += before + self.side * self.side * channels
        self.operators += 1

    def depthwise(self, size: int, stride: int) -> None:
        """Add a depthwise convolution."""
        self.conv(size, self.channels, stride, depthwise=True)

    def elementwise(self, maps: int) -> None:
        """Add an operator that reads and writes *maps* feature maps."""
        self.moved += maps * self.side * self.side * self.channels
        self.operators += 1

    def squeeze(self, channels: int) -> None:
        """Add squeeze and excitation: pooling, two small layers, a gate and its product."""
        full = Network(1, self.channels)
        full.conv(1, channels)
        full.conv(1, self.channels)
        self.macs, self.weights = self.macs + full.macs, self.weights + full.weights
        self.moved += self.side * self.side * self.channels
        self.operators += 4
        self.elementwise(2)

    def classify(self, hidden: int = 0) -> "Network":
        """Add pooling, a hidden layer, the last layer and what follows it."""
        self.moved += self.side * self.side * self.channels
        self.side = 1
        if hidden:
            self.conv(1, hidden)
        self.conv(1, 1001)
        self.operators += 3
        return self


def _width(channels: float) -> int:
    """Return *channels* as a multiple of 8 that is not a tenth smaller."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def v1() -> Network:
    """Return MobileNet V1."""
    net = Network(224)
    net.conv(3, 32, 2)
    strided = {128, 256, 512, 1024}
    channels = [64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
    for k, out in enumerate(channels):
        net.depthwise(3, 2 if out in strided and out not in channels[:k] else 1)
        net.conv(1, out)
    return net.classify()


def v2(width: float = 1.0, side: int = 224) -> Network:
    """Return MobileNet V2 of a *width* for pictures of *side* pixels."""
    net = Network(side)
    net.conv(3, _width(32 * width), 2)
    blocks = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
    for factor, channels, repeats, first in [*blocks, (6, 160, 3, 2), (6, 320, 1, 1)]:
        for k in range(repeats):
            before, stride = net.channels, first if k == 0 else 1
            if factor > 1:
                net.conv(1, factor * before)
            net.depthwise(3, stride)
            net.conv(1, _width(channels * width))
            if stride == 1 and net.channels == before:
                net.elementwise(3)
    net.conv(1, max(1280, _width(1280 * width)))
    return net.classify()


# kernel, expansion, channels, squeeze, hard swish, stride
_LARGE = [(3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2)]
_LARGE += [(5, 120, 40, 1, 0, 1)] * 2 + [(3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1)]
_LARGE += [(3, 184, 80, 0, 1, 1)] * 2 + [(3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1)]
_LARGE += [(5, 672, 160, 1, 1, 2)] + [(5, 960, 160, 1, 1, 1)] * 2
_SMALL = [(3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2)]
_SMALL += [(5, 240, 40, 1, 1, 1)] * 2 + [(5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1)]
_SMALL += [(5, 288, 96, 1, 1, 2)] + [(5, 576, 96, 1, 1, 1)] * 2


def v3(*, large: bool, width: float = 1.0, minimal: bool = False) -> Network:
    """Return MobileNet V3; *minimal*: kernels of 3, without squeeze and without hard swish."""
    net = Network(224)
    net.conv(3, 16, 2)
    if not minimal:
        net.elementwise(2)
    for kernel, expansion, channels, squeeze, swish, stride in _LARGE if large else _SMALL:
        before, wide = net.channels, _width(expansion * width)
        if wide != before:
            net.conv(1, wide)
        if swish and not minimal:
            net.elementwise(2)
        net.depthwise(3 if minimal else kernel, stride)
        if swish and not minimal:
            net.elementwise(2)
        if squeeze and not minimal:
            net.squeeze(_width(wide / 4))
        net.conv(1, _width(channels * width))
        if stride == 1 and net.channels == before:
            net.elementwise(3)
    net.conv(1, _width((960 if large else 576) * width))
    if not minimal:
        net.elementwise(2)
    return net.classify(1280 if large else 1024)


# fmt: off
_V2 = {  # width: milliseconds at 224, 192, 160, 128 and 96 pixels, on a Pixel
    1.0: (73.8, 55.1, 40.2, 27.6, 17.6), 0.75: (55.8, 41.6, 30.4, 21.9, 14.2),
    0.5: (28.7, 21.1, 14.9, 9.9, 6.4), 0.35: (19.7, 14.6, 10.5, 6.9, 4.5),
}
_V3 = {  # on Pixel, Pixel 2 and Pixel 3
    "V3 large": (v3(large=True), (51.2, 61.0, 44.0)),
    "V3 large 0.75": (v3(large=True, width=0.75), (39.8, 48.0, 34.0)),
    "V3 large minimal": (v3(large=True, minimal=True), (44.1, 51.0, 35.0)),
    "V3 small": (v3(large=False), (15.8, 19.4, 14.4)),
    "V3 small 0.75": (v3(large=False, width=0.75), (12.8, 15.9, 11.6)),
    "V3 small minimal": (v3(large=False, minimal=True), (12.2, 15.1, 11.0)),
}
_XNNPACK = {  # on Pixel, Pixel 2 and Pixel 3a
    "V1": (v1(), (82, 86, 88)), "V2": (v2(), (49, 53, 55)),
    "V3 large": (v3(large=True), (39, 42, 44)), "V3 small": (v3(large=False), (12, 14, 14)),
}
# fmt: on


@dataclass(frozen=True)
class Latency:
    """One published time."""

    name: str
    network: Network
    phone: str
    engine: str
    ms: float


PUBLISHED = [
    Latency("V1", v1(), "Pixel", "before", 122.9),
    Latency("V1", v1(), "Pixel 2", "before", 166.5),
    Latency("V2 1.4 224", v2(1.4), "Pixel", "before", 138.0),
    Latency("V2 1.3 224", v2(1.3), "Pixel", "before", 123.0),
    *(
        Latency(f"V2 {width} {side}", v2(width, side), "Pixel", "before", ms)
        for width, times in _V2.items()
        for side, ms in zip((224, 192, 160, 128, 96), times, strict=True)
    ),
    *(
        Latency(name, network, phone, "before", ms)
        for name, (network, times) in _V3.items()
        for phone, ms in zip(("Pixel", "Pixel 2", "Pixel 3"), times, strict=True)
    ),
    *(
        Latency(name, network, phone, "xnnpack", ms)
        for name, (network, times) in _XNNPACK.items()
        for phone, ms in zip(("Pixel", "Pixel 2", "Pixel 3a"), times, strict=True)
    ),
]
