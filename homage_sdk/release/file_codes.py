"""Faults of files, of their names and of the lines of lists: HOM100 to HOM109, HOM130 on."""

from __future__ import annotations

from homage_sdk.problems import Severity
from homage_sdk.release.reader_code import ReaderCode

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

FILE_CODES = (
    # Files
    ReaderCode(
        "HOM100",
        _ERROR,
        "file or folder cannot be read",
        "The operating system refused (permissions, a broken link, a disk fault), or it is "
        "something else than a file. It is left out.",
        "check its rights and the disk, or copy it again",
    ),
    ReaderCode(
        "HOM101",
        _ERROR,
        "an HTML page under a data file's name",
        "Downloads that need a login or a licence often save the login page instead of the file.",
        "download the file again, logged in",
    ),
    ReaderCode(
        "HOM102",
        _ERROR,
        "a git-LFS pointer instead of the file",
        "The repository was cloned without its large files; what is here is a three-line pointer.",
        "run `git lfs pull` where it was cloned, or download the file itself",
    ),
    ReaderCode(
        "HOM103",
        _ERROR,
        "empty file",
        "The file has no bytes (or only white space): a copy that was cut or never began.",
        "copy it again",
    ),
    ReaderCode(
        "HOM104",
        _ERROR,
        "file larger than a label file can be",
        "All of HOMAGE's labels are some tens of megabytes. A file above the reader's limit is not "
        "opened, so that memory stays bounded.",
        "check what this file is",
    ),
    ReaderCode(
        "HOM105",
        _WARNING,
        "text not in UTF-8",
        "The file is UTF-16 or UTF-32, as some editors save it. It was decoded and read.",
        "save it as UTF-8",
    ),
    ReaderCode(
        "HOM106",
        _WARNING,
        "byte order mark",
        "The file begins with an invisible mark that many JSON and CSV readers reject. It was "
        "skipped and the file read.",
        "save it as UTF-8 without a byte order mark",
    ),
    ReaderCode(
        "HOM107",
        _ERROR,
        "not text",
        "The bytes are no text in any encoding we know: a damaged file, or a binary one under a "
        "label file's name.",
        "save it as UTF-8 if it is text, else copy it again",
    ),
    ReaderCode(
        "HOM108",
        _INFO,
        "file not recognised",
        "A label-like file (.json, .csv) whose name fits nothing of a release. It was not read.",
        "rename it if it belongs to the release",
    ),
    ReaderCode(
        "HOM109",
        _INFO,
        "videos are names only",
        "Every video file is empty: the tree of names was copied without the videos. The release "
        "is read as annotations only.",
        "nothing, if the labels are what you want; else download the videos",
    ),
    # Identifiers
    ReaderCode(
        "HOM130",
        _ERROR,
        "file name carries no id",
        "A label, sensor or video file whose name holds no HOMAGE id, so that nothing says which "
        "sequence it belongs to. It is left out.",
        "rename it like its neighbours, e.g. p0002_r001_a007__aa.json",
    ),
    ReaderCode(
        "HOM131",
        _WARNING,
        "file lies in another participant's folder",
        "The folder names one participant and the file another. The file's own name is believed.",
        "move it to its participant's folder",
    ),
    ReaderCode(
        "HOM132",
        _ERROR,
        "second file for the same thing",
        "Two files carry the labels, the sensor or the video of the same id. The one in the "
        "layout's own folder is read, of several the first in order of path; the rest are left "
        "out.",
        "keep one of the two",
    ),
    ReaderCode(
        "HOM133",
        _WARNING,
        "document names another video than its file",
        "The id inside the document differs from the one in its file name. The file name is "
        "believed.",
        "correct one of the two",
    ),
    ReaderCode(
        "HOM134",
        _ERROR,
        "view of a scene graph unknown",
        "Neither the document nor its file name says which view was annotated.",
        "map where the view is named in a --scene-graph-map file",
    ),
    # Downloads
    ReaderCode(
        "HOM140",
        _WARNING,
        "archive not unpacked",
        "A packed file, and nothing of its name beside it: what it holds is not there to be read.",
        "unpack it where it lies, then run the same command again",
    ),
    ReaderCode(
        "HOM141",
        _WARNING,
        "download not finished",
        "The name is one that browsers and download tools give to a file while it comes in. What "
        "is there of it is not read.",
        "let the download finish, or start it again",
    ),
    # Sensors
    ReaderCode(
        "HOM150",
        _WARNING,
        "unknown sensor type",
        "The name is none of HOMAGE's twelve sensors. The file is kept under the name it has.",
        "see homage_sdk.release.sensors.SENSOR_TYPES for the names",
    ),
    ReaderCode(
        "HOM151",
        _ERROR,
        "sensor file without a time column",
        "A sensor file's first line names its columns, the first of which is time_s (seconds from "
        "the start of the sequence). The file is left out.",
        "name the time column time_s, or plug in a reader of your own",
    ),
    ReaderCode(
        "HOM152",
        _ERROR,
        "sensor row not readable",
        "The first or last row of a sensor file has no time that is a number.",
        "correct the row, or copy the file again",
    ),
    # Lists and classes
    ReaderCode(
        "HOM200",
        _ERROR,
        "line of a split list not readable",
        "A split list holds one `sequence,activity` a line and no header.",
        "correct the line",
    ),
    ReaderCode(
        "HOM201",
        _ERROR,
        "not a sequence id in a split list",
        "The first field of the line is no id like p0002_r001_a007.",
        "correct the id",
    ),
    ReaderCode(
        "HOM202",
        _ERROR,
        "no activity in a split list",
        "The line names a sequence and no activity. The sequence is kept without one.",
        "add the activity after a comma",
    ),
    ReaderCode(
        "HOM210",
        _ERROR,
        "line of a class list not readable",
        "A class list holds `1 name` or `1,name` a line, or bare names.",
        "correct the line",
    ),
    ReaderCode(
        "HOM211",
        _WARNING,
        "second class list of the same kind",
        "Two files below the root list the same classes and disagree. The one highest in the tree "
        "is used.",
        "keep one of the two",
    ),
    ReaderCode(
        "HOM212",
        _INFO,
        "class list without ids",
        "The file holds bare names: their line numbers, from 1, became their ids.",
        "nothing, if the order is the official one",
    ),
)
