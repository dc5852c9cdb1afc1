"""What the rows of `bench steps` mean."""
