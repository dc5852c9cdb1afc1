"""Many reports: which nodes fail, which are other than their kind, which are slow, which are missing."""
