"""Writers: a Dataset to a folder, an .npz or a parquet file, whole or not at all."""
