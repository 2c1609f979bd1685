"""Avatars of one picture, whatever network of many people draws them."""
