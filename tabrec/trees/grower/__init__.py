"""The tree grower: compiled growth and walks of trees, the same trees as scikit-learn's builder."""
