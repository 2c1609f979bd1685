"""Volumes that are looked at along rays: what Tri²-plane, NOFA and Export3D share."""
