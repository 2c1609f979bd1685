"""All metrics, in the order tables show them."""

from __future__ import annotations

from studio.metrics.identity import csim
from studio.metrics.landmarks import akd, akd_mouth, flmd, flmd_normalised, found
from studio.metrics.metric import Metric
from studio.metrics.motion import aed, apd, pose_degrees
from studio.metrics.perceptual import haarpsi, lpips_with
from studio.metrics.pictures import (
    psnr,
    psnr_person,
    sharpness_difference,
    sharpness_difference_db,
    sharpness_ratio,
)
from studio.metrics.structure import ms_ssim, ssim
from studio.metrics.temporal import flicker, jitter

METRICS: tuple[Metric, ...] = (
    Metric(
        id="psnr",
        title="PSNR",
        unit="dB",
        better="higher",
        needs="pictures",
        source="torchmetrics; PVP",
        measure=psnr,
        digits=2,
    ),
    Metric(
        id="psnr_person",
        title="PSNR, person only",
        unit="dB",
        better="higher",
        needs="masks",
        source="PSNR weighted by the person mask",
        measure=psnr_person,
        digits=2,
    ),
    Metric(
        id="ssim",
        title="SSIM",
        unit="",
        better="higher",
        needs="pictures",
        source="Wang et al. 2004",
        measure=ssim,
        digits=4,
    ),
    Metric(
        id="ms_ssim",
        title="MS-SSIM",
        unit="",
        better="higher",
        needs="pictures",
        source="Wang et al. 2003",
        measure=ms_ssim,
        digits=4,
    ),
    Metric(
        id="haarpsi",
        title="HaarPSI",
        unit="",
        better="higher",
        needs="pictures",
        source="Reisenhofer et al. 2018; piq",
        measure=haarpsi,
        digits=4,
    ),
    # Without a trunk: an evaluation that finds one on the machine measures with lpips_with(path) instead.
    Metric(
        id="lpips",
        title="LPIPS",
        unit="",
        better="lower",
        needs="perceptual_weights",
        source="Zhang et al. 2018, v0.1",
        measure=lpips_with(None),
        digits=4,
    ),
    Metric(
        id="flmd",
        title="F-LMD",
        unit="px at 256²",
        better="lower",
        needs="landmarks",
        source="Tri2-plane",
        measure=flmd,
    ),
    Metric(
        id="flmd_normalised",
        title="F-LMD by eye distance",
        unit="%",
        better="lower",
        needs="landmarks",
        source="Tri2-plane",
        measure=flmd_normalised,
    ),
    Metric(
        id="akd",
        title="AKD",
        unit="px at 256²",
        better="lower",
        needs="landmarks",
        source="Siarohin et al. 2019",
        measure=akd,
    ),
    Metric(
        id="akd_mouth",
        title="AKD, mouth",
        unit="px at 256²",
        better="lower",
        needs="landmarks",
        source="Controllable one-shot (AKD-M)",
        measure=akd_mouth,
    ),
    Metric(
        id="aed",
        title="AED",
        unit="σ",
        better="lower",
        needs="motion",
        source="NOFA; Export3D",
        measure=aed,
        digits=4,
    ),
    Metric(
        id="apd",
        title="APD",
        unit="rad, dm",
        better="lower",
        needs="motion",
        source="NOFA; Export3D",
        measure=apd,
        digits=4,
    ),
    Metric(
        id="pose_degrees",
        title="Head angle error",
        unit="°",
        better="lower",
        needs="motion",
        source="angles of APD",
        measure=pose_degrees,
    ),
    Metric(
        id="csim",
        title="CSIM",
        unit="",
        better="higher",
        needs="identity",
        source="cosine of identity embeddings (Deng et al. 2019)",
        measure=csim,
        worst=0.0,
        digits=4,
    ),
    Metric(
        id="sharpness_difference",
        title="Sharpness difference",
        unit="levels",
        better="lower",
        needs="pictures",
        source="Mathieu et al. 2015, eq. 13",
        measure=sharpness_difference,
    ),
    Metric(
        id="sharpness_difference_db",
        title="Sharpness difference",
        unit="dB",
        better="higher",
        needs="pictures",
        source="Mathieu et al. 2015, eq. 13",
        measure=sharpness_difference_db,
        digits=2,
    ),
    Metric(
        id="sharpness_ratio",
        title="Sharpness ratio",
        unit="",
        better="near one",
        needs="pictures",
        source="mean gradient, rendered over real",
        measure=sharpness_ratio,
    ),
    Metric(
        id="jitter",
        title="Landmark jitter",
        unit="px/frame² at 256²",
        better="near zero",
        needs="landmarks",
        source="second difference, rendered minus real",
        measure=jitter,
    ),
    Metric(
        id="flicker",
        title="Flicker",
        unit="levels",
        better="near zero",
        needs="pictures",
        source="Lai et al. 2018, rendered minus real",
        measure=flicker,
    ),
    Metric(
        id="face_found",
        title="Face found",
        unit="share",
        better="higher",
        needs="landmarks",
        source="tracker",
        measure=found,
        worst=0.0,
    ),
)
"""Every metric once. Docs quote titles and units from here."""


def metric(name: str) -> Metric:
    """The metric with this id. Raises KeyError."""
    for entry in METRICS:
        if entry.id == name:
            return entry
    raise KeyError(name)
