"""Makes docs/sobel.jpg, the picture of the README: the photograph, and its edges three times as bright.

python scripts/readme_picture.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

import imfilt

ROOT = Path(__file__).parent.parent


def main():
    photo = Image.open(ROOT / "photos" / "coffee.png").convert("RGB")
    edges = imfilt.sobel(photo.convert("L"))
    bright = np.clip(np.rint(edges * 3 * 255), 0, 255).astype(np.uint8)
    side_by_side = Image.new("RGB", (photo.width * 2, photo.height))
    side_by_side.paste(photo, (0, 0))
    side_by_side.paste(Image.fromarray(bright), (photo.width, 0))
    target = ROOT / "docs" / "sobel.jpg"
    target.parent.mkdir(exist_ok=True)
    side_by_side.save(target, quality=88)
    print(f"made: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
