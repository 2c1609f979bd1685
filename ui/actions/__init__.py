"""What can be done from several places: ask (with a dialog) and do (without one) pairs."""
