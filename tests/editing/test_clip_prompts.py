"""Words that mean something become a pair of descriptions; others get one sentence."""

from __future__ import annotations

import pytest
import torch

from studio.domain.problem import Problem
from studio.editing.clip_prompts import TEMPLATES, read_words
from studio.editing.clip_words import Clip, meaning_of
from tests.editing.tiny_clip import open_tiny_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return open_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("with round eyeglasses", "a person with round eyeglasses"),
        ("chubby", "a chubby person"),
        ("old", "an old person"),
        ("a kid", "a kid"),
        ("long hair", "a person, long hair"),
        ("  wearing   a\that.\n", "a person wearing a hat"),
        ("😀", "a 😀 person"),
    ],
)
def test_a_target_alone_is_said_of_a_person(text, target):
    words = read_words(text)
    assert (words.target, words.neutral, words.notes) == (target, "a person", ())


def test_a_pair_is_taken_as_it_is():
    words = read_words("face with glasses", "face")
    assert (words.target, words.neutral, words.title) == ("face with glasses", "face", "face with glasses")


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\t", "...!?", "\u200b\u200b", "\x00\x07", "— –", "<end_of_text>"]
)
def test_words_are_needed(text):
    with pytest.raises(Problem, match=r"^The prompt holds no words: say what should be different"):
        read_words(text)


def test_a_neutral_prompt_of_nothing_but_signs_is_refused():
    with pytest.raises(Problem, match=r"^The neutral prompt holds no words"):
        read_words("a kid", "?!")


@pytest.mark.parametrize(
    "pair", [("face", "face"), ("A Face", "a face."), ("a person", ""), ("a\u0301", "\u00e1")]
)
def test_the_same_twice_is_no_change(pair):
    with pytest.raises(Problem, match="are the same"):
        read_words(*pair)


def test_marks_and_controls_are_taken_out(clip):
    words = read_words("with <end_of_text> glasses\x00 < START_OF_TEXT >\ud800")
    assert words.target == "a person with glasses"
    assert torch.equal(clip.words(words.target), clip.words("a person with glasses"))


def test_five_hundred_words_are_too_many(clip):
    with pytest.raises(Problem, match="characters, more than CLIP can read"):
        read_words("eyeglasses " * 500)
    # Short words that are below the limit of characters are counted as CLIP counts them.
    words = read_words("a b " * 120)
    with pytest.raises(
        Problem, match=r"has \d+ tokens .* more than the 75 that CLIP reads: say it in at most 47"
    ):
        meaning_of(words, clip)
    meaning_of(read_words("hat " * 60), clip)


@pytest.mark.parametrize("text", ["с очками", "眼鏡をかけた", "mit Brille и шляпой"])
def test_other_alphabets_are_accepted_with_a_word_of_warning(clip, text):
    words = read_words(text)
    assert "taught with English" in words.notes[0]
    assert "say it in English" in words.notes[0]
    meaning_of(words, clip)
    assert read_words("mit Brille und Ärmel, naïve").notes == ()


def test_the_change_is_the_normalised_difference_of_means(clip):
    """A slow twin: every sentence by itself, with open_clip's own tokeniser."""
    import open_clip

    def mean(description: str) -> torch.Tensor:
        found = []
        for template in TEMPLATES:
            tokens = open_clip.tokenize([template.format(description)])
            with torch.no_grad():
                one = clip._network.encode_text(tokens)[0]
            found.append(one / one.norm())
        total = torch.stack(found).mean(0)
        return total / total.norm()

    meaning = meaning_of(read_words("chubby"), clip)
    target, neutral = mean("a chubby person"), mean("a person")
    torch.testing.assert_close(meaning.target, target, rtol=0, atol=1e-5)
    torch.testing.assert_close(meaning.neutral, neutral, rtol=0, atol=1e-5)
    change = (target - neutral) / (target - neutral).norm()
    torch.testing.assert_close(meaning.change, change, rtol=0, atol=1e-3)
    assert len(set(TEMPLATES)) == len(TEMPLATES) >= 10
    assert all(template.count("{}") == 1 for template in TEMPLATES)


def test_pictures_are_normalised_as_clip_wants_them(clip):
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 3 - 1.5
    seen = (pictures.clamp(-1, 1) + 1) / 2
    mean, deviation = (torch.tensor(x)[:, None, None] for x in (clip.about.mean, clip.about.deviation))
    with torch.no_grad():
        expected = clip._network.encode_image((seen - mean) / deviation)
        found = clip.pictures(pictures)
    torch.testing.assert_close(found, expected / expected.norm(dim=1, keepdim=True), rtol=0, atol=1e-4)
    pictures.requires_grad_()
    clip.pictures(pictures)[:, 0].sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
