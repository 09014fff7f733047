"""What a stack shows without any model: spectra, radial profiles, Fourier transforms."""
