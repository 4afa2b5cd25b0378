"""Stores Pillow images as PNG (format `png`)."""

from __future__ import annotations

import os
from typing import Any

from PIL import Image

from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable

_FILE = "data.png"
_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""The modes whose pixels PNG keeps exactly and gives back in the same mode."""


class ImageMaterializer(BaseMaterializer):
    """Stores an image; size, mode, palette and pixels stay."""

    FORMAT = "png"

    def save(self, data: Image.Image) -> None:
        """Writes the image to `data.png`."""
        if data.mode not in _MODES:
            raise Unsuitable(f"PNG does not keep the mode `{data.mode}`")
        limit = Image.MAX_IMAGE_PIXELS
        if limit and data.width * data.height > limit:
            raise Unsuitable(f"Pillow refuses to read images of more than {limit} pixels")
        if 0 in data.size:
            raise Unsuitable("PNG has no images without pixels")
        data.save(os.path.join(self.uri, _FILE), format="PNG")

    def load(self, data_type: Any) -> Image.Image:
        """Reads the image from `data.png`."""
        opened: Any = Image.open(os.path.join(self.uri, _FILE), formats=["PNG"])
        with opened as image:
            # A copy is a plain `Image`, with its pixels read and no file behind it.
            return image.copy()

    def extract_metadata(self, data: Image.Image) -> dict[str, Any]:
        """Returns the size in pixels and the mode."""
        return {"width": data.width, "height": data.height, "mode": data.mode}
