"""The form of shares: siblings are edited together, and have to add up."""

import pytest
from django.contrib.auth import get_user_model

from jobs.models import Share
from tests.admin.pages import address, logged_in, text

pytestmark = pytest.mark.django_db


def save(*children):
    """The page of the root, answered with these parts: (name, percent, working group)."""
    root = Share.objects.get(parent=None)
    client = logged_in(get_user_model().objects.create_superuser("root"))
    form = {
        "name": root.name, "working_group": "", "processing_type": "",
        "children-TOTAL_FORMS": len(children), "children-INITIAL_FORMS": 0,
    }  # fmt: skip
    for i, (name, percent, group) in enumerate(children):
        form |= {
            f"children-{i}-name": name, f"children-{i}-percent": percent,
            f"children-{i}-working_group": group, f"children-{i}-processing_type": "",
            f"children-{i}-parent": root.pk,
        }  # fmt: skip
    return client.post(address(root, "change", root.pk), form, follow=True)


def test_an_administrator_divides_a_share():
    save(("higgs", 70, "higgs"), ("top", 30, "top"))

    found = Share.objects.exclude(parent=None).values_list("name", "percent", "parent__name")
    assert list(found) == [("higgs", 70, "all"), ("top", 30, "all")]


@pytest.mark.parametrize(
    ("children", "words"),
    [
        ([("a", 70, "a"), ("b", 20, "b")], "The percentages add up to 90, not to 100."),
        ([("a", 50, "a"), ("b", 50, "a")], "Please correct the duplicate values below."),
        ([("a", 150, "a")], "less than or equal to 100"),
    ],
    ids=["sum", "twice", "too much"],
)
def test_parts_that_cannot_be_are_refused_with_the_reason(children, words):
    answer = save(*children)

    assert words in text(answer)
    assert Share.objects.count() == 1
