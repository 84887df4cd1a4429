"""The core of imfilt/_core.pyx, built for x86-64-v3."""

from imfilt._core import LANES as LANES
from imfilt._core import area as area
from imfilt._core import blend as blend
from imfilt._core import box as box
from imfilt._core import depthwise_mix as depthwise_mix
from imfilt._core import direct as direct
from imfilt._core import even as even
from imfilt._core import gradient as gradient
from imfilt._core import link as link
from imfilt._core import mix as mix
from imfilt._core import norm as norm
from imfilt._core import polar as polar
from imfilt._core import resample as resample
from imfilt._core import separable as separable
from imfilt._core import strongest as strongest
from imfilt._core import suppress as suppress
