"""The convolution toolkit for real images.

Names are loaded when they are first used, so that importing the package (as its command
line does) costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0.dev0"

_PLACES = {
    "imfilt.filters.edges": (
        "sobel", "sobel_h", "sobel_v", "scharr", "scharr_h", "scharr_v", "prewitt", "prewitt_h", "prewitt_v",
        "farid", "farid_h", "farid_v", "roberts", "roberts_pos_diag", "roberts_neg_diag",
    ),
    "imfilt.filters.smoothing": ("gaussian",),
    "imfilt.filters.orientation": ("gradient",),
    "imfilt.filters.canny": ("canny",),
    "imfilt.filters.compass": ("compass", "kirsch"),
    "imfilt.filters.second": ("laplace", "gaussian_laplace", "difference_of_gaussians", "hessian_matrix"),
    "imfilt.filters.sharpening": ("unsharp_mask", "sharpen", "emboss"),
    "imfilt.filters.texture": ("gabor", "gabor_kernel"),
    "imfilt.filters.blurs": ("uniform", "box", "motion_blur", "disk_blur"),
    "imfilt.upsampling": (
        "upscale", "downscale", "upsample_kernel", "upsample_gain", "pixel_shuffle", "pixel_unshuffle",
    ),
    "imfilt.deconvolution": ("wiener", "richardson_lucy"),
    "imfilt.convolution.single": ("correlate", "convolve", "explain_plan"),
    "imfilt.convolution.separable": ("separable",),
    "imfilt.separability": ("separate",),
    "imfilt.analysis": ("analyze_kernel",),
    "imfilt.convolution.standard": ("conv2d",),
    "imfilt.convolution.depthwise": ("depthwise_conv2d", "depthwise_separable_conv2d"),
    "imfilt.convolution.pointwise": ("pointwise_conv2d",),
    "imfilt.convolution.transposed": ("conv_transpose2d",),
    "imfilt._engine.threads": ("num_threads",),
    "imfilt._engine.config": ("show_config",),
}  # fmt: skip
_MODULES = ("shapes",)
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = ["__version__", *_PLACE_OF, *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"imfilt.{name}")
    if name not in _PLACE_OF:
        raise AttributeError(f"module 'imfilt' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACE_OF[name]), name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})
