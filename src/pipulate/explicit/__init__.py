"""Class-style plugins: what people wrote for the explicit style, served by the same engine as everything else."""
