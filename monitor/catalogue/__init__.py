"""The dataset browser: datasets, files, where they are, and who wants them where."""
