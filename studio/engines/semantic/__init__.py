"""One picture in, an avatar out: a head model's keypoints warp what an encoder saw in that picture."""
