"""The surface band from the data: the ring in the FFT, refined by the matched field."""
