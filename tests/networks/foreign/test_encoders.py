"""The encoders compute what their public definitions say, with the weights of files in their layouts."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from studio.domain import camera
from studio.domain.problem import Problem
from studio.networks.deca_encoder import (
    DecaConfig,
    DecaEncoder,
    DecaEstimator,
    ResNet50,
    angles_from_rotation,
    deca_boxes,
    deca_face,
    rotation_from_axis_angle,
)
from studio.networks.e4e_encoder import E4eConfig, E4eEncoder
from studio.networks.estimator import Estimator
from studio.networks.foreign import load_deca, load_e4e, load_ir_se50
from studio.networks.ir_se50 import IrSe50, IrSe50Config, identity_face

State = dict[str, Tensor]
WIDTHS = (4, 6, 8, 10)


def shaken(network: torch.nn.Module, seed: int = 0) -> State:
    """Random weights everywhere, statistics of normalisation included."""
    source = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=source))
        elif value.is_floating_point():
            value.add_(0.1 * torch.randn(value.shape, generator=source))
    return state


def normalised(s: State, name: str, x: Tensor) -> Tensor:
    shape = [1, -1, *[1] * (x.ndim - 2)]
    mean, var, weight, bias = (
        s[f"{name}.{part}"].reshape(shape) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def bent(s: State, name: str, x: Tensor) -> Tensor:
    return torch.where(x > 0, x, x * s[f"{name}.weight"].reshape(1, -1, 1, 1))


def body_twin(s: State, x: Tensor) -> list[Tensor]:
    """The outputs of all 24 units of an IR-SE50, from its published table."""
    x = bent(
        s, "input_layer.2", normalised(s, "input_layer.1", F.conv2d(x, s["input_layer.0.weight"], padding=1))
    )
    outputs = []
    strides = [2, 1, 1, 2, 1, 1, 1, 2, *[1] * 13, 2, 1, 1]
    for unit, stride in enumerate(strides):
        name = f"body.{unit}"
        if f"{name}.shortcut_layer.0.weight" in s:
            past = F.conv2d(x, s[f"{name}.shortcut_layer.0.weight"], stride=stride)
            past = normalised(s, f"{name}.shortcut_layer.1", past)
        else:
            past = x[:, :, ::stride, ::stride]
        y = normalised(s, f"{name}.res_layer.0", x)
        y = bent(s, f"{name}.res_layer.2", F.conv2d(y, s[f"{name}.res_layer.1.weight"], padding=1))
        y = F.conv2d(y, s[f"{name}.res_layer.3.weight"], stride=stride, padding=1)
        y = normalised(s, f"{name}.res_layer.4", y)
        gate = y.mean((2, 3))
        gate = F.relu(gate @ s[f"{name}.res_layer.5.fc1.weight"][:, :, 0, 0].T)
        gate = torch.sigmoid(gate @ s[f"{name}.res_layer.5.fc2.weight"][:, :, 0, 0].T)
        x = past + y * gate[:, :, None, None]
        outputs.append(x)
    return outputs


def close(a: Tensor, b: Tensor, within: float = 1e-5) -> bool:
    return float((a - b).abs().max()) < within * float(b.abs().max())


@pytest.fixture(scope="module")
def arcface() -> State:
    return shaken(IrSe50(IrSe50Config(WIDTHS, 2, 7)))


@pytest.mark.parametrize("affine", [True, False])
def test_arcface_embeds_as_its_table_says(tmp_path, arcface, affine):
    s = dict(arcface)
    if not affine:
        del s["output_layer.4.weight"], s["output_layer.4.bias"]
    torch.save({name: value for name, value in s.items() if "tracked" not in name}, tmp_path / "ir.pth")
    network, card = load_ir_se50(tmp_path / "ir.pth", tmp_path / "cache")
    assert card["kind"] == "arcface"
    if not affine:
        s |= {"output_layer.4.weight": torch.ones(7), "output_layer.4.bias": torch.zeros(7)}
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    y = normalised(s, "output_layer.0", body_twin(s, faces)[-1]).flatten(1)
    y = normalised(s, "output_layer.4", y @ s["output_layer.3.weight"].T + s["output_layer.3.bias"])
    assert close(network(faces), y / y.norm(dim=1, keepdim=True))
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_identity_has_a_gradient_in_the_picture(arcface):
    network = IrSe50(IrSe50Config(WIDTHS, 2, 7)).eval()
    network.load_state_dict(arcface)
    crops = torch.rand(1, 3, 64, 64, requires_grad=True)
    embedding = network.identity_embedding(crops)
    assert embedding.norm().item() == pytest.approx(1.0, abs=1e-5)
    embedding[0, 0].backward()
    assert crops.grad is not None
    assert crops.grad[..., 8:50, 8:55].abs().sum() > 0


@pytest.mark.parametrize("size", [128, 256, 512, 1024])
def test_the_identity_crop_is_the_same_place_at_every_size(size):
    place = (torch.arange(size) + 0.5) / size
    crops = torch.stack([place[None].expand(size, -1), place[:, None].expand(-1, size)])[None]
    x, y = identity_face(crops)[0]
    # Rows 13-441 and columns 44-472 of 512, in 112 equal parts.
    parts = (torch.arange(112) + 0.5) / 112
    assert (x[50] - (44 + 428 * parts) / 512).abs().max() < 0.5 / 512
    assert (y[:, 50] - (13 + 428 * parts) / 512).abs().max() < 0.5 / 512


@pytest.mark.parametrize(
    ("rows", "kind"), [(18, "Encoder4Editing"), (10, "Encoder4Editing"), (10, "GradualStyleEncoder")]
)
def test_e4e_encodes_as_published(tmp_path, rows, kind):
    torch.manual_seed(0)
    s = shaken(E4eEncoder(E4eConfig(rows, 10, WIDTHS, 2)))
    average = torch.randn(rows, 10)
    del s["latent_avg"]
    content = {
        "state_dict": {f"encoder.{name}": value for name, value in s.items()},
        "latent_avg": average,
        "opts": Namespace(encoder_type=kind, start_from_latent_avg=True, device="cuda"),
    }
    torch.save(content, tmp_path / "e4e.pt", _use_new_zipfile_serialization=rows == 18)
    network, card = load_e4e(tmp_path / "e4e.pt", tmp_path / "cache")
    assert card["config"]["num_ws"] == rows
    crops = torch.rand(1, 3, 256, 256) * 2 - 1

    with torch.no_grad():
        outputs = body_twin(s, crops)
        fine, middle, coarse = outputs[6], outputs[20], outputs[23]

        def onto(small: Tensor, large: Tensor, name: str) -> Tensor:
            side = F.conv2d(large, s[f"{name}.weight"], s[f"{name}.bias"])
            return F.interpolate(small, side.shape[2:], mode="bilinear", align_corners=True) + side

        middle = onto(coarse, middle, "latlayer1")
        fine = onto(middle, fine, "latlayer2")
        expected = torch.empty(1, rows, 10)
        for row in range(rows):
            x = coarse if row < 3 else middle if row < 7 else fine
            layer = 0
            while x.shape[-1] > 1:
                weight, bias = s[f"styles.{row}.convs.{layer}.weight"], s[f"styles.{row}.convs.{layer}.bias"]
                x = F.leaky_relu(F.conv2d(x, weight, bias, stride=2, padding=1), 0.01)
                layer += 2
            linear = s[f"styles.{row}.linear.weight"] / np.sqrt(10)
            expected[:, row] = x[:, :, 0, 0] @ linear.T + s[f"styles.{row}.linear.bias"]
            if row and kind == "Encoder4Editing":
                expected[:, row] += expected[:, 0]
        assert close(network(crops), expected + average)
        assert network(crops[:, :, ::2, ::2]).shape == (1, rows, 10)


def test_e4e_without_its_average_is_refused(tmp_path):
    s = E4eEncoder(E4eConfig(10, 10, WIDTHS, 2)).state_dict()
    torch.save({"state_dict": {f"encoder.{name}": value for name, value in s.items()}}, tmp_path / "e4e.pt")
    with pytest.raises(Problem, match="no latent_avg"):
        load_e4e(tmp_path / "e4e.pt", tmp_path / "cache")


def test_the_residual_network_is_torchvisions():
    from torchvision.models import resnet50

    with torch.device("meta"):  # making random weights takes longer than the test
        theirs, ours = resnet50().eval(), ResNet50(64).eval()
    theirs.fc = torch.nn.Identity()
    theirs.to_empty(device="cpu")
    for value in theirs.state_dict().values():
        value.zero_()
    state = shaken(theirs)
    assert set(state) == set(ours.state_dict())
    ours.load_state_dict(state, assign=True)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert close(ours(x), theirs(x))


def small_deca() -> DecaEncoder:
    torch.manual_seed(0)
    return DecaEncoder(DecaConfig(width=2, hidden=8)).eval()


@pytest.mark.parametrize("new", [True, False])
def test_deca_is_split_in_its_order(tmp_path, new):
    source = small_deca()
    content = {"E_flame": shaken(source), "E_detail": {"x": torch.zeros(1)}, "D_detail": {}}
    torch.save(content, tmp_path / "deca_model.tar", _use_new_zipfile_serialization=new)
    network, card = load_deca(tmp_path / "deca_model.tar", tmp_path / "cache")
    assert card["about"]["left_out"] == ["D_detail", "E_detail"]
    with torch.no_grad():
        # Nothing but the last bias is left: the coefficients are 0, 1, 2, … 235.
        last = network.layers[2]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        last.bias.copy_(torch.arange(236.0))
        reading = network(torch.rand(1, 3, 224, 224))
    assert reading.shape[0, -1] == 99
    assert reading.texture[0, 0] == 100
    assert reading.expression[0].tolist() == list(range(150, 200))
    assert reading.pose[0].tolist() == [200, 201, 202]
    assert reading.jaw[0].tolist() == [203, 204, 205]
    assert reading.camera[0].tolist() == [206, 207, 208]
    assert reading.light.shape == (1, 9, 3)


def test_decas_reading_has_a_gradient_in_the_picture():
    estimator: Estimator = DecaEstimator(small_deca().requires_grad_(False))
    assert estimator.reliability.expression.tolist() == [1.0] * 50
    crops = torch.rand(2, 3, 64, 64, requires_grad=True)
    reading = estimator(crops)
    (reading.expression.sum() + reading.jaw.sum() + reading.angles.sum()).backward()
    assert crops.grad is not None
    assert torch.isfinite(crops.grad).all()
    assert (crops.grad.abs().amax((1, 2, 3)) > 0).all()


def test_angles_follow_the_house():
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    turns = np.concatenate([rng.normal(0, 0.6, (50, 3)), rng.normal(0, 1e-5, (5, 3)), np.zeros((1, 3))])
    rotation = rotation_from_axis_angle(torch.from_numpy(turns))
    np.testing.assert_allclose(rotation, Rotation.from_rotvec(turns).as_matrix(), atol=1e-10)
    np.testing.assert_allclose(
        angles_from_rotation(rotation), camera.angles_from_rotation(rotation.numpy()), atol=1e-4
    )
    # About y: the nose to the viewer's right. About x, by FLAME's right hand: down. About z: left ear down.
    quarter = torch.eye(3) * 0.5
    angles = angles_from_rotation(rotation_from_axis_angle(quarter))
    nose = camera.project(np.array([[0.0, 0, 1]]), angles.numpy(), np.array([1.0, 0, 0]))[:, 0]
    assert nose[1, 0] > 0.4  # x grows to the viewer's right
    assert nose[0, 1] > 0.4  # y grows downwards
    assert angles[0, 1] < -28
    assert angles[1, 0] > 28
    assert angles[2, 2] < -28
    turn = torch.zeros(3, requires_grad=True)
    angles_from_rotation(rotation_from_axis_angle(turn)).sum().backward()
    assert turn.grad is not None
    assert torch.isfinite(turn.grad).all()


@pytest.mark.parametrize("size", [100, 224, 700])
def test_decas_crop_lies_where_asked(size):
    place = (torch.arange(size) + 0.5) / size
    crops = torch.stack([*torch.meshgrid(place, place, indexing="ij"), torch.zeros(size, size)])[None] * 2 - 1
    box = torch.tensor([0.45, 0.5, 0.6])
    y, x, _ = deca_face(crops, box)[0]
    # The first and the last pixel's centres lie on the edges of the box.
    expected = 0.5 + 0.6 * (torch.arange(224) / 223 - 0.5)
    assert (y[:, 7] - expected).abs().max() < 1e-3
    assert (x[7] - (expected - 0.05)).abs().max() < 1e-3


def test_the_usual_box_is_that_of_a_usual_face():
    from studio.domain.motion import HeadMotion
    from studio.head import builtin_head
    from studio.head.ffhq_crop import crop_frames, crop_similarities
    from studio.metrics.landmarks import IBUG_68
    from studio.networks.deca_encoder import USUAL_BOX

    model = builtin_head()
    motion = HeadMotion.neutral(1, np.array([1000.0, 0, 0]))
    head = model.vertices(np.zeros(1, np.float32), np.zeros((478, 3), np.float32), motion)
    points = camera.project(head, motion.angles, motion.camera)
    similarity = camera.Similarity.from_array(crop_similarities(*crop_frames(points))[0])
    aligned = similarity.scaled(512.0).apply(points[0, :, :2])[IBUG_68]
    box = deca_boxes(torch.from_numpy(aligned)[None], 512.0)
    np.testing.assert_allclose(box[0], USUAL_BOX, atol=0.01)
