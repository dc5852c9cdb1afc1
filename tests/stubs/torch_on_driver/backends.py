"""The stub's torch.backends: the version of the cuDNN that the loader gave it, and every SDPA backend switched on."""

import torch


class Cudnn:
    @staticmethod
    def version():
        return torch.libraries.cudnnGetVersion() if hasattr(torch.libraries, "cudnnGetVersion") else None


class Cuda:
    flash_sdp_enabled = mem_efficient_sdp_enabled = cudnn_sdp_enabled = math_sdp_enabled = staticmethod(lambda: True)


cudnn, cuda = Cudnn, Cuda
