"""A page of thumbnails of a data set or a run, with the labels drawn over them."""

from backhaul.report.gallery.content import Gallery
from backhaul.report.gallery.dataset import gallery_of_data_set
from backhaul.report.gallery.page import write_gallery
from backhaul.report.gallery.place import view_folder
from backhaul.report.gallery.run import gallery_of_run

__all__ = [
    "Gallery",
    "gallery_of_data_set",
    "gallery_of_run",
    "view_folder",
    "write_gallery",
]
