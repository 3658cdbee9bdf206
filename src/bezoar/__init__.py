"""bezoar finds backdoors in machine-learning data and models, shows them, proves them and removes them."""
