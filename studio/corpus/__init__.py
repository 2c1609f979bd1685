"""A prepared folder of clips of many people: what systems that are trained on people read."""
