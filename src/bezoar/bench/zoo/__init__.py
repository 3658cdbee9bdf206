"""The zoo: models with and without a backdoor, trained once, on which model inspection and repair are measured."""
