"""The labelling interface of a project: its classes, and what a reviewer can say."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from backhaul.data.formats.writing import plain_names

IMAGE, BOXES, REVIEW = "image", "label", "review"
"""Names in the interface, which results go by."""
APPROVED, REJECTED = "approved", "rejected"


def interface_of(class_names: tuple[str, ...]) -> str:
    """Return the interface for a class list, as Label Studio's XML.

    Boxes do not turn. A review is a choice in each annotation: the community edition has none.

    Raises:
        InputError: If a class has no name, or two have the same.
    """
    view = ET.Element("View")
    ET.SubElement(view, "Image", {"name": IMAGE, "value": f"${IMAGE}", "zoom": "true"})
    boxes = {"name": BOXES, "toName": IMAGE, "canRotate": "false"}
    labels = ET.SubElement(view, "RectangleLabels", boxes)
    for name in plain_names(class_names):
        ET.SubElement(labels, "Label", {"value": name})
    choice = {"name": REVIEW, "toName": IMAGE, "choice": "single-radio", "showInLine": "true"}
    review = ET.SubElement(view, "Choices", choice)
    for name in (APPROVED, REJECTED):
        ET.SubElement(review, "Choice", {"value": name})
    return ET.tostring(view, encoding="unicode")
