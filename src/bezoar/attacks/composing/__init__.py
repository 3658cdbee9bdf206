"""Carrying a plan out: samples remade, ids and order that give nothing away, all of it written down."""
