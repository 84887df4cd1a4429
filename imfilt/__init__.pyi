from imfilt import shapes as shapes
from imfilt._engine.config import show_config as show_config
from imfilt._engine.threads import num_threads as num_threads
from imfilt.analysis import analyze_kernel as analyze_kernel
from imfilt.convolution.depthwise import depthwise_conv2d as depthwise_conv2d
from imfilt.convolution.depthwise import depthwise_separable_conv2d as depthwise_separable_conv2d
from imfilt.convolution.pointwise import pointwise_conv2d as pointwise_conv2d
from imfilt.convolution.separable import separable as separable
from imfilt.convolution.single import convolve as convolve
from imfilt.convolution.single import correlate as correlate
from imfilt.convolution.single import explain_plan as explain_plan
from imfilt.convolution.standard import conv2d as conv2d
from imfilt.convolution.transposed import conv_transpose2d as conv_transpose2d
from imfilt.filters.edges import farid as farid
from imfilt.filters.edges import farid_h as farid_h
from imfilt.filters.edges import farid_v as farid_v
from imfilt.filters.edges import prewitt as prewitt
from imfilt.filters.edges import prewitt_h as prewitt_h
from imfilt.filters.edges import prewitt_v as prewitt_v
from imfilt.filters.edges import roberts as roberts
from imfilt.filters.edges import roberts_neg_diag as roberts_neg_diag
from imfilt.filters.edges import roberts_pos_diag as roberts_pos_diag
from imfilt.filters.edges import scharr as scharr
from imfilt.filters.edges import scharr_h as scharr_h
from imfilt.filters.edges import scharr_v as scharr_v
from imfilt.filters.edges import sobel as sobel
from imfilt.filters.edges import sobel_h as sobel_h
from imfilt.filters.edges import sobel_v as sobel_v
from imfilt.filters.smoothing import gaussian as gaussian
from imfilt.separability import separate as separate

__version__: str
__all__: list[str]
