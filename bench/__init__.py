"""How fast rtcsig is, and how fast what people use today: ``make bench``."""
