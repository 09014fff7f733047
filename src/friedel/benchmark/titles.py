"""What a reader calls the methods of the benchmark, in tables and pictures."""

#: Name in the tables → title.
METHOD_TITLES = {
    "friedel": "friedel",
    "friedel-network": "network alone",
    "friedel network alone": "network alone",
    "friedel+refit": "full refit",
    "friedel full refit": "full refit",
    "paper": "paper's network",
    "paper blend": "paper's network, tiles",
    "paper whole field": "paper's network, whole field",
    "matched-field": "matched field",
    "matched-field-prepared": "matched field, prepared",
    "omp": "OMP",
    "omp-prepared": "OMP, prepared",
    "omp-each": "OMP, every map",
    "log": "LoG",
}
