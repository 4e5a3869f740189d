"""How pictures and volumes are read, whoever reads them."""
