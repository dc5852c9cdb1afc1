"""The stub's torch.backends: the version of the cuDNN that the loader gave it."""

import torch


class cudnn:
    @staticmethod
    def version():
        return torch.libraries.cudnnGetVersion() if hasattr(torch.libraries, "cudnnGetVersion") else None


class cuda:
    flash_sdp_enabled = mem_efficient_sdp_enabled = cudnn_sdp_enabled = math_sdp_enabled = staticmethod(lambda: True)
