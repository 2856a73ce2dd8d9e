"""Darknet files of the YOLOv3 family, written from their layer tables."""


def _conv(times: int = 1, size: int = 3, activation: str = "leaky") -> str:
    layer = (
        f"[convolutional]\nfilters=8\nsize={size}\nstride=1\npad=1\nactivation={activation}\n"
    )
    return layer * times


def _pool(size: int, stride: int) -> str:
    return f"[maxpool]\nsize={size}\nstride={stride}\n"


NET = (
    "[net]\n# Testing\nbatch=1\nchannels=3\nwidth=416\n"
    "learning_rate=0.001  # at first\nburn_in=1000\n"
)
SHORTCUT = "[shortcut]\nfrom=-3\nactivation=linear\n"
UPSAMPLE = "[upsample]\nstride=2\n"
ROUTE = "[route]\nlayers = -4\n"
YOLO = "[yolo]\nmask = 0,1,2\nanchors = 10,13, 16,30\nclasses=80\n"
RESIDUALS = (1, 2, 8, 8, 4)
"""Residual blocks of each stage of Darknet-53 (Redmon and Farhadi 2018, table 1)."""


def tiny() -> str:
    """YOLOv3-tiny: 13 convolutions, 6 poolings, 2 heads."""
    backbone = (_conv() + _pool(2, 2)) * 5 + _conv() + _pool(2, 1) + _conv(3)
    head = _conv(1, 1, "linear") + YOLO
    return NET + backbone + head + ROUTE + _conv() + UPSAMPLE + ROUTE + _conv() + head


def full(spp: bool = False) -> str:
    """YOLOv3: Darknet-53 without its classifier, 3 heads, and perhaps pyramid pooling."""
    backbone = _conv()
    for blocks in RESIDUALS:
        backbone += _conv() + (_conv(2) + SHORTCUT) * blocks
    pyramid = ROUTE.join(_pool(size, 1) for size in (5, 9, 13)) + ROUTE + _conv() if spp else ""
    head = _conv(1, 1, "linear") + YOLO
    first = _conv(3) + pyramid + _conv(3) + head
    other = ROUTE + _conv() + UPSAMPLE + ROUTE + _conv(6) + head
    return NET + backbone + first + other + other
