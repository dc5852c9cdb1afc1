"""The stub's torch.nn.functional: a convolution loads the parts of cuDNN, where it has one."""

import torch

CUDNN_ERRORS = {1: "CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED", 2: "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"}


def conv2d(image, weight):
    if image.place is not None and hasattr(torch.libraries, "cudnnLoadParts"):
        status = torch.libraries.cudnnLoadParts()
        if status:
            raise RuntimeError("cuDNN error: " + CUDNN_ERRORS[status])
    return image @ weight


def scaled_dot_product_attention(q, k, v, is_causal=False, enable_gqa=False):
    """`enable_gqa=False`: as PyTorch has it from 2.5 on."""
    return q @ k @ v
