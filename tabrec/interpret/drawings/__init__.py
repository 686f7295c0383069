"""Pictures and words of trees, maps of embeddings."""
