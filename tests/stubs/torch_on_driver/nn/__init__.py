"""The stub's torch.nn."""

from torch.nn import functional as functional
